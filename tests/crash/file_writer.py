"""A process that writes batches into a file store, and says so, until somebody kills it."""

from __future__ import annotations

import asyncio
import sys

from ropewalk.backends.file import FileBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.record import Key

SPACE = "crash"


def batch(name: str, number: int) -> Batch:
    """Return a batch of five keys that all carry one number; the last two are everybody's."""
    body = f"{name}-{number}".encode()
    keys = [
        Key(SPACE, "own", f"{name}-left"),
        Key(SPACE, "own", f"{name}-right"),
        Key(SPACE, "line", f"{name}-{number:06}"),
        Key(SPACE, "hot", "left"),
        Key(SPACE, "hot", "right"),
    ]
    changes = tuple(Put(key=key, body=body, labels={"n": number}) for key in keys)
    return Batch(changes, id=f"{name}-{number}", actor=name)


async def write(root: str, name: str) -> None:
    """Go on where the writer of this name was killed, and print each number once acknowledged."""
    backend = FileBackend(root, clock=SystemClock())
    await backend.open()
    (left,) = await backend.get([Key(SPACE, "own", f"{name}-left")], bodies=False)
    number = 0 if left is None else int(left.labels["n"])
    while True:
        number += 1
        await backend.apply(batch(name, number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], sys.argv[2]))
