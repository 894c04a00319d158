"""A process that writes batches into a SQLite store until it is killed, and says what was kept.

Run as `python sqlite_writer.py <path> <writer> <first>`. Each of its tasks writes batch after
batch: three records that always carry one number, a new record of that number, and one record that
all tasks of all processes write. Only after a batch was acknowledged its name goes out as a line.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.record import Key

TASKS = 4


async def _write_on(store: SqliteBackend, name: str, first: int) -> None:
    for number in count(first):
        keys = [Key("crash", "part", f"{name}-{part}") for part in "abc"]
        keys += [Key("crash", "mark", f"{name}-{number}"), Key("crash", "shared", "all")]
        body = f"{number}".encode() * 50
        changes = tuple(Put(key=key, body=body, labels={"number": number}) for key in keys)
        batch = Batch(changes, id=f"{name}-{number}", actor=name)
        await store.apply(batch)
        print(batch.id, flush=True)  # noqa: T201 (the pipe is the proof of what was acknowledged)


async def main() -> None:
    """Write until the end, which comes from outside."""
    path, writer, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
    store = SqliteBackend(path, clock=SystemClock())
    await store.open()
    await asyncio.gather(*[_write_on(store, f"{writer}{task}", first) for task in range(TASKS)])


if __name__ == "__main__":
    asyncio.run(main())
