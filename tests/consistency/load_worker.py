"""A process that puts random load on a store and writes down what it did, until it is killed.

Run as `python load_worker.py <url> <tape> <name> <begin> <stop>`: it works until the file `stop` is
there; `begin` is in nanoseconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ropewalk.backends.file import FileBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.ports import Backend
from ropewalk.testing.load import put_load
from ropewalk.testing.recording import Tape

TASKS = 3


def make(url: str) -> Backend:
    """Make the back end of a URL."""
    if url.startswith("file:"):
        return FileBackend.from_url(url, clock=SystemClock())
    return SqliteBackend.from_url(url, clock=SystemClock())


async def main(url: str, tape: Path, name: str, *, begin: int, stop: Path) -> None:
    """Work until the end."""
    backend = make(url)
    await backend.open()
    try:
        with tape.open("a", encoding="utf-8") as file:
            await put_load(
                backend, Tape(file), name=name, tasks=TASKS, begin=begin, is_over=stop.exists
            )
    finally:
        await backend.close()


if __name__ == "__main__":
    _, url, tape, name, begin, stop = sys.argv
    asyncio.run(main(url, Path(tape), name, begin=int(begin), stop=Path(stop)))
