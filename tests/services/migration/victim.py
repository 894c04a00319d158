"""A process that carries out a plan until it is killed, and says after each batch how far it is.

Run as `python victim.py <path> <messages> <checkpoints> <batch>`.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

# Run by path, so that what stands beside it is found as for any script.
from shelf import PLAN, full_shelf  # type: ignore[import-not-found] # pyright: ignore[reportMissingImports, reportUnknownVariableType]

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.migration import Progress
from ropewalk.services.storage import Storage


def _say(progress: Progress) -> None:
    print(progress.done, flush=True)  # noqa: T201 (the pipe says when it may be killed)


async def main() -> None:
    """Run the plan to its end, unless the end comes from outside."""
    path, messages, checkpoints, batch = Path(sys.argv[1]), *map(int, sys.argv[2:])
    clock = SystemClock()
    async with Storage(SqliteBackend(path, clock=clock), make_pipeline(), clock) as storage:
        await storage.migrations.run(
            full_shelf(messages, checkpoints), replace(PLAN, batch=batch), progress=_say
        )


if __name__ == "__main__":
    asyncio.run(main())
