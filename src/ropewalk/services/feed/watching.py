"""`Watcher`: go through the commits of a space as they are made, without an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self, cast

from ...domain.consumer import CONSUMER
from ...domain.errors import Invalid
from ...domain.limits import check_int64
from ...domain.ports import Capability, require
from ..sharing.coverage import APART, KEYED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from ...domain.change import Commit
    from ...domain.interest import Interest
    from ...domain.record import Key, Record
    from ..desk import Desk

_SESSION: Final = "session"
_THREAD: Final = "thread"
_ORPHANS: Final = APART | KEYED
"""Kinds whose records belong to no session: what is gone of them was of none."""


class Watcher:
    """Each commit that somebody is interested in, exactly once, in the order of the numbers.

    Reads no further than it is asked to: whoever takes his time makes nobody wait, and needs no
    memory. A call that is cancelled or fails loses nothing; the next one goes on. It ends when it
    is closed, and raises `Unavailable` when the store is. Not for two tasks at once, but any task
    may close it.
    """

    def __init__(
        self,
        desk: Desk,
        interest: Interest,
        *,
        after: int | None,
        passed: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Begin behind the commit `after`, or where it is `None`, with what comes from now on.

        `passed` is told up to where everything was looked at, before anything is waited for.
        """
        self._desk = desk
        self._interest = interest
        self._position = None if after is None else check_int64(after, field="after")
        self._passed = passed
        self._commits: AsyncIterator[Commit] | None = None
        self._newest = 0
        self._is_closed = False
        self._closing: asyncio.Future[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def position(self) -> int | None:
        """Behind which number to go on elsewhere; `None` before it began with "from now on"."""
        return self._position

    async def begin(self) -> int:
        """Fix where it begins, as entering the block and the first commit do; return that."""
        if self._position is None:
            require(self._desk.backend, Capability.FEED)
            self._position = await self._desk.backend.changed(-1)
        return self._position

    async def aclose(self) -> None:
        """End it, for whoever waits for the next commit as well; closing twice is no error."""
        self._is_closed = True
        if self._closing is not None and not self._closing.done():
            self._closing.set_result(None)
        await self._idle.wait()
        await self._drop()

    async def __aenter__(self) -> Self:
        """Begin."""
        await self.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        await self.aclose()

    def __aiter__(self) -> Self:
        """Go through the commits."""
        return self

    async def __anext__(self) -> Commit:
        """Return the next commit, as soon as there is one."""
        if not self._idle.is_set():
            message = "another task waits for the next commit of this watcher: begin one for each"
            raise Invalid(message, code="busy")
        self._idle.clear()
        try:
            return await self._next(await self.begin())
        except BaseException:
            # What was read ahead is read again: nothing is lost by it.
            await self._drop()
            raise
        finally:
            self._idle.set()

    async def _next(self, position: int) -> Commit:
        while not self._is_closed:
            if self._commits is None:
                await self._wait(position)
                continue
            commit = await anext(self._commits, None)
            if commit is None:
                self._commits = None
                # All up to here has been looked at, whether it was for this space or not.
                position = self._position = max(position, self._newest)
                if self._passed is not None:
                    await self._passed(position)
            elif commit.seq > position:
                told = await wanted(self._desk, self._interest, commit)
                position = self._position = commit.seq
                if told is not None:
                    return told
        raise StopAsyncIteration

    async def _wait(self, position: int) -> None:
        """Wait until there is more to read, or until it is closed."""
        changed = asyncio.ensure_future(self._desk.backend.changed(position))
        self._closing = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait((changed, self._closing), return_when=asyncio.FIRST_COMPLETED)
            if changed.done():
                self._newest = changed.result()
                self._commits = self._desk.backend.feed(position)
        finally:
            self._closing = None
            if not changed.done():
                changed.cancel()
                await asyncio.gather(changed, return_exceptions=True)

    async def _drop(self) -> None:
        commits, self._commits = self._commits, None
        if isinstance(commits, AsyncGenerator):
            await cast("AsyncGenerator[Commit]", commits).aclose()


async def wanted(desk: Desk, interest: Interest, commit: Commit) -> Commit | None:
    """Return a commit with those changes to the desk's space that somebody wants to be told.

    `None` where there are none.
    """
    if not interest.wants_actor(commit.actor):
        return None
    changes = [change for change in commit.changes if _is_wanted(desk, interest, change.key)]
    if changes and interest.in_family:
        records = await desk.backend.get([change.key for change in changes], bodies=False)
        changes = [
            change
            for change, record in zip(changes, records, strict=True)
            if _is_of_family(interest, change.key, record)
        ]
    if not changes:
        return None
    if len(changes) == len(commit.changes):
        return commit
    return replace(commit, changes=tuple(changes))


def _is_wanted(desk: Desk, interest: Interest, key: Key) -> bool:
    if key.space != desk.space or not interest.wants_key(key):
        return False
    # Where consumers stand is nobody's business, or they would all wake each other.
    return key.kind != CONSUMER or CONSUMER in interest.kinds


def _is_of_family(interest: Interest, key: Key, record: Record | None) -> bool:
    """Tell whether a record has the parents that are wanted, or is gone and may have had them."""
    if record is None and key.kind in _ORPHANS:
        return False
    parents = (
        (_SESSION, interest.session_id, record and record.session_id),
        (_THREAD, interest.thread_id, record and record.thread_id),
    )
    return all(
        asked is None
        or (asked == key.id if key.kind == kind else record is None or asked == parent)
        for kind, asked, parent in parents
    )
