"""`look_over`: what is going on in a store, read from the store alone."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from ..domain.errors import NotFound
from ..domain.overview import Behind, Overview
from ..domain.ports import Capability
from ..domain.query import Condition, Query
from ..domain.run import RunStatus

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from ..domain.change import Commit
    from .desk import Desk
    from .feed.consumers import Consumers
    from .leases.held import H
    from .leases.manager import Leases

WINDOW: Final = 60
"""Seconds that commits are counted for."""

_MOST: Final = 2_000
"""Commits that are read for it at most."""

_RUNNING: Final = Condition("labels.status", "eq", RunStatus.RUNNING.value)


async def look_over(
    desk: Desk, *, spaces: Mapping[str, int], leases: Leases[H], consumers: Consumers
) -> Overview:
    """Return figures of one moment: a few short scans, and the newest commits."""
    health = await desk.backend.ping()
    recent = await _recent(desk)
    running = Query(space=desk.space, kinds=("run",), where=(_RUNNING,), bodies=False)
    (runs,) = await desk.backend.tally(running)
    return Overview(
        at=desk.now(),
        health=health.state,
        seq=recent.seq,
        window=WINDOW,
        commits=recent.commits,
        changes=recent.changes,
        more=recent.commits >= _MOST,
        spaces=spaces,
        running=runs.count,
        leases=await leases.list(),
        consumers=tuple(
            Behind(name=each.name, seq=each.seq, commits=max(recent.seq - each.seq, 0))
            for each in await consumers.list()
        ),
        facts=health.facts,
    )


class _Recent:
    """What the newest commits tell."""

    def __init__(self, seq: int, since: int) -> None:
        self.seq = seq
        self.commits = 0
        self.changes = 0
        self._since = since

    def add(self, commit: Commit) -> None:
        """Count a commit, unless it is older."""
        self.seq = max(self.seq, commit.seq)
        if commit.at >= self._since:
            self.commits += 1
            self.changes += len(commit.changes)


async def _recent(desk: Desk) -> _Recent:
    if Capability.FEED not in desk.backend.capabilities:
        return _Recent(0, 0)
    newest = await desk.backend.changed(-1)
    after = max(newest - _MOST, 0)
    while True:
        found = _Recent(newest, desk.clock.now() - WINDOW * 1_000_000)
        try:
            commits = cast("AsyncGenerator[Commit]", desk.backend.feed(after))
            async with aclosing(commits):
                async for commit in commits:
                    found.add(commit)
        except NotFound:
            if not after:
                raise
            # The oldest of them were forgotten: what is kept is newer.
            after = 0
        else:
            return found
