"""Question 1: what a list of messages costs that grows one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from .contestants import (
    APPEND,
    FRESH,
    NAMES,
    PEER_NORMAL,
    SAVE,
    SAVER,
    TRUSTED,
    contestants,
)
from .race import TOGETHER, Lane, growth, race, sizes, times
from .scale import Scale
from .tables import (
    ABSENT,
    Requirement,
    Section,
    kilobytes,
    megabytes,
    milliseconds,
    number,
    ratio,
    table,
)
from .workloads import growing, growing_objects

Runs: TypeAlias = Sequence[Mapping[str, Lane]]

_SMALLER: Final = {200: 80.0, 1_000: 500.0, 5_000: 2_500.0}
_THIN_FROM: Final = 5_000
_THIN: Final = 50
_QUADRATIC_BYTES: Final = 20_000
_CALLS: Final = (
    "Milliseconds of one call, p50 / p99 of the last tenth of the steps. Each store takes "
    f"{TOGETHER} steps before it is the next one's turn."
)


async def measure(scale: Scale, folder: Path) -> Section:
    """Run every length, all of them before any again, and return the tables."""
    found: dict[int, list[Mapping[str, Lane]]] = {length: [] for length in scale.lengths}
    far: list[Mapping[str, Lane]] = []
    typed: list[Mapping[str, Lane]] = []
    for run in range(scale.runs):
        for length, runs in found.items():
            lanes = contestants(*(n for n in NAMES if n != FRESH or length < _THIN_FROM))
            every = {name: _THIN for name in lanes if _is_thin(name, length, found)}
            steps = partial(growing, length)
            runs.append(await race(lanes, steps, folder, run=run, marks=(length,), every=every))
        steps = partial(growing, scale.append_to)
        far.append(await race(contestants(APPEND), steps, folder, run=run))
        objects = partial(growing_objects, scale.objects_to)
        typed.append(await race(contestants(PEER_NORMAL, SAVER), objects, folder, run=run))
    return Section(
        "growth",
        "A list of messages that grows one by one",
        (
            "File after closing, in MB; how many times smaller than AsyncSqliteSaver's.",
            _files(found),
            "What a step adds to the file, in kB: the mean of up to 100 steps before.",
            _steps(found),
            _CALLS,
            _puts(found),
            f"`append` to {scale.append_to:,} messages, p50 / p99 in milliseconds.",
            _far(far, scale.append_to),
            f"The same {scale.objects_to:,} steps with message objects of LangChain.",
            _typed(typed, scale.objects_to),
            _thinned(found),
        ),
        tuple(_requirements(found, far, scale.append_to)),
    )


def _is_thin(name: str, length: int, found: Mapping[int, Runs]) -> bool:
    """Tell whether a store wrote whole states at the length before: thousands would fill disks."""
    if length < _THIN_FROM:
        return False
    before = max(each for each in found if each < length)
    return growth(found[before], name, before) > _QUADRATIC_BYTES


def _names(found: Mapping[int, Runs]) -> list[str]:
    return [name for name in NAMES if any(name in runs[0] for runs in found.values())]


def _size(found: Mapping[int, Runs], name: str, length: int) -> float | None:
    return sizes(found[length], name) if name in found.get(length, [{}])[0] else None


def _time(found: Mapping[int, Runs], name: str, length: int, share: float = 0.5) -> float | None:
    there = name in found.get(length, [{}])[0]
    return times(found[length], name, length, share) if there else None


def _step(found: Mapping[int, Runs], name: str, length: int) -> float | None:
    return growth(found[length], name, length) if name in found.get(length, [{}])[0] else None


def _files(found: Mapping[int, Runs]) -> str:
    rows = [
        [
            name,
            *(
                _times_smaller(size, _size(found, PEER_NORMAL, length))
                for length in found
                for size in [_size(found, name, length)]
            ),
        ]
        for name in _names(found)
    ]
    return table(("", *(f"{length:,} steps" for length in found)), rows)


def _times_smaller(size: float | None, peer: float | None) -> str:
    return ABSENT if size is None else f"{megabytes(size)} ({number(ratio(peer, size))} ×)"


def _steps(found: Mapping[int, Runs]) -> str:
    rows = [[name, *(kilobytes(_step(found, name, n)) for n in found)] for name in _names(found)]
    return table(("", *(f"step {length:,}" for length in found)), rows)


def _puts(found: Mapping[int, Runs]) -> str:
    rows = [
        [
            name,
            *(
                _both(_time(found, name, length), _time(found, name, length, 0.99))
                for length in found
            ),
        ]
        for name in _names(found)
    ]
    return table(("", *(f"step {length:,}" for length in found)), rows)


def _both(middle: float | None, late: float | None) -> str:
    return ABSENT if middle is None else f"{milliseconds(middle)} / {milliseconds(late)}"


def _far(far: Runs, length: int) -> str:
    if APPEND not in far[0]:
        return "This version has no `append`."
    steps = [length // 20, length // 4, length // 2, length]
    cells = [_both(times(far, APPEND, step), times(far, APPEND, step, 0.99)) for step in steps]
    return table(
        ("", *(f"step {step:,}" for step in steps), "file, MB"),
        [[APPEND, *cells, megabytes(sizes(far, APPEND))]],
    )


def _typed(typed: Runs, length: int) -> str:
    rows = [
        [
            name,
            megabytes(sizes(typed, name)),
            milliseconds(times(typed, name, length)),
            milliseconds(times(typed, name, length, 0.99)),
        ]
        for name in typed[0]
    ]
    return table(("", "file, MB", "put p50, ms", "put p99, ms"), rows)


def _thinned(found: Mapping[int, Runs]) -> str:
    thin = sorted({n for runs in found.values() for n, lane in runs[0].items() if lane.every > 1})
    if not thin:
        return "Every store was given every step."
    return (
        f"At {_THIN_FROM:,} steps these were given every {_THIN}th step, and their files are "
        f"scaled by {_THIN}: {', '.join(thin)}. Each writes the whole state at every step."
    )


def _requirements(found: Mapping[int, Runs], far: Runs, far_to: int) -> Iterator[Requirement]:
    for length, least in _SMALLER.items():
        for name in (SAVE, APPEND):
            smaller = ratio(_size(found, PEER_NORMAL, length), _size(found, name, length))
            yield Requirement(f"file at {length:,} steps smaller, `{name}`", smaller, least)
    for name in (SAVE, APPEND):
        flat = ratio(_step(found, name, 5_000), _step(found, name, 50))
        yield Requirement(f"bytes per step, 5,000 to 50, `{name}`", flat, most=1.5)
    peer = _time(found, PEER_NORMAL, 1_000)
    for name, least in ((APPEND, 20.0), (SAVE, 3.0), (TRUSTED, 10.0)):
        faster = ratio(peer, _time(found, name, 1_000))
        yield Requirement(f"p50 at step 1,000 faster, `{name}`", faster, least)
    there = APPEND in far[0]
    flat = ratio(times(far, APPEND, far_to), times(far, APPEND, far_to // 20)) if there else None
    yield Requirement(f"`append` p50, {far_to:,} to {far_to // 20:,}", flat, most=1.5)
