"""A process that watches a store until it is killed, or one that writes what there is to watch.

Run as `python watch_worker.py watch <url>` or `python watch_worker.py write <url> <name>`. Whoever
watches keeps a record for each commit, in the same unit of work as his cursor, and says its number
as a line. Whoever writes says a line for each note, until the end of his input.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

import ropewalk
from ropewalk.domain.interest import Interest

NAME = "watcher"
NOTES = Interest(kinds=("note",))
PAUSE = 0.05
"""Seconds between two notes: the watcher has to keep up in the end."""


async def watch(url: str) -> None:
    """Work through all commits, from where the last one was killed."""
    async with ropewalk.open(url) as storage, storage.consumers.open(NAME, NOTES) as commits:
        async for commit in commits:
            async with storage.unit() as unit:
                await unit.records.save({"type": "seen", "id": f"{commit.seq}", "data": {}})
                await commits.commit(commit.seq, unit=unit)
            print(commit.seq, flush=True)  # noqa: T201 (the pipe says how far it is)


async def write(url: str, name: str) -> None:
    """Write notes until there is no more input."""
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    async with ropewalk.open(url) as storage:
        for number in count():
            await storage.records.save({"type": "note", "id": f"{name}-{number}", "data": {}})
            print(number, flush=True)  # noqa: T201
            await asyncio.sleep(PAUSE)
            if ended.done():
                break


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[2]) if sys.argv[1] == "watch" else write(*sys.argv[2:]))
