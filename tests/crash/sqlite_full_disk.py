"""Fill a disk with an SQLite store, find nothing half, make room, and go on with the same store.

`disk FOLDER` fills the file system that the folder is on. `limit FOLDER` lets no file of this
process grow beyond a limit of the system, and lifts that limit.
"""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.health import State

from .filling import check, fill, pair

BALLAST = 300_000
LIMIT = 200_000
SIZES = (20_000, 3_000, 1)


async def go_through(path: Path, code: str, cure: str, *, make_room: bool) -> None:
    """Fill the store, read on, let room be made, go on with it, and open it anew."""
    ballast = path.with_name("ballast")
    if make_room:
        ballast.write_bytes(bytes(BALLAST))
    store = SqliteBackend(path, clock=FrozenClock(), verify=True)
    await store.open()
    numbers: set[int] = set()
    for size in SIZES:
        error = await fill(store, numbers, size)
        assert (code, True) == (error.code, cure in error.message), error
        await check(store, numbers)
    if make_room:
        health = await store.ping()
        assert State.DEGRADED is health.state
        assert any("make room" in reason for reason in health.reasons)
        ballast.unlink()
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    # What was refused goes through now, once, under the same id.
    refused = pair(max(numbers) + 1, SIZES[-1])
    assert not (await store.apply(refused)).replayed
    numbers.add(max(numbers) + 1)
    await check(store, numbers)
    await store.close()
    await store.open()
    await check(store, numbers)
    assert (await store.apply(refused)).replayed
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        assert [("ok",)] == connection.execute("pragma integrity_check").fetchall()


async def main(way: str, folder: Path) -> None:
    """Go one of the two ways."""
    if way == "disk":
        await go_through(folder / "store.db", "full", "make room", make_room=True)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))
        await go_through(folder / "store.db", "io", "check the disk", make_room=False)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
    sys.stdout.write("done\n")
