"""Open a file store, fork, and find that each process needs a store of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings

from ropewalk.backends.file import FileBackend
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.record import Key

KEY = Key("s", "k", "a")


async def write(backend: FileBackend, expect: int) -> None:
    """Write the record over the version that it must have."""
    await backend.apply(Batch((Put(key=KEY, expect=expect),)))


async def child(backend: FileBackend) -> None:
    """Find the inherited store refused, then open it anew and write."""
    codes: list[str] = []
    try:
        await write(backend, 1)
    except Unavailable as error:
        codes.append(error.code)
    assert ["forked"] == codes
    assert State.DOWN is (await backend.ping()).state
    await backend.close()
    await backend.open()
    await write(backend, 1)
    await backend.close()


async def parent(backend: FileBackend) -> None:
    """Find what the child wrote, and that the store is as it was."""
    await write(backend, 2)
    assert State.HEALTHY is (await backend.ping()).state
    await backend.close()


async def begin(backend: FileBackend) -> None:
    """Open the store and write for the first time."""
    await backend.open()
    await write(backend, 0)


def main(root: str) -> None:
    """Fork between two runs of the event loop."""
    # The store has a thread, which the child has not: that is what this is about.
    warnings.simplefilter("ignore", DeprecationWarning)
    backend = FileBackend(root, clock=FrozenClock())
    asyncio.run(begin(backend))
    process = os.fork()
    if not process:
        asyncio.run(child(backend))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    asyncio.run(parent(backend))
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(sys.argv[1])
