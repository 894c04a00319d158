"""A process that holds leases, and writes under them when it is told to, once for each.

Run as `python lease_holder.py <url> <ttl> <name> ...`. For every line on stdin it acquires all the
leases, says so, waits for the next line, and writes under each in a way of its own. What became of
each write goes out as a line: the way, the token, and what the store said.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack

import ropewalk
from ropewalk.domain.errors import RopewalkError
from ropewalk.services.leases.held import HeldLease
from ropewalk.services.storage import Storage

WAYS = ("record", "unit", "history", "checkpoint")


def say(*words: object) -> None:
    """Write a line for the parent."""
    print(*words, flush=True)  # noqa: T201 (the pipe is what the parent waits for)


async def write(held: HeldLease[Storage], way: str) -> str:
    """Write something under a lease; return what the store said."""
    mark = f"late {held.name} {held.token}"
    try:
        if way == "record":
            await held.storage.records.save({"id": mark, "type": "note"})
        elif way == "unit":
            async with held.unit() as unit:
                await unit.records.save({"id": mark, "type": "note"})
                await unit.history.add_message(thread_id="t", role="user", content=mark)
        elif way == "history":
            await held.storage.history.add_message(thread_id="t", role="user", content=mark)
        else:
            await held.storage.checkpoints.save("t", {"mark": mark})
    except RopewalkError as error:
        return error.code
    return "written"


async def main() -> None:
    """Hold, wait, write, until stdin ends."""
    url, ttl, *names = sys.argv[1:]
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with ropewalk.open(url, actor="holder") as storage:
        say("ready")
        while await lines.readline():
            async with AsyncExitStack() as stack:
                held = [
                    await stack.enter_async_context(storage.lease(name, ttl=float(ttl), wait=30))
                    for name in names
                ]
                say("held", *(lease.token for lease in held))
                await lines.readline()
                for number, lease in enumerate(held):
                    way = WAYS[number % len(WAYS)]
                    say(way, lease.token, await write(lease, way))


if __name__ == "__main__":
    asyncio.run(main())
