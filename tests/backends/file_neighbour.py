"""Another process at the same file store: it does one thing and tells what came of it."""

from __future__ import annotations

import asyncio
import sys

from ropewalk.backends.file import FileBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Conflict
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key

COUNTER = Key("shared", "count", "counter")
LEFT, RIGHT = Key("shared", "pair", "left"), Key("shared", "pair", "right")


async def count(backend: FileBackend, times: int) -> None:
    """Add one to the counter, as often as asked, each time to the version that was read."""
    while times:
        (record,) = await backend.get([COUNTER])
        total = 0 if record is None else int(record.body or b"")
        version = 0 if record is None else record.version
        change = Put(key=COUNTER, body=b"%d" % (total + 1), expect=version)
        try:
            await backend.apply(Batch((change,)))
        except Conflict:
            continue
        times -= 1


async def turn_over(backend: FileBackend, times: int) -> None:
    """Write two records together, with equal bodies, as often as asked."""
    for n in range(times):
        body = b"%d" % n * (n % 7 * 1_000 + 1)
        labels = {"n": n}
        pair = (Put(key=LEFT, body=body, labels=labels), Put(key=RIGHT, body=body, labels=labels))
        await backend.apply(Batch(pair))


async def compare(backend: FileBackend, times: int) -> None:
    """Read the two, by get, scan and tally, and find them equal, as often as asked."""
    query = Query(space="shared", kinds=("pair",))
    for _ in range(times):
        left, right = await backend.get([LEFT, RIGHT])
        if left is None or right is None:
            continue
        assert (left.body, left.version) == (right.body, right.version)
        one, two = [record async for record in backend.scan(query)]
        assert (one.body, one.labels) == (two.body, two.labels)
        (tally,) = await backend.tally(query, ("n",))
        assert (2, 0) == (tally.count, int(tally.sums[0]) % 2)


async def main(root: str, work: str, times: int) -> None:
    """Do what was asked, and say so."""
    backend = FileBackend(root, clock=SystemClock())
    await backend.open()
    sys.stdout.write("open\n")
    sys.stdout.flush()
    await {"count": count, "turn_over": turn_over, "compare": compare}[work](backend, times)
    await backend.close()
    sys.stdout.write("done\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
