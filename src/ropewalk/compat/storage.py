"""`UnifiedStorage`: one Ropewalk store as the specification's unified storage."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from ..domain.errors import Conflict, Invalid, NotFound
from ..domain.history import EntryKind
from ..domain.legacy.fields import Times
from .entities.moments import instant
from .filters import check, equal_to, matches, types_of
from .interfaces.unified import IUnifiedStorage, Row, Rows
from .rooms.checkpoints import CheckpointRoom
from .rooms.entries import EntryRoom
from .rooms.relations import BranchRoom, SnapshotRoom
from .rooms.sessions import SessionRoom
from .rooms.threads import ThreadRoom

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import tzinfo
    from types import TracebackType

    from ..services.modules import Modules
    from ..services.storage import Storage
    from .rooms.door import Room

T = TypeVar("T")

_NAMES: Final = {"branch": "thread_branch", "snapshot": "thread_snapshot"}
"""What our kinds are called in rows, where that differs."""

_KINDS: Final = {name: kind for kind, name in _NAMES.items()}

_HISTORY: Final = frozenset(kind.value for kind in EntryKind)

_DATES: Final = ("created_at", "updated_at", "expires_at")
_PASSED_ON: Final = frozenset({"id", "type", "session_id", "thread_id", *_DATES, "version"})
_KEYS: Final = (
    *("data", "metadata", "session_id", "thread_id", "expires_at"),
    *("workflow_id", "state_data"),
)
"""What of a row an update may change."""


class _House:
    """The rooms over one set of managers: those of the store, or of a unit of work."""

    def __init__(self, modules: Modules, times: Times) -> None:
        self.modules = modules
        entries = {kind.value: EntryRoom(modules, times, kind) for kind in EntryKind}
        self.rooms: Mapping[str, Room] = {
            "session": SessionRoom(modules, times),
            "thread": ThreadRoom(modules, times),
            "thread_branch": BranchRoom(modules, times),
            "thread_snapshot": SnapshotRoom(modules, times),
            "checkpoint": CheckpointRoom(modules, times),
            **entries,
        }

    def room(self, kind: object) -> Room | None:
        """Return the room of a type; `None` for those that plain records keep."""
        return self.rooms.get(_NAMES.get(str(kind), str(kind)))

    async def save(self, row: Row, *, expected_version: int | None = None) -> str:
        """Write one row where it belongs."""
        room = self.room(row.get("type"))
        if room is None:
            return await self.modules.records.save(_dated(row), expected_version=expected_version)
        id_ = _new_id() if row.get("id") is None else row["id"]
        if expected_version is not None:
            there = await room.load(id_)
            version = there["version"] if there else 0
            if version != expected_version:
                message = f"{row['type']} {id_!r} has version {version}, not {expected_version}"
                raise Conflict(message, code="version", id=id_, actual=version)
        return await room.save({**row, "id": id_})

    async def load(self, id: str, *, type: str | None = None) -> Row | None:
        """Return one row, wherever it is."""
        room = self.room(type)
        if room is not None:
            return await room.load(id)
        row = await self.modules.records.load(id, type=type)
        room = self.room(row["type"]) if row else None
        return await room.load(id) if room else row

    async def update(self, id: str, updates: Row, *, type: str | None = None) -> bool:
        """Merge changes into one row."""
        row = await self.load(id, type=type)
        if row is None:
            return False
        room = self.room(row["type"])
        if room is None:
            return await self.modules.records.update(id, _dated(updates), type=row["type"])
        if row["type"] in _HISTORY:
            message = f"the history is append-only: {row['type']} {id!r} cannot be changed"
            raise Invalid(message, code="append_only", field="id", id=id)
        for name in sorted(updates.keys() - set(_KEYS)):
            message = f"an update cannot change {name!r}, only {', '.join(_KEYS)}"
            raise Invalid(message, code="fixed_key", field=name)
        await room.save({**row, **merged({name: row.get(name) for name in updates}, updates)})
        return True

    async def delete(self, id: str, *, type: str | None = None) -> bool:
        """Take one row away."""
        row_type = type
        if row_type is None:
            row = await self.modules.records.load(id)
            if row is None:
                return False
            row_type = str(row["type"])
        room = self.room(row_type)
        if room is None:
            return await self.modules.records.delete(id, type=row_type)
        return await room.remove(id)


class UnifiedStorage(IUnifiedStorage):
    """Sessions, threads, history and checkpoints go to their managers, all else to the records.

    Rows of the types of the specification hold the legacy program's documents; what the house
    knows of them is what it would know had they been imported. Whatever changes something is one
    unit of work. Any loop may use it, and several at once.
    """

    def __init__(self, storage: Storage, *, tz: tzinfo | None = None) -> None:
        """Work on an open store; `tz` is the zone of times without one, by default this machine's.

        Naive times are written into the documents in the same zone.
        """
        self.storage = storage
        self.times = Times(tz)
        self._house = _House(storage, self.times)

    async def __aenter__(self) -> Self:
        """Return the storage, which is open already."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        await self.close()

    async def close(self) -> None:
        """Close the store, for every handle to it."""
        await self.storage.close()

    async def save(self, data: Row) -> str:
        """Write a record, new or not, and return the id under which it is kept.

        A history record whose id is taken gets one like it: none is overwritten. Raises `Invalid`
        naming the field that is wrong, `Conflict` where somebody else was quicker.
        """
        row = _checked(data)
        kind = row.get("type")
        if kind in _HISTORY or self._house.room(kind) is None:
            # One record is one change: neither an entry nor a plain one needs a unit of work.
            return await self._house.save(row)
        return await self._transact(lambda house: house.save(row))

    async def load(self, id: str, *, type: str | None = None) -> Row | None:
        """Return the record with this id, or `None`; raise `Invalid` where several types have it.

        `type` says which one is meant.
        """
        return await self._house.load(id, type=type)

    async def update(self, id: str, updates: Row) -> bool:
        """Merge changes into a record; return False where there is none.

        Dictionaries are merged at any depth, other values replace. Raises `Invalid` for a record
        of the history, which is append-only.
        """
        changes = _checked(updates)
        return await self._transact(lambda house: house.update(id, changes))

    async def delete(self, id: str) -> bool:
        """Remove a record; return whether it was there.

        Raises `Conflict` for a thread with forks and for a checkpoint that a fork begins at, and
        `Invalid` for a record of the history.
        """
        return await self._transact(lambda house: house.delete(id))

    async def list(self, filters: Row, limit: int | None = None) -> Rows:
        """Return the records that fulfil all filters; checkpoints newest first, others oldest.

        Filters are those of plain records; on documents, `data.<path>` looks into the document.
        """
        if limit is not None and limit < 0:
            message = f"limit must be 0 or more, or None for all, not {limit}"
            raise Invalid(message, code="bad_limit", field="limit")
        rows: Rows = []
        if limit == 0:
            return rows
        async with aclosing(cast("AsyncGenerator[Row, None]", self._found(filters))) as found:
            async for row in found:
                rows.append(row)
                if len(rows) == limit:
                    break
        return rows

    async def query(self, query: str, params: Row | None = None) -> Rows:
        """Answer one portable, read-only SELECT, as `storage.records.query` does."""
        return await self.storage.records.query(query, params)

    async def exists(self, id: str) -> bool:
        """Tell whether there is a record with this id."""
        return await self.storage.records.exists(id)

    async def count(self, filters: Row) -> int:
        """Count the records that fulfil all filters; in the engine where the header decides."""
        if filters.keys() <= _PASSED_ON:
            kind = equal_to(filters, "type")
            named = {"type": _KINDS[kind]} if kind in _KINDS else {}
            return await self.storage.records.count({**filters, **named})
        return len([row async for row in self._found(filters)])

    async def transaction(self, operations: Rows) -> bool:
        """Do all operations, in order, or none; return True.

        Raises `NotFound` for an update of what is not there, `Conflict` where a record does not
        have its `expected_version`, and what the single verbs raise.
        """
        read = [_operation(place, raw) for place, raw in enumerate(operations)]

        async def work(house: _House) -> bool:
            for do in read:
                await do(house)
            return True

        return await self._transact(work)

    async def _transact(self, work: Callable[[_House], Awaitable[T]]) -> T:
        return await self.storage.transact(lambda unit: work(_House(unit, self.times)))

    async def _found(self, filters: Row) -> AsyncIterator[Row]:
        types = types_of(filters)
        if types is None:
            check(filters)
            async for row in self._anywhere(filters):
                yield row
            return
        entries = [EntryKind(name) for name in types if name in _HISTORY]
        if len(types) > 1 and len(entries) == len(types):
            rooms: list[Room | None] = [EntryRoom(self.storage, self.times, *entries)]
            filters = {**filters, "type": types}
        else:
            rooms = [self._house.room(name) for name in types]
        for room, name in zip(rooms, types, strict=False):
            one = filters if len(rooms) < len(types) else {**filters, "type": name}
            async for row in self._in(room, one):
                yield row

    async def _in(self, room: Room | None, filters: Row) -> AsyncIterator[Row]:
        """Go through the rows of one room, or of the plain records, that fulfil all filters."""
        if room is None:
            async for row in self.storage.records.stream(filters):
                yield row
            return
        check(filters)
        kind = filters["type"]
        filters = {**filters, "type": _NAMES.get(kind, kind) if isinstance(kind, str) else kind}
        async for row in self._candidates(room, filters):
            if matches(row, filters):
                yield row

    async def _anywhere(self, filters: Row) -> AsyncIterator[Row]:
        passed = {name: value for name, value in filters.items() if name in _PASSED_ON}
        async for record in self.storage.records.stream(passed):
            row = await self._house.load(record["id"], type=record["type"])
            if row is not None and matches(row, filters):
                yield row

    async def _candidates(self, room: Room, filters: Row) -> AsyncIterator[Row]:
        id_ = equal_to(filters, "id")
        if id_ is not None:
            row = await room.load(id_)
            if row is not None:
                yield row
            return
        rows = room.rows(
            session_id=equal_to(filters, "session_id"), thread_id=equal_to(filters, "thread_id")
        )
        async with aclosing(cast("AsyncGenerator[Row, None]", rows)) as found:
            async for row in found:
                yield row


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> Row:
    """Return `old` with `new` merged in: dictionaries at any depth, every other value replaces."""
    both = dict(old)
    for name, value in new.items():
        present = both.get(name)
        if isinstance(present, dict) and isinstance(value, Mapping):
            inner = cast("Mapping[str, Any]", value)
            both[name] = merged(cast("Row", present), inner)
        else:
            both[name] = value
    return both


def _checked(data: object) -> Row:
    """Return a row; what pydantic made is taken apart."""
    dump = getattr(data, "model_dump", None)
    row: object = dump() if callable(dump) else data
    if isinstance(row, Mapping):
        return dict(cast("Mapping[str, Any]", row))
    message = f"a record must be a dict, not {type(row).__name__}"
    raise Invalid(message, code="bad_type", field="data")


def _dated(row: Row) -> Row:
    """Return a row whose times are aware; naive ones are this machine's."""
    dates: dict[str, object] = {
        name: instant(value)
        for name in _DATES
        if isinstance(value := row.get(name), datetime) and value.tzinfo is None
    }
    return {**row, **dates}


def _operation(place: int, raw: Row) -> Callable[[_House], Awaitable[object]]:
    """Read one operation of a transaction."""
    verb = raw.get("op", raw.get("type"))
    kind = raw.get("type") if "op" in raw else None
    data, id_ = raw.get("data"), raw.get("id")
    if verb == "save" and isinstance(data, Mapping):
        given = {"id": id_, "type": kind}
        row = {**{k: v for k, v in given.items() if v}, **cast("Row", data)}
        return lambda house: house.save(row, expected_version=raw.get("expected_version"))
    if verb == "update" and isinstance(id_, str) and isinstance(data, Mapping):
        changes = dict(cast("Row", data))

        async def update(house: _House) -> None:
            if not await house.update(id_, changes, type=kind):
                message = f"operation {place}: there is no record {id_!r} to update"
                raise NotFound(message, id=id_)

        return update
    if verb == "delete" and isinstance(id_, str):
        return lambda house: house.delete(id_, type=kind)
    message = (
        f"operation {place} is none: it needs op (save, update or delete), and id or data with it"
    )
    raise Invalid(message, code="bad_operation", field="operations", operation=place)


def _new_id() -> str:
    from uuid import uuid4

    return uuid4().hex
