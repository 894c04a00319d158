"""`Mover`: copies everything of one store into an empty one, while the first is written to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from itertools import islice
from typing import Final, TypeVar, cast

from ..domain.change import Applied, Batch, Change, Commit, Delete, Put
from ..domain.errors import Conflict, Invalid
from ..domain.ports import Backend, Capability
from ..domain.query import Condition, Query
from ..domain.record import Key, Record
from .base import stop
from .epoch import (
    EPOCH_KEY,
    RESERVED,
    Entry,
    Epoch,
    beginning,
    earlier,
    horizon,
    is_told,
    unfinished_put,
)

ACTOR: Final = "ropewalk switch"
"""Who wrote the copy, in the feed of the copy."""

BATCH_CHANGES: Final = 500
"""Most records written at once."""

BATCH_BYTES: Final = 8 * 1024 * 1024
"""Most bytes of bodies written at once; one bigger body goes alone."""

COMMITS_AT_ONCE: Final = 64
"""How many commits are read, and their answers asked for, side by side."""

KEYS_AT_ONCE: Final = 16
"""How many records are compared at once; each may have the biggest body there can be."""

T = TypeVar("T")


class Mover:
    """Make an empty store equal to another: records, commits, and the answers to batches.

    The order is `begin`, `copy`, `catch_up` as often as one likes while the source is written to,
    `finish` when it no longer is; or `undo`. The source is only read, and asked again what it
    answered to batches that it has.
    """

    def __init__(
        self,
        source: Backend,
        target: Backend,
        *,
        epoch: Epoch,
        recent: Mapping[str, tuple[Key, ...]],
    ) -> None:
        """Copy `source`, whose numbers `epoch` explains, into `target`; both are open.

        `recent` has all keys of recent batches: the feed alone does not tell those that a batch
        named but did not change.
        """
        self._source = source
        self._epoch = epoch
        self._target = target
        self._recent = recent
        self._follows = Capability.FEED in source.capabilities
        self._begun = False
        self._behind = epoch.base
        self._forgotten = epoch.forgotten
        self._highest = epoch.floor
        self._base = 0
        self._archived: set[str] = set()
        self.records = 0
        self.commits = 0

    async def begin(self) -> None:
        """Make sure that the target is empty and can do what the source can, and mark it as ours.

        Raises `Invalid` otherwise. Until `finish` the mark keeps the copy from being opened.
        """
        refuse_less(self._source, self._target)
        anything = Query(space=None, limit=1, bodies=False, expired=True)
        for record in [record async for record in self._target.scan(anything)]:
            what = "an unfinished copy" if record.key.space == RESERVED else str(record.key)
            message = (
                f"the store to switch to is not empty: it holds {what}; "
                "name a new one, or remove it first"
            )
            raise Invalid(message, code="not_empty", field="target", key=record.key)
        # It expects that no mark is there: of two who begin at once, one is refused. After any
        # other error it may be there.
        self._begun = True
        try:
            await self._write([unfinished_put()])
        except Conflict as error:
            self._begun = False
            message = "somebody else is copying into the store to switch to; name another one"
            raise Invalid(message, code="not_empty", field="target", key=EPOCH_KEY) from error

    async def copy(self) -> None:
        """Copy the feed and then all records; what changes meanwhile is left to `catch_up`."""
        async with aclosing(earlier(self._source)) as entries:
            async for some in _groups(entries, COMMITS_AT_ONCE):
                await self._archive(some)
        if self._follows:
            self._forgotten = await horizon(self._source, self._epoch)
            self._behind = await beginning(self._source, self._epoch)
            async for commits in _groups(self._source.feed(self._behind), COMMITS_AT_ONCE):
                await self._remember(commits)
        # One that is deleted and made anew meanwhile comes twice, the second time as it is.
        batch: dict[Key, Put] = {}
        size = 0
        records = self._source.scan(Query(space=None, expired=True))
        try:
            async for record in records:
                if record.key.space == RESERVED:
                    continue
                batch[record.key] = put_of(record)
                size += len(record.body or b"")
                if len(batch) == BATCH_CHANGES or size > BATCH_BYTES:
                    await self._write([*batch.values()])
                    self.records += len(batch)
                    batch, size = {}, 0
        finally:
            await stop(records)
        await self._write([*batch.values()])
        self.records += len(batch)

    async def catch_up(self) -> int:
        """Bring over what was committed since; return how many commits that were."""
        if not self._follows:
            return 0
        count = 0
        async for commits in _groups(self._source.feed(self._behind), COMMITS_AT_ONCE):
            await self._remember(commits)
            changes = {change.key: change.version for row in commits for change in row.changes}
            keys = iter([key for key in changes if key.space != RESERVED])
            while some := list(islice(keys, KEYS_AT_ONCE)):
                await self._equalise(some, changes)
            count += len(commits)
        return count

    async def finish(self, *, doubtful: Collection[str], highest: int) -> Epoch:
        """Bring over the last changes of a source that is no longer written to; return the epoch.

        `doubtful` are recent batches whose outcome no caller was told; `highest` is the greatest
        number that one was. From here on the target is whole.
        """
        # A batch whose caller gave up may still wait inside the source: asking for its answer
        # queues up behind it, so afterwards the feed has told it, or it never happened.
        asked = list(doubtful if self._follows else self._recent)
        answers = await _all(self._ask(id_, self._recent[id_]) for id_ in asked)
        count = await self.catch_up()
        while count:
            count = await self.catch_up()
        await self._archive(
            [
                _entry(applied, batch_id, self._recent[batch_id], self._epoch)
                for batch_id, applied in zip(asked, answers, strict=True)
                if applied is not None and batch_id not in self._archived
            ]
        )
        epoch = Epoch(max(self._highest, highest), self._base, self._forgotten)
        await self._write([epoch.put()])
        return epoch

    async def undo(self) -> None:
        """Leave the target as empty as it was; a target that was not is left alone."""
        if self._begun:
            await self._clear()

    async def _remember(self, commits: Sequence[Commit]) -> None:
        """Keep commits of the source as entries of the target, with the answers to their batches.

        The feed names the keys that had an effect; where these are all, the source is asked with
        them what it answered. Otherwise `recent` may know them all.
        """
        self._behind = commits[-1].seq
        rows = [row for row in commits if is_told(row)]
        keys = [self._keys(row) for row in rows]
        answers = await _all(
            self._ask(row.batch_id, names) for row, names in zip(rows, keys, strict=True)
        )
        entries: list[Entry] = []
        for row, names, applied in zip(rows, keys, answers, strict=True):
            if applied is not None:
                entry = _entry(applied, row.batch_id, names, self._epoch, actor=row.actor)
            else:
                entry = Entry(
                    seq=self._epoch.outward(row.seq),
                    at=row.at,
                    batch_id=row.batch_id,
                    actor=row.actor,
                    keys=tuple(change.key for change in row.changes),
                    versions=tuple(change.version for change in row.changes),
                    previous=None,
                )
            entries.append(entry)
        await self._archive(entries)

    def _keys(self, row: Commit) -> tuple[Key, ...]:
        known = self._recent.get(row.batch_id)
        return tuple(known or (change.key for change in row.changes))

    async def _ask(self, batch_id: str, keys: tuple[Key, ...]) -> Applied | None:
        """Return what the source answered to a batch, or `None` if it cannot say so.

        A batch that it has applied is answered again and changes nothing. To one that it has not,
        these deletes are guards that never hold: they change nothing either.
        """
        probe = Batch(tuple(Delete(key=key, at_most=0) for key in keys), id=batch_id)
        try:
            applied = await self._source.apply(probe)
        except Invalid as error:
            if error.code == "batch_id_reused":
                return None
            raise
        return applied if applied.replayed else None

    async def _archive(self, entries: Sequence[Entry]) -> None:
        """Write entries, each under the id of its batch.

        So the target knows that id too, and a late retry of that batch is not applied anew.
        """
        batches = [Batch((entry.put(),), id=entry.batch_id, actor=ACTOR) for entry in entries]
        answers = await _all(map(self._target.apply, batches))
        for entry, applied in zip(entries, answers, strict=True):
            self._note(applied)
            if applied.replayed:
                # An earlier attempt, undone since, has left the id but no longer the entry.
                await self._write([entry.put()])
            self._archived.add(entry.batch_id)
            self._highest = max(self._highest, entry.seq)
        self.commits += len(entries)

    async def _equalise(self, keys: Sequence[Key], told: Mapping[Key, int]) -> None:
        """Make records of the target equal to those of the source as they are now."""
        ours = await self._source.get(keys)
        theirs = await self._target.get(keys)
        removed: list[Delete] = []
        written: list[Put] = []
        for key, our, their in zip(keys, ours, theirs, strict=True):
            record = our
            if record is None and told[key]:
                record = await self._expired(key)
            if record is None:
                removed.append(Delete(key=key))
            elif record != their:
                # Deleted and made anew, it may have a smaller version than before.
                if their is not None and their.version >= record.version:
                    removed.append(Delete(key=key))
                written.append(put_of(record))
        await self._write(removed)
        size = sum(len(put.body) for put in written)
        for puts in [written] if size <= BATCH_BYTES else [[put] for put in written]:
            await self._write(puts)

    async def _expired(self, key: Key) -> Record | None:
        """Return a record that is there but no longer seen, or `None`."""
        same = (Condition("id", "eq", key.id),)
        query = Query(space=key.space, kinds=(key.kind,), where=same, expired=True)
        found = [record async for record in self._source.scan(query)]
        return found[0] if found else None

    async def _clear(self) -> None:
        """Remove every record of the target; the mark of an unfinished copy goes last."""
        everything = Query(space=None, bodies=False, expired=True)
        records = self._target.scan(everything)
        async for some in _groups(records, BATCH_CHANGES):
            await self._write([Delete(key=r.key) for r in some if r.key != EPOCH_KEY])
        await self._write([Delete(key=EPOCH_KEY)])

    async def _write(self, changes: Sequence[Change]) -> None:
        if changes:
            self._note(await self._target.apply(Batch(tuple(changes), actor=ACTOR)))

    def _note(self, applied: Applied) -> None:
        self._base = max(self._base, applied.seq)


def refuse_less(source: Backend, target: Backend) -> None:
    """Raise `Invalid` where `target` cannot do what programs over `source` may rely on."""
    needed = {Capability.FEED, Capability.TALLY} & source.capabilities
    lacking = sorted(needed - target.capabilities)
    if lacking:
        message = (
            f"the store to switch to has no capability {', '.join(lacking)}, "
            "which the present one has; choose one that has it"
        )
        raise Invalid(message, code="unsupported", field="target", capability=lacking[0])


def put_of(record: Record) -> Put:
    """Return the change that makes an equal record where there is none."""
    return replace(Put.of(record), version=record.version)


def _entry(
    applied: Applied, batch_id: str, keys: Sequence[Key], epoch: Epoch, *, actor: str = ""
) -> Entry:
    return Entry(
        seq=epoch.outward(applied.seq),
        at=applied.at,
        batch_id=batch_id,
        actor=actor,
        keys=tuple(keys),
        versions=applied.versions,
        previous=applied.previous,
    )


async def _all(calls: Iterable[Awaitable[T]]) -> list[T]:
    """Make calls side by side and wait for every one, then raise the first error, if any.

    Whoever cleans up after it meets none that is still under way.
    """
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return cast("list[T]", answers)


async def _groups(items: AsyncIterator[T], size: int) -> AsyncIterator[list[T]]:
    """Go through `items` in lists of up to `size`."""
    group: list[T] = []
    try:
        async for item in items:
            group.append(item)
            if len(group) == size:
                yield group
                group = []
        if group:
            yield group
    finally:
        await stop(items)
