"""A process that brings a store up to date by a slow step, and says where it stands.

Run as `python sqlite_upgrader.py <path> <backup>`. It is killed on the way; what it would do is
exactly what an upgrade does, but that the step takes its time and rewrites every record.
"""

from __future__ import annotations

import asyncio
import sys

from ropewalk.backends.sqlite.steps import Migration, migrations
from ropewalk.backends.sqlite.upgrading import SqliteSchema
from ropewalk.domain.clock import SystemClock

STEP = Migration(
    len(migrations()) + 1,
    "slow",
    "update record set version = version + 1; "
    "create table counted as select count(*) as n from record; "
    "update record set version = version + 1;",
)


def schema_at(path: str) -> SqliteSchema:
    """Return the schema of a store for a program that has one more step."""
    steps = (*migrations(), STEP)
    return SqliteSchema(path, clock=SystemClock(), busy_timeout=30, steps=steps)


async def main() -> None:
    """Upgrade, and say so at both ends."""
    path, backup = sys.argv[1:3]
    print("begun", flush=True)  # noqa: T201 (the pipe says when the time to kill has come)
    await schema_at(path).upgrade(backup=backup)
    print("done", flush=True)  # noqa: T201 (as above)


if __name__ == "__main__":
    asyncio.run(main())
