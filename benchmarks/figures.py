"""Percentiles, medians, and the size of a file: how every figure of a table is made."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).resolve().parent.parent
_ASK_SIZE: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
pages = connection.execute("PRAGMA page_count").fetchone()[0]
free = connection.execute("PRAGMA freelist_count").fetchone()[0]
print((pages - free) * connection.execute("PRAGMA page_size").fetchone()[0])
"""


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(share * len(ordered))) - 1]


def median(values: Iterable[float]) -> float:
    """Return the middle value, or the mean of the two in the middle."""
    return statistics.median(values)


def file_bytes(path: Path) -> int:
    """Return the size of a closed database with whatever it left beside itself."""
    beside = (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"))
    return sum(part.stat().st_size for part in beside if part.exists())


def used_bytes(path: Path) -> int:
    """Return the bytes of the pages in use in a database that is open, those in its WAL too.

    Asked in another process: a file that a second SQLite of one process closes loses the locks
    of the first.
    """
    command = [sys.executable, "-c", _ASK_SIZE, str(path)]
    run = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    return int(run.stdout)
