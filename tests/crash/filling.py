"""Fill a small disk with pairs of records, in a process of its own, and find nothing half."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key

from ..forked import run_forked

ROOT: Final = Path(__file__).resolve().parents[2]


@contextmanager
def small_disk(folder: Path) -> Generator[bool]:
    """Mount a disk of one megabyte; tell whether this user and machine could."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def run(module: str, *arguments: str) -> None:
    """Let another process do the work, which must end well."""
    process = run_forked(["-m", module, *arguments], cwd=ROOT)
    assert (0, "done\n", "") == (process.returncode, process.stdout, process.stderr)


def key(side: str, number: int) -> Key:
    """Return the key of one record of a pair."""
    return Key("full", side, f"{number:05}")


def pair(number: int, size: int) -> Batch:
    """Return a batch of two records that belong together."""
    body = bytes([number % 251]) * size
    changes = tuple(Put(key=key(side, number), body=body) for side in ("left", "right"))
    return Batch(changes, id=f"pair-{number}-{size}")


async def check(store: Backend, numbers: set[int]) -> None:
    """Compare what is there with the pairs that must be there."""
    found: dict[str, dict[int, bytes | None]] = {"left": {}, "right": {}}
    async for record in store.scan(Query(space="full")):
        found[record.key.kind][int(record.key.id)] = record.body
    assert found["left"] == found["right"]
    assert numbers == set(found["left"]), numbers ^ set(found["left"])


async def fill(store: Backend, numbers: set[int], size: int) -> Unavailable:
    """Write pairs until there is no room; return what was said then."""
    while True:
        number = max(numbers, default=0) + 1
        try:
            await store.apply(pair(number, size))
        except Unavailable as error:
            return error
        numbers.add(number)
        assert number < 10_000, "the disk is never full"
