"""Run a reader that blocks in a thread of its own, and hand on what it finds in small portions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeAlias, TypeVar

T = TypeVar("T")

Steps: TypeAlias = Generator[T | None, None, None]
"""What a reader yields: a finding, or `None` where it only did a piece of work."""

_PORTION_SECONDS: Final = 0.01
_PORTION_ITEMS: Final = 256


async def stream(begin: Callable[[], Steps[T]]) -> AsyncGenerator[T, None]:
    """Go through what the generator made by `begin` yields, without blocking the event loop.

    The generator runs in one thread from beginning to end, which is also where it is closed when
    the stream is abandoned or cancelled. At most one portion is held ahead of the caller: what a
    hundredth of a second brings, and never more than 256 findings.
    """
    loop = asyncio.get_running_loop()
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ropewalk-source")
    steps = begin()
    try:
        more = True
        while more:
            portion, more = await loop.run_in_executor(pool, partial(_pull, steps))
            for finding in portion:
                yield finding
    finally:
        # The only worker closes the generator behind a pull that may still be under way.
        closing = loop.run_in_executor(pool, steps.close)
        pool.shutdown(wait=False)
        await asyncio.shield(closing)


def _pull(steps: Steps[T]) -> tuple[list[T], bool]:
    portion: list[T] = []
    # Time, not number: a portion of large items is small, so memory stays bounded.
    until = time.monotonic() + _PORTION_SECONDS
    for finding in steps:
        if finding is not None:
            portion.append(finding)
        if len(portion) >= _PORTION_ITEMS or time.monotonic() >= until:
            return portion, True
    return portion, False
