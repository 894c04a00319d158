"""Stores of values under keys: they load and save, and can list nothing of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

import orjson

from .statements import Row

DISKCACHE: Final = ("diskcache",)
KEY_VALUE: Final = ("key_value.aio", "diskcache", "pathvalidate")

_SYNC: Final[Mapping[str, int]] = {"normal": 1, "full": 2}


class _Cache(Protocol):
    def get(self, key: str) -> bytes | None: ...

    def set(self, key: str, value: bytes) -> bool: ...

    def close(self) -> None: ...


class _Keys(Protocol):
    async def get(self, key: str) -> dict[str, Any] | None: ...

    async def put(self, key: str, value: Mapping[str, Any]) -> None: ...


class Diskcache:
    """`diskcache.Cache` in a thread, as its documentation asks asyncio's programs to use it."""

    def __init__(self, path: Path, *, sync: str) -> None:
        """Make the folder."""
        self._cache = _cache(path, sync)

    async def open(self, documents: Sequence[Row]) -> None:
        """Write the documents."""
        for document in documents:
            self._set(document)

    async def close(self) -> None:
        """Close the cache."""
        self._cache.close()

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        return await asyncio.to_thread(self._get, id)

    async def list(self, session: str, limit: int) -> list[Row]:
        """Raise: there is no such thing."""
        raise NotImplementedError(session, limit)

    async def save(self, document: Row) -> None:
        """Write one record."""
        await asyncio.to_thread(self._set, document)

    def _get(self, id: str) -> Row | None:
        found = self._cache.get(id)
        return None if found is None else _with_time(orjson.loads(found))

    def _set(self, document: Row) -> None:
        self._cache.set(document["id"], orjson.dumps(document))


class KeyValue:
    """A store of py-key-value-aio; it runs its statements on the loop, and turns JSON by itself."""

    def __init__(self, path: Path | None, *, sync: str) -> None:
        """Make the disk store over a folder, or the memory store without one."""
        home = "key_value.aio.stores"
        self._cache = None if path is None else _cache(path, sync)
        if self._cache is None:
            made = import_module(f"{home}.memory").MemoryStore(max_entries_per_collection=10**9)
        else:
            made = import_module(f"{home}.disk").DiskStore(disk_cache=self._cache)
        self._store = cast("_Keys", made)

    async def open(self, documents: Sequence[Row]) -> None:
        """Write the documents."""
        for document in documents:
            await self.save(document)

    async def close(self) -> None:
        """Close the cache beneath the store; the store itself holds nothing."""
        if self._cache is not None:
            self._cache.close()

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        found = await self._store.get(id)
        return None if found is None else _with_time(found)

    async def list(self, session: str, limit: int) -> list[Row]:
        """Raise: there is no such thing."""
        raise NotImplementedError(session, limit)

    async def save(self, document: Row) -> None:
        """Write one record; a time is text to it."""
        plain = {**document, "created_at": document["created_at"].isoformat()}
        await self._store.put(document["id"], plain)


def _cache(path: Path, sync: str) -> _Cache:
    make = cast("Callable[..., _Cache]", import_module("diskcache").Cache)
    return make(str(path), eviction_policy="none", sqlite_synchronous=_SYNC[sync])


def _with_time(found: Row) -> Row:
    return {**found, "created_at": datetime.fromisoformat(found["created_at"])}
