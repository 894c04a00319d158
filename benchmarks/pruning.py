"""Question 4: what it takes to keep the newest checkpoints only, and what comes back."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from .builds import fill
from .contestants import PEER_NORMAL, SAVE, SAVER
from .figures import file_bytes, median
from .race import check
from .scale import Scale
from .tables import Requirement, Section, megabytes, milliseconds, number, ratio, table
from .workloads import MAIN, growing

_NAMES: Final = (PEER_NORMAL, SAVE, SAVER)
_KEEP: Final = 10
_HOW: Final = (
    "All but the newest {} of {:,} checkpoints go. AsyncSqliteSaver can only delete whole "
    "threads: it is given a DELETE and a VACUUM in SQL."
)


async def measure(scale: Scale, folder: Path) -> Section:
    """Fill a store, prune copies of it in turns, and return the table."""
    filled = await fill(_NAMES, growing(scale.reading), folder)
    took: dict[str, list[float]] = {name: [] for name in filled}
    after: dict[str, list[float]] = {name: [] for name in filled}
    told: dict[str, list[float]] = {name: [] for name in filled}
    for _ in range(scale.runs):
        for name, store in filled.items():
            path = folder / "pruned.db"
            shutil.copyfile(store.path, path)
            await store.lane.open(path)
            started = time.perf_counter_ns()
            freed = await store.lane.prune(MAIN, _KEEP)
            took[name].append((time.perf_counter_ns() - started) / 1_000)
            check(name, await store.lane.latest(MAIN), store.state)
            await store.lane.close()
            after[name].append(file_bytes(path))
            if freed is not None:
                told[name].append(freed)
            path.unlink()
    rows: list[list[str]] = []
    shares: dict[str, float | None] = {}
    for name, store in filled.items():
        announced = median(told[name]) if told[name] else None
        back = store.size - median(after[name])
        shares[name] = ratio(back, announced)
        rows.append(
            [
                name,
                megabytes(store.size),
                milliseconds(median(took[name])),
                megabytes(median(after[name])),
                megabytes(announced),
                number(shares[name]),
            ]
        )
        store.path.unlink()
    head = ("", "before, MB", "took, ms", "after, MB", "announced, MB", "given back / announced")
    return Section(
        "pruning",
        "Pruning",
        (
            _HOW.format(_KEEP, scale.reading),
            table(head, rows),
        ),
        (
            Requirement("given back of what was announced", shares.get(SAVE), 0.95),
            Requirement("given back beyond what was announced", shares.get(SAVE), most=1.05),
            Requirement("the same, of RopewalkSaver", shares.get(SAVER), 0.95),
        ),
    )
