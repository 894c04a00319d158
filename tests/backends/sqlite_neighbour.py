"""Another process on the same SQLite file: it does what its command line says, and says when.

Run as `python sqlite_neighbour.py <what> <path> <number>`.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import warnings
from contextlib import closing

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Conflict, Unavailable
from ropewalk.domain.record import Key

COUNTER = Key("lab", "note", "counter")


def _say(word: str) -> None:
    print(word, flush=True)  # noqa: T201 (the pipe is how processes talk here)


def _heard() -> str:
    return sys.stdin.readline().strip()


def lock(path: str) -> None:
    """Keep the file locked for writing until told to let go."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as connection:
        connection.execute("begin immediate")
        _say("locked")
        _heard()
        connection.execute("rollback")


async def create(path: str, number: int) -> None:
    """Open a store at the same moment as others do, and write one record."""
    store = SqliteBackend(path, clock=SystemClock())
    _say("ready")
    _heard()
    await store.open()
    await store.apply(Batch((Put(key=Key("lab", "note", f"by-{number}"), expect=0),)))
    await store.close()


async def count(path: str, number: int) -> None:
    """Add one to a counter many times by compare-and-set, and write a receipt each time."""
    store = SqliteBackend(path, clock=SystemClock())
    await store.open()
    _say("ready")
    _heard()
    done = 0
    while done < 40:
        (record,) = await store.get([COUNTER])
        version, total = (record.version, int(record.body or b"0")) if record else (0, 0)
        receipt = Key("lab", "receipt", f"{number}-{done}")
        changes = (
            Put(key=COUNTER, body=b"%d" % (total + 1), expect=version),
            Put(key=receipt, expect=0),
        )
        try:
            await store.apply(Batch(changes, actor=str(number)))
        except Conflict:
            continue
        done += 1
    await store.close()


def fork(path: str) -> None:
    """Fork with the store open: the child is kept off the file, the parent goes on."""
    with asyncio.Runner() as runner:
        store = SqliteBackend(path, clock=SystemClock())
        runner.run(store.open())
        runner.run(store.apply(Batch((Put(key=COUNTER, body=b"1"),))))
        # Python 3.12 warns of a fork beside threads, which is what this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
        if child == 0:
            _say(" ".join(_tried(store, path)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        runner.run(store.apply(Batch((Put(key=COUNTER, body=b"2", expect=1),))))
        _say((runner.run(store.ping())).state)
        runner.run(store.close())
        _say(f"child ended with {status}")


def _tried(store: SqliteBackend, path: str) -> list[str]:
    """Return what the child of a fork is told, call by call."""

    async def attempts() -> list[str]:
        outcomes: list[str] = []
        another = SqliteBackend(path, clock=SystemClock())
        for call in (lambda: store.get([COUNTER]), another.open):
            try:
                await call()
            except Unavailable as error:
                outcomes.append(error.code)
            else:
                outcomes.append("done")
        outcomes.append((await store.ping()).state)
        await store.close()
        return [*outcomes, "closed"]

    return asyncio.run(attempts())


def main() -> None:
    """Do what the command line says."""
    what, path, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if what == "lock":
        lock(path)
    elif what == "create":
        asyncio.run(create(path, number))
    elif what == "count":
        asyncio.run(count(path, number))
    else:
        fork(path)


if __name__ == "__main__":
    main()
