"""`Epoch`: how the commits of a store that was moved here go on with the numbers of the old one.

A store keeps its own commit numbers, so a copy of it cannot have those of the original. Instead
the copy holds, in a space of the house, each earlier commit as a record, and one record that says
where the copy's own commits begin. So a reader of the feed goes on across a move, also after
both were closed and opened again, and the answer to a batch is never forgotten.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from ..domain.change import Applied, Batch, Changed, Check, Commit, Delete, Ensure, Put
from ..domain.cursor import Cursor
from ..domain.errors import Corrupt, Denied, NotFound
from ..domain.horizon import forgotten, trimmed
from ..domain.limits import MAX_INT64, check_int64
from ..domain.ports import Backend
from ..domain.query import Condition, Query
from ..domain.record import Key, Record
from .base import stop

RESERVED: Final = "~ropewalk"
"""The space in which a store that was moved keeps what the move needs; nobody else writes there."""

EPOCH_KEY: Final = Key(RESERVED, "epoch", "present")
COMMIT_KIND: Final = "commit"

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Epoch:
    """Numbers up to `floor` belong to earlier stores; the store's own after `base` follow them.

    Of those of earlier stores, what was forgotten goes up to `forgotten`.
    """

    floor: int = 0
    base: int = 0
    forgotten: int = 0

    @property
    def is_first(self) -> bool:
        """Whether the store was never moved, so that all numbers are its own."""
        return not self.base

    def outward(self, seq: int) -> int:
        """Return the number by which callers know the store's own commit `seq` (0: none)."""
        return seq - self.base + self.floor if seq else 0

    def inward(self, after: int) -> int:
        """Return behind which of the store's own commits the callers' number `after` lies."""
        return min(max(after - self.floor, 0) + self.base, MAX_INT64)

    def put(self) -> Put:
        """Make the change that says: this copy is finished, and its numbers are these."""
        state = {"state": "ready", "floor": self.floor, "base": self.base}
        return _state_put({**state, "forgotten": self.forgotten})


def unfinished_put() -> Put:
    """Make the change that says: what is here is a copy that somebody is still making."""
    return _state_put({"state": "copying"}, expect=0)


def _state_put(state: Mapping[str, object], *, expect: int | None = None) -> Put:
    body = json.dumps({"format": _FORMAT, **state}).encode()
    return Put(key=EPOCH_KEY, body=body, seal="json", expect=expect)


async def read_epoch(backend: Backend) -> Epoch:
    """Return the epoch of an open store; raise `Corrupt` where an unfinished copy is in it."""
    (record,) = await backend.get([EPOCH_KEY])
    if record is None:
        return Epoch()
    state = _opened(record)
    if state.get("state") == "copying":
        message = (
            "this store holds an unfinished copy of another one, where everything still is: "
            "open that one and switch again, and remove this one"
        )
        raise Corrupt(message, code="unfinished_copy", key=EPOCH_KEY)
    numbers = [state.get("floor"), state.get("base"), state.get("forgotten", 0)]
    match numbers:
        case [int(floor), int(base), int(gone)]:
            return Epoch(floor, base, gone)
        case _:
            raise _damaged(record)


@dataclass(frozen=True, slots=True)
class Entry:
    """One commit of an earlier store, and the answer to its batch.

    `seq` is the number by which callers know it. `keys` and `versions` stand for all changes of
    the batch with `previous`, and for those that had an effect where `previous` is `None`.
    """

    seq: int
    at: int
    batch_id: str
    actor: str
    keys: tuple[Key, ...]
    versions: tuple[int, ...]
    previous: tuple[int, ...] | None

    @property
    def commit(self) -> Commit:
        """The row of the feed: what changed, without what had no effect."""
        before = self.previous or (None,) * len(self.keys)
        changes = tuple(
            Changed(key, version)
            for key, version, previous in zip(self.keys, self.versions, before, strict=True)
            if version != previous
        )
        return Commit(self.seq, self.at, self.batch_id, self.actor, changes)

    def answer(self, batch: Batch) -> Applied | None:
        """Return what the batch was answered; `None` where it is another batch with this id.

        Exact wherever `previous` is known. Otherwise a change is answered as it must have been:
        one without effect by the least version that the record can have had.
        """
        keys = tuple(change.key for change in batch.changes)
        if self.previous is not None:
            if keys != self.keys:
                return None
            return Applied(self.seq, self.at, self.versions, self.previous, replayed=True)
        if not set(self.keys) <= set(keys):
            return None
        changed = dict(zip(self.keys, self.versions, strict=True))
        pairs = [_least(change, changed.get(change.key)) for change in batch.changes]
        versions, previous = zip(*pairs, strict=True)
        return Applied(self.seq, self.at, versions, previous, replayed=True)

    def put(self) -> Put:
        """Make the change that keeps the entry, in the order of its number."""
        body = {
            "format": _FORMAT,
            "seq": self.seq,
            "at": self.at,
            "actor": self.actor,
            "keys": [[key.space, key.kind, key.id] for key in self.keys],
            "versions": self.versions,
            "previous": self.previous,
        }
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        key = Key(RESERVED, COMMIT_KIND, self.batch_id)
        # Every back end sorts well by this field, and nobody else looks at these records.
        return Put(key=key, body=data, seal="json", created_at=self.seq)

    @classmethod
    def of(cls, record: Record) -> Entry:
        """Read what `put` wrote; raise `Corrupt` with its key for anything else."""
        body = _opened(record)
        try:
            previous = body["previous"]
            return cls(
                seq=int(body["seq"]),
                at=int(body["at"]),
                batch_id=record.key.id,
                actor=str(body["actor"]),
                keys=tuple(Key(*parts) for parts in body["keys"]),
                versions=tuple(map(int, body["versions"])),
                previous=None if previous is None else tuple(map(int, previous)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(record) from error


def _least(change: Put | Delete | Ensure | Check, version: int | None) -> tuple[int, int]:
    """Return version after and before of a change, given the version where it had an effect."""
    if version is None:
        present = 0
        if isinstance(change, Check):
            present = change.told
        elif isinstance(change, Ensure):
            present = change.stamp
        elif isinstance(change, Delete) and change.at_most is not None:
            present = change.at_most + 1
        return present, present
    if isinstance(change, Put | Delete) and change.expect is not None:
        return version, change.expect
    return version, 1 if isinstance(change, Delete) else version - 1


def _opened(record: Record) -> dict[str, Any]:
    try:
        body = json.loads(record.body or b"")
    except ValueError as error:
        raise _damaged(record) from error
    if not isinstance(body, dict):
        raise _damaged(record)
    fields = cast("dict[str, Any]", body)
    if fields.get("format") != _FORMAT:
        raise _damaged(record)
    return fields


def _damaged(record: Record) -> Corrupt:
    message = f"{record.key} does not say what a moved store needs; restore it from a backup"
    return Corrupt(message, code="bad_epoch", key=record.key)


async def earlier(backend: Backend, after: int = 0) -> AsyncGenerator[Entry]:
    """Go through the commits of earlier stores with a number greater than `after`, in order."""
    query = Query(space=RESERVED, kinds=(COMMIT_KIND,), after=Cursor(after + 1))
    records = backend.scan(query)
    try:
        async for record in records:
            yield Entry.of(record)
    finally:
        await stop(records)


async def commits(backend: Backend, epoch: Epoch, after: int) -> AsyncGenerator[Commit]:
    """Go through all commits behind the callers' number `after`: the earlier ones, then its own.

    Raises `NotFound` where the next of them were forgotten, unless `after` is 0.
    """
    check_int64(after, field="after")
    if after < epoch.floor:
        known = (await read_epoch(backend)).forgotten
        if 0 < after < known:
            raise trimmed(after, forgotten=await horizon(backend, epoch))
        async with aclosing(earlier(backend, after)) as entries:
            async for entry in entries:
                yield entry.commit
        gone = (await read_epoch(backend)).forgotten
        if gone > max(known, after):
            # Somebody forgot commits meanwhile, and perhaps before they were seen here.
            raise trimmed(after, forgotten=await horizon(backend, epoch))
    begin = epoch.inward(after) if after > 0 else await beginning(backend, epoch)
    own = backend.feed(begin)
    try:
        async for commit in own:
            if is_told(commit):
                yield replace(commit, seq=epoch.outward(commit.seq))
    except NotFound as error:
        raise trimmed(after, forgotten=epoch.outward(forgotten(error))) from error
    finally:
        await stop(own)


def is_told(commit: Commit) -> bool:
    """Tell whether a commit is more than the housekeeping of a store that was moved."""
    return any(change.key.space != RESERVED for change in commit.changes)


async def beginning(backend: Backend, epoch: Epoch) -> int:
    """Return behind which number the store's own commits begin, of those that are kept."""
    return 0 if await _own_horizon(backend) > epoch.base else epoch.base


async def horizon(backend: Backend, epoch: Epoch) -> int:
    """Return up to which of the callers' numbers commits are gone."""
    own = await _own_horizon(backend)
    if own > epoch.base:
        return epoch.outward(own)
    return (await read_epoch(backend)).forgotten


async def _own_horizon(backend: Backend) -> int:
    commits = backend.feed(1)
    try:
        async for _ in commits:
            break
    except NotFound as error:
        return forgotten(error)
    finally:
        await stop(commits)
    return 0


async def recall(backend: Backend, batch: Batch) -> Applied | None:
    """Return the answer that an earlier store gave to `batch`, or `None` if it never had it."""
    (record,) = await backend.get([Key(RESERVED, COMMIT_KIND, batch.id)])
    return None if record is None else Entry.of(record).answer(batch)


def without_reserved(query: Query) -> Query:
    """Return the query without the records of the house, where it asks for every space."""
    if query.space is not None:
        return query
    return query.only(Condition("space", "ne", RESERVED))


def seeing_no_reserved(batch: Batch) -> Batch:
    """Return the batch with lists and tallies that leave the records of the house out."""
    if not batch.seen:
        return batch
    seen = [replace(part, query=without_reserved(part.query)) for part in batch.seen]
    return replace(batch, seen=tuple(seen))


def refuse_reserved(batch: Batch) -> None:
    """Raise `Denied` where the batch touches a record of the house."""
    for change in batch.changes:
        if change.key.space == RESERVED:
            message = (
                f"{change.key} lies in the space {RESERVED!r}, which Ropewalk keeps for itself"
            )
            raise Denied(message, code="reserved", key=change.key)
