"""Fill a disk with a file store, find nothing half, make room, and go on.

`disk ROOT` fills the file system that ROOT is on, and deletes records to make room. `limit ROOT`
lets no file of this process grow beyond a limit of the system, and lifts that limit.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from ropewalk.backends.file import FileBackend
from ropewalk.domain.change import Batch, Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.health import State

from ..crash.filling import check, fill, key, pair

SIZE = 10_000
LIMIT = 30_000


async def on_a_small_disk(root: str) -> None:
    """Fill it to the last byte, read on, make room in two ways, and open it anew."""
    ballast = Path(root).with_name("ballast")
    ballast.write_bytes(bytes(200_000))
    backend = FileBackend(root, clock=FrozenClock())
    await backend.open()
    numbers: set[int] = set()
    for size in (SIZE, 300, 1):
        error = await fill(backend, numbers, size)
        assert ("disk_full", "ENOSPC") == (error.code, error.facts["errno"])
        assert "no room left" in error.message
        await check(backend, numbers)
    health = await backend.ping()
    assert State.DEGRADED is health.state
    assert any("nearly full" in reason for reason in health.reasons)
    ballast.unlink()
    again = pair(max(numbers) + 1, SIZE)
    await backend.apply(again)
    numbers.add(max(numbers) + 1)
    await fill(backend, numbers, SIZE)
    for number in sorted(numbers)[:5]:
        await backend.apply(Batch(tuple(Delete(key=key(s, number)) for s in ("left", "right"))))
        numbers.remove(number)
    await fill(backend, numbers, SIZE)
    await check(backend, numbers)
    await backend.close()
    await backend.open()
    await check(backend, numbers)
    assert (await backend.apply(again)).replayed
    await backend.close()


async def with_short_files(root: str) -> None:
    """Meet the limit with the journal, the feed and a record, and go on when it is lifted."""
    backend = FileBackend(root, clock=FrozenClock())
    await backend.open()
    numbers: set[int] = set()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    # The journal comes to the limit again and again, and is emptied each time.
    for number in range(1, 31):
        await backend.apply(pair(number, SIZE))
        numbers.add(number)
    error = await fill(backend, numbers, LIMIT)
    assert ("disk_full", "EFBIG") == (error.code, error.facts["errno"])
    await check(backend, numbers)
    error = await fill(backend, numbers, 1)
    assert ("disk_full", "commits.jsonl") == (error.code, error.facts["path"])
    await check(backend, numbers)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await backend.apply(pair(max(numbers) + 1, 1))
    await check(backend, numbers | {max(numbers) + 1})
    assert State.HEALTHY is (await backend.ping()).state
    await backend.close()


if __name__ == "__main__":
    asyncio.run({"disk": on_a_small_disk, "limit": with_short_files}[sys.argv[1]](sys.argv[2]))
    sys.stdout.write("done\n")
