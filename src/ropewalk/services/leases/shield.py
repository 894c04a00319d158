"""Bring something to its end although whoever asked for it was cancelled meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")


async def to_the_end(work: Coroutine[None, None, T], *, seconds: float) -> T:
    """Await `work`; cancelled meanwhile, let it end first, and only then be cancelled.

    After a cancellation it gets `seconds` more, and is cancelled itself then: nothing is left
    running. What it stumbled on is told in a note on the cancellation, which counts more.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as cancellation:
        await _see_off(task, seconds)
        trouble = None if task.cancelled() else task.exception()
        if trouble is not None:
            cancellation.add_note(f"what had to be brought to its end failed: {trouble}")
        raise


async def _see_off(task: asyncio.Task[T], seconds: float) -> None:
    """Wait for a task however often that is interrupted, and cancel it in the end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not task.done():
        left = deadline - loop.time()
        if left <= 0:
            task.cancel()
        try:
            await asyncio.wait({task}, timeout=max(left, 0.1))
        except asyncio.CancelledError:
            # Told once is enough: whoever called raises it when the work has ended.
            continue
