"""What tests of leases have in common: a name, and waiting for what others do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from ropewalk.services.storage import Storage

SECOND: Final = 1_000_000
DEADLINE: Final = 30.0
NAME: Final = "thread:t-1"


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that others do."""
    deadline = monotonic() + DEADLINE
    while not await happened():
        assert monotonic() < deadline
        await asyncio.sleep(0.005)


async def in_line(storage: Storage, count: int) -> None:
    """Wait until so many stand in the queue."""

    async def are() -> bool:
        lease = await storage.leases.find(NAME)
        return lease is not None and len(lease.waiting) == count

    await until(are)


async def note(storage: Storage, id: str) -> None:
    """Write something."""
    await storage.records.save({"id": id, "type": "note"})
