"""Question 5: what a state of 1, 50 or 500 MB does to the event loop and to memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .big import Measured
from .contestants import APPEND, PEER_NORMAL, SAVE, SAVER, contestants
from .figures import median
from .scale import Scale
from .tables import ABSENT, Requirement, Section, megabytes, number, table

_ROOT: Final = Path(__file__).resolve().parent.parent
_NAMES: Final = (PEER_NORMAL, SAVE, APPEND, SAVER)
_HOW: Final = (
    "A process of its own for every figure; 500 MB are run once. *Again* is a save "
    "with one message more. A stall is how late a timer of one millisecond fires "
    "meanwhile: p99.9 of the phase in which it was "
    "worst, and the worst ever. *Own* is the same without what Python's own garbage collector took "
    "of it, which goes through all objects of the program now and then, those of the state among "
    "them, whoever made the last one. *Peak* is the memory that saving took beyond the state."
)
_PHASES: Final = ("first", "again", "load")


def measure(scale: Scale, folder: Path) -> Section:
    """Measure every size in processes of their own, in turns, and return the tables."""
    names = list(contestants(*_NAMES))
    found: dict[tuple[int, str], list[Measured]] = {}
    for size, times in scale.big:
        for _ in range(times):
            for name in names:
                found.setdefault((size, name), []).append(_in_process(name, size, folder))
    rows = [[f"{size} MB, {name}", *_cells(runs)] for (size, name), runs in found.items()]
    refusals = [
        f"- {size} MB, {name}: {runs[0].refused}"
        for (size, name), runs in found.items()
        if runs[0].refused
    ]
    head = (
        "",
        "save, s",
        "again, s",
        "load, s",
        "stall p99.9, ms",
        "own, ms",
        "worst, ms",
        "own, ms",
        "peak, MB",
    )
    return Section(
        "stalls",
        "Big states",
        (
            _HOW,
            table(head, rows),
            *(["Refused:\n\n" + "\n".join(refusals)] if refusals else []),
        ),
        tuple(
            Requirement(
                f"stall p99.9, {size} MB, `{name}`{what}",
                _stall(runs, own=own),
                most=5,
                unit="ms",
                absent="refused",
            )
            for (size, name), runs in found.items()
            if name in {SAVE, APPEND, SAVER}
            for own, what in ((False, ""), (True, ", the collector aside"))
        ),
    )


def _in_process(name: str, size: int, folder: Path) -> Measured:
    path = folder / "big.db"
    command = [sys.executable, "-m", "benchmarks.big", name, str(size), str(path)]
    run = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    path.unlink(missing_ok=True)
    return Measured(**json.loads(run.stdout))


def _stall(runs: Sequence[Measured], *, own: bool) -> float | None:
    """Return p99.9 of the worst call, `None` where the state was refused."""
    if runs[0].refused:
        return None
    return max(median(_late(run, own=own)[phase][0] for run in runs) for phase in _PHASES)


def _worst(runs: Sequence[Measured], *, own: bool) -> float:
    return max(_late(run, own=own)[phase][1] for run in runs for phase in _PHASES)


def _late(run: Measured, *, own: bool) -> dict[str, list[float]]:
    return run.own if own else run.late


def _cells(runs: Sequence[Measured]) -> list[str]:
    if runs[0].refused:
        return ["refused", *[ABSENT] * 7]
    return [
        number(median(run.first for run in runs)),
        number(median(run.again for run in runs)),
        number(median(run.load for run in runs)),
        number(_stall(runs, own=False)),
        number(_stall(runs, own=True)),
        number(_worst(runs, own=False)),
        number(_worst(runs, own=True)),
        megabytes(median(run.memory for run in runs)),
    ]
