"""Question 2: what other shapes cost: a scratchpad, edits, branches, a blob, a fork."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from .contestants import APPEND, FRESH, NAMES, PEER_NORMAL, SAVE, contestants
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

_FORKS: Final = 100
_FORKING: Final = (
    "A fork is measured over {} of them, from the middle of a thread of {} steps. AsyncSqliteSaver "
    "has none: it writes the whole state again at the first step of a branch."
)


async def measure(scale: Scale, folder: Path) -> Section:
    """Run every workload, and return the tables."""
    branches = partial(branching, scale.trunk, branches=scale.branches, length=scale.branch)
    works: dict[str, tuple[int, Callable[[], Iterator[Event]]]] = {
        f"scratchpad, {scale.scratchpad} steps": (
            scale.scratchpad,
            partial(with_scratchpad, scale.scratchpad),
        ),
        f"edits and deletes, {scale.edited} steps": (scale.edited, partial(edited, scale.edited)),
        f"{scale.branches} branches of {scale.branch} from {scale.trunk}": (
            scale.trunk + scale.branches * scale.branch,
            branches,
        ),
        f"blob of 1 MB, {scale.blob} steps": (scale.blob, partial(with_blob, scale.blob)),
    }
    # The saver's columns differ in what they sync alone; copies take time to make here.
    names = [name for name in NAMES if name.startswith("Async") <= (name == PEER_NORMAL)]
    names.remove(FRESH)
    runs: dict[str, list[Mapping[str, Lane]]] = {title: [] for title in works}
    for run in range(scale.runs):
        for title, (_, work) in works.items():
            runs[title].append(await race(contestants(*names), work(), folder, run=run))
    blocks: list[str] = []
    smaller: dict[str, dict[str, float | None]] = {}
    for title, (steps, _) in works.items():
        peer = sizes(runs[title], PEER_NORMAL)
        smaller[title] = {n: ratio(peer, sizes(runs[title], n)) for n in runs[title][0]}
        rows = [
            [
                name,
                megabytes(sizes(runs[title], name)),
                number(smaller[title][name]),
                milliseconds(times(runs[title], name, steps)),
                milliseconds(times(runs[title], name, steps, 0.99)),
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
