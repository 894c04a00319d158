"""`Following`: keep a copy as its source is, commit by commit, behind the run that made it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ...domain.change import Batch, Delete
from ...domain.errors import Conflict, NotFound
from ...domain.leaning import DICTIONARY
from ...domain.migration import Followed, OnConflict
from ...domain.record import Key
from ...domain.source import Note
from ..checkpoints.saver import wait_after
from ..modules import Modules
from .engine import ATTEMPTS, check_alone
from .journal import KEPT
from .judging import STAMPS, Judging
from .ledger import Ledger
from .reading import Reading
from .writing import Writing, is_wanted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ...domain.change import Change, Commit
    from ...domain.record import Record
    from ...domain.source import Followable, SourceRecord
    from ..desk import Desk
    from .account import Account
    from .journal import Journal, Known, RunState

T = TypeVar("T")

TRIMMED: Final = "trimmed"
"""The code of what is raised where commits are missing that cannot be had any more."""

_STRIDE: Final = 1_000
"""So many numbers that were for others are noted by themselves."""

_FETCH: Final = 64
_FULL_BYTES: Final = 8 * 1024 * 1024
_LOOKS: Final = 4


@dataclass(slots=True)
class _Group:
    """Commits that are applied together: what they touched, and the version since each."""

    last: int
    commits: int = 0
    at: int | None = None
    versions: dict[Key, int] = field(default_factory=dict[Key, int])
    gone: dict[Key, None] = field(default_factory=dict[Key, None])

    def add(self, commit: Commit) -> None:
        """Put the next commit to it."""
        self.last = commit.seq
        self.at = commit.at
        self.commits += 1
        for change in commit.changes:
            self.versions[change.key] = change.version
            if not change.version:
                self.gone[change.key] = None


class Following:
    """Applies groups of commits: as many as make a batch, read as the records are by then."""

    def __init__(self, desk: Desk, journal: Journal, state: RunState, account: Account) -> None:
        """Write at `desk`, going on behind the position of `state`."""
        plan = state.plan
        self._desk = desk
        self._journal = journal
        self._account = account
        self._plan = plan
        self._ledger = Ledger(desk.backend, journal, state, account.told)
        self._writing = Writing(desk)
        self._judging = Judging(
            desk,
            journal,
            plan,
            Reading(desk, Modules(desk)),
            self._writing,
            run=state.id,
            since_last=False,
        )

    async def follow(self, source: Followable) -> AsyncGenerator[Followed, None]:
        """Apply what is committed, for ever; tell after each group how far it is.

        Raises `NotFound` with the code `trimmed` where commits are missing.
        """
        position = self._ledger.state.position or 0
        newest = await source.changed(-1)
        if newest < position:
            message = f"the source was at commit {position}, and is at {newest}: it is an older one"
            raise NotFound(message, code=TRIMMED)
        yield self._told(_Group(position), newest, records=0)
        while True:
            newest = await source.changed(position)
            while position < newest:
                group = _Group(position)
                if not await self._gather(source, group):
                    group.last = max(group.last, newest)
                records = await self._apply(source, group)
                position = group.last
                yield self._told(group, max(newest, position), records=records)

    def _told(self, group: _Group, newest: int, *, records: int) -> Followed:
        lag = 0 if group.at is None else max(self._desk.clock.now() - group.at, 0)
        return Followed(
            run=self._ledger.state.id,
            position=group.last,
            newest=newest,
            commits=group.commits,
            records=records,
            lag=lag,
        )

    async def _gather(self, source: Followable, group: _Group) -> bool:
        """Read commits behind a group until it is full; return whether there may be more."""
        full = len(group.versions) + self._plan.batch
        commits = cast("AsyncGenerator[Commit, None]", source.commits(group.last))
        async with aclosing(commits):
            async for commit in commits:
                group.add(commit)
                if len(group.versions) >= full:
                    return True
        return False

    async def _apply(self, source: Followable, group: _Group) -> int:
        """Do in the target what the commits did; return how many records that were."""
        if not group.versions:
            noted = self._ledger.state.position or 0
            if group.last - noted >= _STRIDE:
                self._ledger.position = group.last
                await self._ledger.advance(self._desk.actor)
            return 0
        await self._close(source, group)
        left = [key for key in group.versions if group.versions[key]]
        left.sort(key=_needs_others)
        before = self._account.done
        gone = list(group.gone)
        removed = 0
        for start in range(0, len(gone), self._plan.batch):
            part = gone[start : start + self._plan.batch]
            is_last = not left and start + len(part) == len(gone)
            position = group.last if is_last else None
            removed += await self._insist(partial(self._take_away, part, position=position))
        if left:
            await self._bring(source, left, position=group.last)
        return removed + self._account.done - before

    async def _close(self, source: Followable, group: _Group) -> None:
        """Take more commits into a group until its records are as its last commit left them."""
        for _ in range(_LOOKS):
            keys = list(group.versions)
            found = await source.current(keys, bodies=False)
            if all(
                group.versions[key] == (0 if item is None else item.record.version)
                for key, item in zip(keys, found, strict=True)
            ):
                return
            if await self._gather(source, group):
                return  # far behind: the groups that come put it right

    async def _take_away(self, keys: Sequence[Key], *, position: int | None) -> int:
        """Remove what was removed, also where it was made anew since: versions begin again then."""
        named = [(key.kind, key.id) for key in keys]
        own = [Key(self._desk.space, key.kind, key.id) for key in keys]
        known = await self._journal.known(self._plan.name, named)
        there = await self._desk.backend.get(own, bodies=False)
        changes: list[Change] = []
        dropped: list[Known] = []
        for one, record in zip(known, there, strict=True):
            if record is not None and not self._may_remove(one, record):
                continue
            if one is not None:
                dropped.append(one)
            if record is not None:
                changes.append(Delete(key=record.key, expect=record.version))
        ledger = self._ledger
        ledger.notes, ledger.dropped, ledger.dates = {}, dropped, {}
        ledger.position = position or ledger.position
        try:
            if changes:
                await ledger.apply(Batch(tuple(changes), actor=self._desk.actor))
            elif dropped:
                await ledger.flush(self._desk.actor)
            elif position is not None:
                await ledger.advance(self._desk.actor)
        finally:
            ledger.dropped = ()
        for change in changes:
            self._account.count("removed", change.key.kind)
        return len(changes)

    def _may_remove(self, known: Known | None, record: Record) -> bool:
        """Tell whether a record is what was copied; raise `Conflict` where the plan says so."""
        key = record.key
        if key.kind in STAMPS or (
            known is not None and known.how != KEPT and known.version == record.version
        ):
            return True
        if self._plan.on_conflict is OnConflict.OVERWRITE:
            return True
        reason = f"{key} is gone from the source, and was changed in the target since it was copied"
        if self._plan.on_conflict is OnConflict.FAIL:
            message = f"{reason}: say what to do (on_conflict), and let nobody else write there"
            raise Conflict(message, code="exists_in_target", key=key)
        self._account.note(Note(code="changed_since", place=str(key), reason=reason, kind=key.kind))
        return False

    async def _bring(self, source: Followable, keys: Sequence[Key], *, position: int) -> None:
        """Write records as they are now; with the last of them, how far it is."""
        waiting: list[SourceRecord] = []
        size = 0
        for start in range(0, len(keys), _FETCH):
            for item in await source.current(keys[start : start + _FETCH]):
                if item is None or not is_wanted(self._plan, item):
                    continue
                is_full = size >= _FULL_BYTES or len(waiting) >= self._plan.batch
                if waiting and (is_full or _needs_others(item) > _needs_others(waiting[-1])):
                    await self._insist(partial(self._write, waiting, position=None))
                    waiting, size = [], 0
                waiting.append(item)
                size += len(item.record.body or b"")
        await self._insist(partial(self._write, waiting, position=position))

    async def _write(self, items: Sequence[SourceRecord], *, position: int | None) -> None:
        ledger = self._ledger
        judged = await self._judging.judge(items)
        chosen = [choice for choice, is_new in judged if is_new]
        ledger.position = position or ledger.position
        if chosen:
            await self._writing.write(ledger, chosen)
        elif position is not None:
            await ledger.advance(self._desk.actor)
        for choice, _ in judged:
            self._account.settle(choice.how, choice.item.kind)

    async def _insist(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do it again where somebody else changed a record just then."""
        for attempt in range(1, ATTEMPTS):
            try:
                return await work()
            except Conflict as error:
                check_alone(self._journal, self._ledger.state, error)
            await wait_after(attempt)
        return await work()


def _needs_others(item: Key | SourceRecord) -> bool:
    """Tell apart what bodies may lean on: it is written before them."""
    return item.kind != DICTIONARY
