"""`RopewalkCache`: what LangGraph's nodes have computed, kept in a Ropewalk store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final, TypeVar

from langgraph.cache.base import BaseCache, FullKey, Namespace
from langgraph.checkpoint.serde.base import SerializerProtocol

from ...domain.errors import Corrupt
from ...services.storage import Storage
from .bridge import Bridge

ValueT = TypeVar("ValueT")

KIND: Final = "langgraph_cache"
"""The kind of the records, which are plain ones."""

_AT_ONCE: Final = 500


class RopewalkCache(BaseCache[ValueT]):
    """Cache what nodes return: `graph.compile(cache=RopewalkCache(storage))`.

    Every method works from any thread and on any event loop, also the synchronous ones on a loop
    that runs. An entry is seen until its time (`ttl`, in seconds) is over.
    """

    def __init__(self, storage: Storage, serde: SerializerProtocol | None = None) -> None:
        """Cache in the space of `storage`; values are written by `serde`."""
        super().__init__(serde=serde)
        self._bridge = Bridge(storage)
        self._records = storage.records

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Return the values that there are of these keys."""
        return self._bridge.run(self.aget(keys))

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Return the values that there are of these keys; raise `Corrupt` for a damaged one."""
        places = {_id(key): (tuple(key[0]), key[1]) for key in keys}
        rows = await self._records.load_many(places, type=KIND)
        found: dict[FullKey, ValueT] = {}
        for key, row in zip(places.values(), rows, strict=True):
            if row is not None:
                found[key] = self._read(key, row["data"])
        return found

    def set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Keep values, each with the seconds after which it is forgotten, or `None`."""
        self._bridge.run(self.aset(pairs))

    async def aset(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Keep values, each with the seconds after which it is forgotten, or `None`."""
        now = datetime.now(UTC)
        rows: list[dict[str, object]] = []
        for key, (value, ttl) in pairs.items():
            kind, data = self.serde.dumps_typed(value)
            rows.append(
                {
                    "type": KIND,
                    "id": _id(key),
                    "data": {"type": kind, "value": data},
                    "expires_at": None if ttl is None else now + timedelta(seconds=ttl),
                }
            )
        if rows:
            await self._records.save_many(rows)

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget the values of these namespaces, or all of them."""
        self._bridge.run(self.aclear(namespaces))

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget the values of these namespaces, or all of them."""
        if namespaces is None:
            await self._forget({"type": KIND})
            return
        for namespace in dict.fromkeys(map(tuple, namespaces)):
            await self._forget({"type": KIND, "id": {"$prefix": _shelf(namespace)}})

    async def _forget(self, filters: dict[str, object]) -> None:
        while True:
            page = await self._records.page(filters, limit=_AT_ONCE)
            if page.items:
                await self._records.delete_many([row["id"] for row in page.items], type=KIND)
            if page.cursor is None:
                return

    def _read(self, key: FullKey, data: Mapping[str, object]) -> ValueT:
        kind, value = data.get("type"), data.get("value")
        if not isinstance(kind, str) or not isinstance(value, bytes):
            message = f"the cached value of {key!r} is none; clear its namespace"
            raise Corrupt(message, code="bad_cache_entry", key=str(key))
        result: ValueT = self.serde.loads_typed((kind, value))
        return result


def _id(key: FullKey) -> str:
    return _shelf(tuple(key[0])) + _digest(key[1])


def _shelf(namespace: Namespace) -> str:
    """Return how the ids of a namespace begin, however long its labels are."""
    # A label may hold any character, so its length says where it ends.
    return _digest("".join(f"{len(label)}:{label}" for label in namespace)) + "/"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()
