"""`ropewalk copy --follow`: a line for each step in which a copy follows its source."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from .exits import Exit
from .migrate_ends import source_of, target_of
from .migrate_report import Teller
from .output import Output

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ...domain.migration import Followed, Plan
    from ...services.storage import Storage
    from .command import Invocation

_MICROS: Final = 1_000_000
_ENDINGS: Final = (signal.SIGINT, signal.SIGTERM)


async def following(invocation: Invocation, plan: Plan, seconds: float | None) -> Exit:
    """Copy, and follow until a signal comes or the time is over; tell how far it came."""
    output = Output(invocation)
    async with source_of(plan) as source, target_of(invocation, plan, make=True) as storage:
        teller = Teller(silent=output.json)
        last: list[Followed] = []

        async def work() -> None:
            steps = storage.migrations.follow(source, plan, progress=teller.show)
            async with aclosing(steps):
                async for step in steps:
                    teller.end()
                    if step.records or not last:
                        _tell(output, step)
                    last[:] = [step]

        await _until(work, seconds)
        return await _end(output, storage, last)


async def _until(work: Callable[[], Coroutine[None, None, None]], seconds: float | None) -> None:
    """Do something that has no end until a signal comes or the time is over."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    for ending in _ENDINGS:
        loop.add_signal_handler(ending, task.cancel)
    try:
        await asyncio.wait((task,), timeout=seconds)
    finally:
        for ending in _ENDINGS:
            loop.remove_signal_handler(ending)
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.result()


async def _end(output: Output, storage: Storage, last: list[Followed]) -> Exit:
    """Say where it stopped; what was under way may have reached the target, or comes again."""
    if not last:
        output.say("interrupted within the copy: the same command goes on there")
        return Exit.INTERRUPTED
    report = await storage.migrations.get(last[0].run)
    if output.json:
        output.line(json.dumps({"run": report.run, "position": report.position, "ended": True}))
    else:
        output.line(f"ended at commit {report.position}; the same command goes on there")
    return Exit.DONE


def _tell(output: Output, step: Followed) -> None:
    behind = max(step.newest - step.position, 0)
    if output.json:
        line = json.dumps(
            {
                "run": step.run,
                "position": step.position,
                "behind": behind,
                "commits": step.commits,
                "records": step.records,
                "lag_seconds": step.lag / _MICROS,
            }
        )
    else:
        late = f"; {behind} behind" if behind else ""
        line = (
            f"commit {step.position}: {step.records} records of {step.commits} commits, "
            f"{step.lag / _MICROS:.3f} s after the last of them{late}"
        )
    output.line(line)
    # Whoever reads from a pipe must not wait for the next one to see this one.
    sys.stdout.flush()
