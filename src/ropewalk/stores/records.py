"""`RecordStore`: the nine verbs of the seeds over the five of the waist, for every back end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from random import random
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..domain.change import Batch, Delete, Put
from ..domain.cursor import Cursor
from ..domain.errors import Conflict, Corrupt, Invalid, NotFound
from ..domain.limits import MAX_BATCH_CHANGES, check_int64, is_short
from ..domain.page import Page
from ..domain.query import OLDEST_FIRST, Order, cursor_of
from ..domain.record import Key, check_name
from ..door import DOOR
from ..still import still
from ..turns import Turns
from .base import check_page
from .document import Document, as_dict, read_document, read_updates
from .filters import Filters, read_filters
from .kinds import DOORS, check_writable
from .letter import Letter
from .operations import Ledger, Operation, check_expected, read_operation
from .select.limits import DEFAULT_LIMITS
from .select.run import answer
from .shapes import is_row
from .shelf import Row, Shelf, check_ids

if TYPE_CHECKING:
    from ..domain.ports import Backend, Clock, Sealer
    from ..domain.query import Query
    from ..domain.record import Record
    from .select.limits import SelectLimits
    from .sieve import Sieve

Rows: TypeAlias = list[Row]
Maybe: TypeAlias = list[Row | None]
Ids: TypeAlias = list[str]
Flags: TypeAlias = list[bool]

MAX_ATTEMPTS: Final = 64
"""How often a merge is tried while others change the same record."""

LONGEST_PAUSE: Final = 0.05
"""Longest pause between two of these attempts, in seconds."""


class RecordStore:
    """Keep any record of one space as a dictionary: the seeds' unified storage.

    A record has id, type, data, session_id, thread_id, metadata, created_at, updated_at,
    expires_at and version. All types can be read here; those that a module of the house keeps
    (`doors`) are written there. Where only an id is given, it is looked up in every type, and
    `Invalid` is raised if several have it: say `type`.
    """

    def __init__(
        self,
        backend: Backend,
        sealer: Sealer,
        clock: Clock,
        *,
        space: str,
        doors: Mapping[str, str] = DOORS,
        limits: SelectLimits = DEFAULT_LIMITS,
    ) -> None:
        self._shelf = Shelf(backend, sealer, check_name(space, field="space"))
        self._clock = clock
        self._doors = doors
        self._limits = limits

    async def save(self, data: Mapping[str, Any], *, expected_version: int | None = None) -> str:
        """Write a whole record, new or not, and return its id.

        `type` is required; without `id` a new one is made. What is not given is empty, except
        the `created_at` of a record that is there. A given `updated_at` is kept as it is. What
        `load` returned can be saved; its `version` says nothing, only `expected_version` does
        (0: must not exist). Raises `Conflict` where that fails, `Invalid` naming a wrong key.
        What is saved is `data` as it is at the call, objects of other types than JSON's as they
        are when it is this call's turn.
        """
        expected = check_expected(expected_version)
        if not DOOR.is_open():
            data = still(data)
            await DOOR.enter()
        document = read_document(data, space=self._shelf.space, new_id=self._clock.new_id)
        return await self._write(document, expect=expected)

    async def _write(self, document: Document, *, expect: int | None) -> str:
        check_writable(document.key.kind, self._doors)
        put = await document.put(self._shelf.sealer, expect=expect)
        await self._shelf.backend.apply(Batch((put,)))
        return document.key.id

    async def load(self, id: str, *, type: str | None = None) -> Row | None:
        """Return the record with this id, or `None`; raise `Corrupt` where it is damaged."""
        shelf = self._shelf
        if type is None:
            [record] = await shelf.look_up((id,))
        else:
            # What is called most often goes the shortest way.
            if not (is_short(type) and is_short(id)):
                check_name(type, field="type")
                check_name(id, field="id")
            [record] = await shelf.backend.get((Key.trusted(shelf.space, type, id),))
        if record is None:
            return None
        value = shelf.sealer.unseal_at_once(record)
        return as_dict(record, await shelf.sealer.unseal(record) if value is None else value)

    async def update(
        self,
        id: str,
        updates: Mapping[str, Any],
        *,
        expected_version: int | None = None,
        type: str | None = None,
    ) -> bool:
        """Merge changes into a record; return False where there is none.

        Dictionaries in `data` and `metadata` are merged at any depth, other values replace,
        `None` too. Without `expected_version` the merge is repeated on what others write
        meanwhile, so nothing is lost; with it, `Conflict` is raised where it differs.
        """
        operation = Operation(
            verb="update",
            id=check_name(id, field="id"),
            kind=None if type is None else check_name(type, field="type"),
            updates=read_updates(updates),
            expected=check_expected(expected_version),
        )
        return (await self._commit([operation]))[0]

    async def delete(
        self, id: str, *, type: str | None = None, expected_version: int | None = None
    ) -> bool:
        """Remove a record; return whether it was there. Raises `Conflict` as `update` does."""
        expected = check_expected(expected_version)
        if type is None:
            operation = Operation(verb="delete", id=check_name(id, field="id"), expected=expected)
            return (await self._commit([operation]))[0]
        check_writable(check_name(type, field="type"), self._doors)
        change = Delete(key=Key(self._shelf.space, type, id), expect=expected)
        return (await self._shelf.apply_all([change]))[0] != 0

    async def list(self, filters: Filters | None = None, limit: int | None = None) -> Rows:
        """Return the matching records, oldest first; all of them without a limit.

        `stream` and `page` take less memory.
        """
        if limit is not None and check_int64(limit, field="limit") < 0:
            message = f"limit must be 0 or more, or None for all, not {limit}"
            raise Invalid(message, code="bad_limit", field="limit")
        if not DOOR.is_open():
            await DOOR.enter()
        sieve = read_filters(filters)
        query = sieve.query(self._shelf.space, limit=limit)
        async with aclosing(self._shelf.found(sieve, query, make=as_dict, limit=limit)) as found:
            return [row async for rows in found for row in rows]

    async def query(self, text: str, params: Mapping[str, Any] | None = None) -> Rows:
        """Answer one portable, read-only SELECT over the records of one type.

        The answer is the same on every back end. A text outside the language, or one that asks
        for too much, raises `Invalid` that says why; docs/reference/select.md describes both.
        """
        return await answer(text, params, shelf=self._shelf, limits=self._limits)

    async def exists(self, id: str, *, type: str | None = None) -> bool:
        """Tell whether there is a record with this id; no body is read."""
        [record] = await self._shelf.look_up([id], kind=type, bodies=False)
        return record is not None

    async def count(self, filters: Filters | None = None) -> int:
        """Count the matching records, in the engine wherever header and labels decide."""
        return await self._shelf.count(read_filters(filters))

    async def transaction(self, operations: Sequence[Mapping[str, Any]]) -> bool:
        """Do all operations, in order, or none; return True.

        Each is a dictionary: `op` ("save", "update", "delete"), `id`, `type`, `data` (the record
        to save, or the changes to merge) and `expected_version`, which means the version before
        the transaction. Raises `NotFound` for an update of what is not there, and everything
        that the single verbs raise; deleting what is not there is no error.
        """
        if not is_row(operations):
            name = type(operations).__name__
            message = f"operations must be a list of dicts, not {name}"
            raise Invalid(message, code="bad_type", field="operations")
        if len(operations) > MAX_BATCH_CHANGES:
            message = (
                f"a transaction holds at most {MAX_BATCH_CHANGES} operations "
                f"(max_batch_changes), not {len(operations)}: split it"
            )
            raise Invalid(message, code="too_many", field="operations", limit="max_batch_changes")
        read = [self._read(place, raw) for place, raw in enumerate(operations)]
        await self._commit(read, strict=True)
        return True

    def _read(self, place: int, raw: Mapping[str, Any]) -> Operation:
        try:
            return read_operation(raw, space=self._shelf.space, new_id=self._clock.new_id)
        except Invalid as error:
            facts = {**error.facts, "operation": place}
            message = f"operation {place}: {error.message}"
            raise Invalid(message, code=error.code, **facts) from error

    async def save_many(self, data: Iterable[Mapping[str, Any]]) -> Ids:
        """Write many whole records and return their ids in order; of one id the last stays.

        Up to 10,000 records and 256 MiB go in one atomic batch; more go in several, one after
        the other. Everything is checked and sealed before anything is written. Other tasks have
        their turn meanwhile: what is to be saved must not be changed before this returns.
        """
        turns = Turns()
        documents: list[Document] = []
        for raw in data:
            document = read_document(raw, space=self._shelf.space, new_id=self._clock.new_id)
            check_writable(document.key.kind, self._doors)
            documents.append(document)
            await turns.rest()
        puts: list[Put] = []
        for document in {document.key: document for document in documents}.values():
            puts.append(await document.put(self._shelf.sealer, expect=None))
            await turns.rest()
        await self._shelf.apply_all(puts)
        return [document.key.id for document in documents]

    async def load_many(self, ids: Iterable[str], *, type: str | None = None) -> Maybe:
        """Return the records of many ids in that order, `None` where there is none."""
        records = await self._shelf.look_up(ids, kind=type)
        turns = Turns()
        rows: Maybe = []
        for record in records:
            rows.append(None if record is None else await self._shelf.row(record))
            await turns.rest()
        return rows

    async def delete_many(self, ids: Iterable[str], *, type: str | None = None) -> int:
        """Remove many records and return how many were there; up to 10,000 in one atomic batch."""
        names = dict.fromkeys(check_ids(ids))
        if type is None:
            records = await self._shelf.look_up(names, bodies=False)
            keys = [record.key for record in records if record is not None]
        else:
            kind = check_name(type, field="type")
            keys = [Key(self._shelf.space, kind, name) for name in names]
        for key in keys:
            check_writable(key.kind, self._doors)
        previous = await self._shelf.apply_all([Delete(key=key) for key in keys])
        return sum(version != 0 for version in previous)

    def stream(
        self,
        filters: Filters | None = None,
        *,
        batch_size: int = 100,
        on_corrupt: Callable[[Corrupt], None] | None = None,
    ) -> AsyncIterator[Row]:
        """Go through the matching records, oldest first, with `batch_size` sealed ones in memory.

        Between two batches nothing is held in the back end, however slow the reader is. A damaged
        record is told to `on_corrupt` and left out; without it, `Corrupt` is raised.
        """
        if not 1 <= check_int64(batch_size, field="batch_size") <= MAX_BATCH_CHANGES:
            message = f"batch_size must be 1 to {MAX_BATCH_CHANGES}, not {batch_size}"
            raise Invalid(message, code="bad_limit", field="batch_size")
        sieve = read_filters(filters)
        query = replace(sieve.query(self._shelf.space), limit=batch_size)
        return self._stream(sieve, query, on_corrupt)

    async def _stream(
        self, sieve: Sieve, query: Query, on_corrupt: Callable[[Corrupt], None] | None
    ) -> AsyncGenerator[Row, None]:
        while True:
            async with aclosing(self._shelf.scan(query)) as pages:
                batch = [record async for page in pages for record in page]
            for record in batch:
                try:
                    row = await self._shelf.row(record)
                except Corrupt as error:
                    if on_corrupt is None:
                        raise
                    on_corrupt(error)
                    continue
                if not sieve.terms or sieve.matches(Letter(row["data"], row["metadata"])):
                    yield row
            if len(batch) != query.limit:
                return
            query = replace(query, after=query.cursor(batch[-1]))

    async def page(
        self,
        filters: Filters | None = None,
        *,
        limit: int = 100,
        cursor: str | None = None,
        order: Order = OLDEST_FIRST,
    ) -> Page[Row]:
        """Return up to `limit` (1 to 1,000) matching records behind `cursor`, in an order."""
        check_page(limit)
        if not DOOR.is_open():
            await DOOR.enter()
        sieve = read_filters(filters)
        after = Cursor.decode(cursor) if cursor else None
        query = sieve.query(self._shelf.space, limit=limit + 1)
        query = replace(query, order=order, after=after)
        rows: list[Row] = []
        last: Record | None = None
        found = self._shelf.found(sieve, query, make=_beside, limit=limit + 1)
        async with aclosing(found):
            async for pairs in found:
                for record, row in pairs:
                    if len(rows) == limit and last is not None:
                        return Page(tuple(rows), cursor_of(last, order).encode())
                    rows.append(row)
                    last = record
        return Page(tuple(rows))

    async def _commit(self, operations: Sequence[Operation], *, strict: bool = False) -> Flags:
        """Do operations in one batch; return for each whether its record was there.

        Begins again, a bounded number of times, where somebody changed what a merge was based on.
        """
        for operation in operations:
            if operation.kind is not None:
                check_writable(operation.kind, self._doors)
        attempt = 0
        while True:
            attempt += 1
            ledger = await self._ledger(operations)
            found = [_fold(ledger, operation, strict=strict) for operation in operations]
            for kind in ledger.kinds:
                check_writable(kind, self._doors)
            changes = await ledger.changes(self._shelf.sealer)
            if not changes:
                return found
            try:
                await self._shelf.backend.apply(Batch(changes))
            except Conflict as conflict:
                if attempt == MAX_ATTEMPTS or not ledger.may_retry(conflict):
                    raise
            else:
                return found
            # Uneven pauses, or the same writers meet again.
            await asyncio.sleep(random() * min(LONGEST_PAUSE, 0.001 * attempt))  # noqa: S311

    async def _ledger(self, operations: Sequence[Operation]) -> Ledger:
        """Read what operations need to know: what is merged into, and what only has an id."""
        shelf = self._shelf
        ledger = Ledger(shelf.space, self._clock.now)
        merged = {operation.id for operation in operations if operation.verb == "update"}
        loose = dict.fromkeys(operation.id for operation in operations if operation.kind is None)
        bodies = not merged.isdisjoint(loose)
        for record in await shelf.look_up(loose, bodies=bodies):
            if record is not None:
                merging = record.key.id in merged
                ledger.note(record.key, record, await shelf.document(record) if merging else None)
        keys = dict.fromkeys(
            Key(shelf.space, operation.kind, operation.id)
            for operation in operations
            if operation.verb == "update" and operation.kind is not None
        )
        if keys:
            for key, record in zip(keys, await shelf.backend.get([*keys]), strict=True):
                document = None if record is None else await shelf.document(record)
                ledger.note(key, record, document)
        return ledger


def _beside(record: Record, value: object) -> tuple[Record, Row]:
    return record, as_dict(record, value)


def _fold(ledger: Ledger, operation: Operation, *, strict: bool) -> bool:
    found = ledger.fold(operation)
    if strict and not found and operation.verb == "update":
        message = (
            f"there is no record {operation.id!r} to update; save it first, or leave the update out"
        )
        raise NotFound(message, id=operation.id, type=operation.kind)
    return found
