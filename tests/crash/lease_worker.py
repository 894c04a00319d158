"""A process that counts under a lease: read, think, write, without expecting anything.

Run as `python lease_worker.py <url> <worker> <rounds>`. Without the lease, counts would be lost.
"""

from __future__ import annotations

import asyncio
import sys

import ropewalk


async def main() -> None:
    """Wait for the lease, add one to the count, and so on."""
    url, worker, rounds = sys.argv[1:]
    async with ropewalk.open(url, actor=worker) as storage:
        print("ready", flush=True)  # noqa: T201 (the pipe is what the parent waits for)
        for _ in range(int(rounds)):
            async with storage.lease("count", ttl=10, wait=60) as lease:
                row = await lease.storage.records.load("count")
                by: list[str] = [] if row is None else row["data"]["by"]
                count: int = 0 if row is None else row["data"]["n"]
                await asyncio.sleep(0)
                data: dict[str, object] = {"n": count + 1, "by": [*by, worker]}
                await lease.storage.records.save({"id": "count", "type": "count", "data": data})


if __name__ == "__main__":
    asyncio.run(main())
