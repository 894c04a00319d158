"""`Retention`: forget commits that are old enough, and that every consumer is done with."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast

from ...domain.consumer import CONSUMER
from ...domain.errors import Invalid, RopewalkError
from ...domain.limits import check_int64
from ...domain.moment import from_micros
from ...domain.ports import Capability, require
from ...domain.query import Query
from ...domain.retention import Trimmed
from ...domain.span import span
from ...stores.consumers import consumer_of
from ..sharing.reach import Reach
from ..sharing.refusal import no_manager

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from datetime import datetime

    from ...domain.change import Commit
    from ..desk import Desk

LOGGER: Final = logging.getLogger("ropewalk.retention")

YOUNGEST: Final = timedelta(hours=1)
"""What is younger stays, unless it is forced."""

EVERY: Final = 600.0
"""Seconds between two looks of the automatic."""


class Retention:
    """How long the log of commits goes back; what has been committed stays, of course.

    The log is of all spaces together, so only the opener of the store may shorten it.
    """

    def __init__(self, desk: Desk, *, reach: Reach) -> None:
        """Work at `desk`, the whole store's."""
        self._desk = desk
        self._reach = reach

    async def trim(
        self,
        *,
        keep: timedelta | str | None = None,
        keep_commits: int | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> Trimmed:
        """Forget commits that are older than `keep` (`"7d"`) and not among the last `keep_commits`.

        Never the newest; nothing of the last hour, and nothing that a consumer of any space has
        not acknowledged, unless `force`. With `dry_run` it only says what would go. Reads the log
        up to what stays, with `keep_commits` all of it. A batch that is sent again after its
        commit is forgotten is done again, so keep more than a retry may take. Raises `Invalid`
        where nothing is said to be kept, and `Denied` on a confined handle.
        """
        if self._reach is not Reach.STORE:
            raise no_manager("forgetting commits")
        require(self._desk.backend, Capability.FEED)
        plan = await self._plan(_age(keep, keep_commits, force=force), keep_commits, force=force)
        if dry_run or not plan.commits:
            return plan.told(dry_run=dry_run)
        plan.commits = await self._desk.backend.trim(plan.before)
        return plan.told(dry_run=False)

    async def _plan(self, age: timedelta, keep_commits: int | None, *, force: bool) -> _Plan:
        cursors = {} if force else await self._cursors()
        end = min(cursors.values()) + 1 if cursors else None
        cutoff = self._desk.clock.now() - age // timedelta(microseconds=1)
        plan = _Plan()
        last: deque[tuple[int, int]] = deque(maxlen=keep_commits or 0)
        total, stopped = 0, False
        async with aclosing(cast("AsyncGenerator[Commit]", self._desk.backend.feed())) as commits:
            async for commit in commits:
                total += 1
                last.append((commit.seq, commit.at))
                if not stopped:
                    plan.before, plan.oldest_at, plan.commits = commit.seq, commit.at, total - 1
                    is_held = end is not None and commit.seq >= end
                    stopped = is_held or commit.at >= cutoff
                    if is_held and commit.at < cutoff:
                        plan.held_by = _slowest(cursors)
                if stopped and keep_commits is None:
                    break
        if keep_commits is not None and total - keep_commits < plan.commits:
            plan.commits = max(total - keep_commits, 0)
            plan.before, plan.oldest_at = last[0] if last else (0, None)
            plan.held_by = ()
        return plan

    async def _cursors(self) -> dict[str, int]:
        everywhere = Query(space=None, kinds=(CONSUMER,), bodies=False)
        found: dict[str, int] = {}
        async for record in self._desk.backend.scan(everywhere):
            found[f"{record.key.space}/{record.key.id}"] = consumer_of(record).seq
        return found


class RetentionTask:
    """Shorten the log by itself, every ten minutes, while the store is open.

    What goes wrong is logged as a warning, and tried again at the next turn.
    """

    def __init__(self, retention: Retention, keep: timedelta) -> None:
        """Keep commits for so long."""
        self._retention = retention
        self._keep = keep
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the event loop of whoever opens the store."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End it; commits that are being forgotten are forgotten, or not."""
        task, self._task = self._task, None
        if task is None:
            return
        loop = task.get_loop()
        if loop is asyncio.get_running_loop():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    async def _run(self) -> None:
        while True:
            await self.turn()
            await asyncio.sleep(EVERY)

    async def turn(self) -> None:
        """Forget what is old enough now."""
        try:
            done = await self._retention.trim(keep=self._keep)
        except RopewalkError as error:
            LOGGER.warning("the log of commits was not shortened: %s", error)
        else:
            LOGGER.debug("%d commits forgotten", done.commits)


@dataclass(slots=True)
class _Plan:
    """Which commits are to go, while that is found out; times in microseconds."""

    before: int = 0
    commits: int = 0
    oldest_at: int | None = None
    held_by: tuple[str, ...] = field(default=())

    def told(self, *, dry_run: bool) -> Trimmed:
        oldest: datetime | None = None
        if self.oldest_at is not None:
            oldest = from_micros(self.oldest_at)
        return Trimmed(
            before=self.before,
            commits=self.commits,
            dry_run=dry_run,
            oldest_at=oldest,
            held_by=self.held_by,
        )


def _slowest(cursors: Mapping[str, int]) -> tuple[str, ...]:
    slowest = min(cursors.values())
    return tuple(sorted(name for name, seq in cursors.items() if seq == slowest))


def _age(keep: timedelta | str | None, keep_commits: int | None, *, force: bool) -> timedelta:
    """Return how old a commit must be to be forgotten."""
    if keep is None and keep_commits is None:
        message = 'say what to keep: trim(keep="7d"), trim(keep_commits=100_000), or both'
        raise Invalid(message, code="missing", field="keep")
    if keep_commits is not None and check_int64(keep_commits, field="keep_commits") < 1:
        message = f"keep_commits must be 1 or more, not {keep_commits}: the newest always stays"
        raise Invalid(message, code="bad_limit", field="keep_commits")
    age = span(keep, field="keep") if isinstance(keep, str) else keep or timedelta()
    if age < timedelta():
        message = f"keep must not be negative: {age}"
        raise Invalid(message, code="bad_span", field="keep")
    return age if force else max(age, YOUNGEST)
