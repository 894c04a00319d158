"""Where the time goes on one path: `python -m benchmarks.profiling PATH [--tasks 100]`.

cProfile runs in the loop's thread, and on Python 3.11 in every thread that the store starts. It
makes calls of little functions look dearer than they are: compare lines, not seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias, cast

import ropewalk

from . import conversations, slicing
from .keepers import Records
from .paths import Work, documents
from .tables import number, table
from .text import Writer
from .workloads import SEED

_HOME: Final = Path(ropewalk.__file__).parent
_DOCUMENTS: Final = 1_000
_LINES: Final = 25
_SECOND: Final = 1 << 40
"""Where the numbers of calls begin that are measured: none has been there before."""
_DEPTH: Final = 2
_WAITS: Final = (
    "'get' of '_queue.SimpleQueue'",
    "'poll' of 'select.epoll'",
    "'control' of 'select.kqueue'",
    "'acquire' of '_thread",
    "time.sleep",
)

_Where: TypeAlias = tuple[str, int, str]
_Times: TypeAlias = tuple[int, int, float, float, object]
"""What pstats keeps of a function: calls, first calls, seconds in itself, with what it calls."""


class Profiles:
    """A profile of this thread from `begin` on, and of those that begin while it is entered."""

    def __init__(self) -> None:
        """Begin off."""
        self._own = cProfile.Profile()
        self._others: list[cProfile.Profile] = []

    def __enter__(self) -> None:
        """Profile the threads that begin from here on."""
        # Since 3.12 one profile at a time is allowed in a process.
        if sys.version_info < (3, 12):
            threading.setprofile(self._join)

    def begin(self) -> None:
        """Profile this thread from here on."""
        self._own.enable()

    def __exit__(self, *_: object) -> None:
        """Stop; the threads that began meanwhile must have ended."""
        self._own.disable()
        threading.setprofile(cast("Callable[..., object]", None))

    def stats(self) -> Mapping[_Where, _Times]:
        """Return the times of every function, of all threads together."""
        found = pstats.Stats(self._own)
        for other in self._others:
            found.add(pstats.Stats(other))
        return cast("Mapping[_Where, _Times]", vars(found)["stats"])

    def _join(self, *_: object) -> None:
        profile = cProfile.Profile()
        self._others.append(profile)
        # From its first event on the thread goes on with a profile of its own.
        profile.enable()


async def run(
    path: str, *, tasks: int, seconds: float, sync: str, profiles: Profiles, file: Path
) -> float:
    """Saturate one path and return calls a second.

    In this thread nothing is profiled that happens only at first. The threads of a store begin
    when it is opened, and end when it is closed: they are profiled all the while.
    """

    async def saturated(call: Callable[[int, int], Awaitable[None]]) -> float:
        lane = slicing.Tasks((path,), call, tasks)
        await lane.slice(0, seconds / 10)
        profiles.begin()
        return (await lane.slice(_SECOND, seconds)).rate

    if path in {conversations.MESSAGE, conversations.STATE}:
        talker = conversations.ropewalk_talker(path, Writer(SEED).messages(_DOCUMENTS))
        with profiles:
            await talker.open(file, sync, tasks)
            rate = await saturated(talker.call)
            await talker.close()
        return rate
    work, keeper = Work(documents(_DOCUMENTS)), Records(f"sqlite:///{file}?sync={sync}")
    with profiles:
        await keeper.open(work.given)
        rate = await saturated(work.tasks(path, keeper))
        await keeper.close()
    return rate


def report(stats: Mapping[_Where, _Times]) -> str:
    """Return two tables: shares of the time by room, and the functions that take most of it.

    What threads spend waiting for something to do is left out.
    """
    stats = {where: times for where, times in stats.items() if not _waits(where)}
    whole = sum(times[2] for times in stats.values())
    rooms: dict[str, float] = defaultdict(float)
    for where, times in stats.items():
        rooms[_room(where)] += times[2]
    by_room = [
        [room, f"{100 * spent / whole:.1f}"]
        for room, spent in sorted(rooms.items(), key=lambda each: -each[1])
        if spent > whole / 200
    ]
    longest = sorted(stats.items(), key=lambda each: -each[1][2])[:_LINES]
    by_function = [
        [
            f"{_room(where)}: {where[2]}, line {where[1]}",
            f"{times[1]:,}",
            f"{100 * times[2] / whole:.1f}",
            number(1e6 * times[2] / times[1]),
        ]
        for where, times in longest
    ]
    head = ("function", "calls", "% in itself", "µs in itself")
    return f"{table(('where', '% of the time'), by_room)}\n\n{table(head, by_function)}"


def _waits(where: _Where) -> bool:
    return where[0] == "~" and any(name in where[2] for name in _WAITS)


def _room(where: _Where) -> str:
    """Return the room and file of ours, the package of others, or what is built in."""
    path = Path(where[0])
    if path.is_relative_to(_HOME):
        return "/".join((*path.relative_to(_HOME).parts[:-1][:_DEPTH], path.stem))
    if where[0] == "~":
        text = where[2]
        known = ("apsw", "zstandard", "ormsgpack")
        return next((f"built in: {name}" for name in known if name in text), "built in")
    return "asyncio" if "asyncio" in path.parts else path.stem


def main() -> int:
    """Profile what was asked for, and print where its time went."""
    parser = argparse.ArgumentParser(prog="benchmarks.profiling", description=__doc__)
    paths = ("load", "list", "save", conversations.MESSAGE, conversations.STATE)
    parser.add_argument("path", choices=paths, nargs="?", default="save", help="what is called")
    parser.add_argument("--tasks", type=int, default=100, help="how many at once")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long")
    parser.add_argument("--sync", choices=("normal", "full"), default="normal")
    given = parser.parse_args()
    profiles = Profiles()
    with tempfile.TemporaryDirectory() as folder:
        rate = asyncio.run(
            run(
                given.path,
                tasks=given.tasks,
                seconds=given.seconds,
                sync=given.sync,
                profiles=profiles,
                file=Path(folder) / "store.db",
            )
        )
    print(f"{given.path}: {number(rate)} calls a second under the profiler\n")
    print(report(profiles.stats()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
