"""Question 2: what other shapes cost: a scratchpad, edits, branches, a blob, a fork."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from .contestants import APPEND, FRESH, NAMES, PEER, PEER_NORMAL, SAVE, contestants
from .figures import median, percentile, used_bytes
from .race import Lane, race, sizes, times
from .scale import Scale
from .tables import Requirement, Section, megabytes, milliseconds, number, ratio, table
from .workloads import (
    MAIN,
    Event,
    Put,
    branching,
    edited,
    growing,
    with_blob,
    with_scratchpad,
)

_LEFT_OUT: Final = {PEER, FRESH}
"""The peer's two columns differ only in what they sync, and copies take longer than saving."""
_FORKS: Final = 100
_FORKING: Final = (
    "A fork is measured over {} of them, from the middle of a thread of {} steps. AsyncSqliteSaver "
    "has none: it writes the whole state again at the first step of a branch."
)


@dataclass(frozen=True, slots=True)
class _Work:
    """A workload, how many steps it has, and who can do it: `append` knows no edits."""

    steps: int
    events: Callable[[], Iterator[Event]]
    names: tuple[str, ...]


async def measure(scale: Scale, folder: Path) -> Section:
    """Run every workload, and return the tables."""
    names = tuple(name for name in NAMES if name not in _LEFT_OUT)
    changing = tuple(name for name in names if name != APPEND)
    trunk, branches, branch = scale.trunk, scale.branches, scale.branch
    works = {
        f"scratchpad, {scale.scratchpad} steps": _Work(
            scale.scratchpad, partial(with_scratchpad, scale.scratchpad), names
        ),
        f"edits and deletes, {scale.edited} steps": _Work(
            scale.edited, partial(edited, scale.edited), changing
        ),
        f"{branches} branches of {branch} from {trunk}": _Work(
            trunk + branches * branch,
            partial(branching, trunk, branches=branches, length=branch),
            names,
        ),
        f"blob of 1 MB, {scale.blob} steps": _Work(
            scale.blob, partial(with_blob, scale.blob), names
        ),
    }
    runs: dict[str, list[Mapping[str, Lane]]] = {title: [] for title in works}
    for run in range(scale.runs):
        for title, work in works.items():
            lanes = contestants(*work.names)
            runs[title].append(await race(lanes, work.events, folder, run=run))
    blocks: list[str] = []
    smaller: dict[str, dict[str, float | None]] = {}
    for title, work in works.items():
        peer = sizes(runs[title], PEER_NORMAL)
        smaller[title] = {n: ratio(peer, sizes(runs[title], n)) for n in runs[title][0]}
        rows = [
            [
                name,
                megabytes(sizes(runs[title], name)),
                number(smaller[title][name]),
                milliseconds(times(runs[title], name, work.steps)),
                milliseconds(times(runs[title], name, work.steps, 0.99)),
            ]
            for name in runs[title][0]
        ]
        head = (title, "file, MB", "× smaller", "put p50, ms", "put p99, ms")
        blocks.append(table(head, rows))
    pad, _, branched, _ = smaller.values()
    took, cost = await _forks(scale, folder)
    return Section(
        "shapes",
        "Other shapes of state",
        (
            "Times are of the last tenth of the steps.",
            *blocks,
            _FORKING.format(_FORKS, scale.trunk),
        ),
        (
            Requirement("scratchpad: file smaller, `save`", pad.get(SAVE), 150),
            Requirement("branches: file smaller, `save`", branched.get(SAVE), 300),
            Requirement("branches: file smaller, `append`", branched.get(APPEND), 300),
            Requirement("a fork takes, p50", took / 1e3, most=1, unit="ms"),
            Requirement("a fork costs", cost, most=1_000, unit="bytes"),
        ),
    )


async def _forks(scale: Scale, folder: Path) -> tuple[float, float]:
    """Return the median time of a fork in microseconds, and the bytes that it adds."""
    took: list[float] = []
    cost: list[float] = []
    path = folder / "forks.db"
    for _ in range(scale.runs):
        lane = contestants(SAVE)[SAVE]
        await lane.open(path)
        for event in growing(scale.trunk):
            if isinstance(event, Put):
                await lane.prepare(event)()
        before, own = used_bytes(path), list[float]()
        for fork in range(_FORKS):
            started = time.perf_counter_ns()
            await lane.fork(f"fork-{fork}", source=MAIN, after=scale.trunk // 2)
            own.append((time.perf_counter_ns() - started) / 1_000)
        cost.append((used_bytes(path) - before) / _FORKS)
        took.append(percentile(own, 0.5))
        await lane.close()
        path.unlink()
    return median(took), median(cost)
