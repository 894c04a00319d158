"""Question 3: how quickly a state, its end, or the list of checkpoints is read."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Awaitable, Mapping
from pathlib import Path
from random import Random
from typing import Final, TypeVar, cast

from .builds import Filled, fill, long_conversation
from .contestants import PEER_NORMAL, SAVE, SAVER
from .deltas import histories
from .figures import median
from .race import check
from .scale import Scale
from .tables import Requirement, Section, milliseconds, ratio, table
from .workloads import MAIN, growing, growing_objects

_NAMES: Final = (PEER_NORMAL, SAVE, SAVER)
_TAIL: Final = 10
_NEWEST: Final = 10
_AGAIN: Final = 5
_ANCESTORS: Final = 100

COLD: Final = "latest, reopened"
WARM: Final = "latest, again"
HEADERS: Final = "ten newest"
TAIL_COLD: Final = "last 10, reopened"
TAIL_WARM: Final = "last 10, again"

_WHOLE: Final = (
    "Medians in milliseconds for {:,} messages put one by one. *Reopened* is the first load after "
    "opening the file anew, *again* is a later one."
)

_Found = TypeVar("_Found")


class _Watch:
    """Collects times by what was read and who read it, in microseconds."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], list[float]] = defaultdict(list)

    async def time(self, what: str, name: str, call: Awaitable[_Found]) -> _Found:
        """Await `call`, note how long it took, and return its result."""
        started = time.perf_counter_ns()
        found = await call
        self._times[what, name].append((time.perf_counter_ns() - started) / 1_000)
        return found

    def median(self, what: str, name: str) -> float | None:
        """Return the median, or nothing where it was not measured."""
        times = self._times.get((what, name))
        return median(times) if times else None


async def measure(scale: Scale, folder: Path) -> Section:
    """Fill the stores, read them in turns, and return the tables."""
    filled = await fill(_NAMES, growing(scale.reading), folder)
    states = await _states(filled, scale)
    for store in filled.values():
        store.path.unlink()
    filled = await fill((PEER_NORMAL, SAVER), growing_objects(scale.reading), folder)
    objects = await _states(filled, scale)
    for store in filled.values():
        store.path.unlink()
    deltas = await histories(_ANCESTORS, scale.rounds * _AGAIN, folder)
    tails: dict[int, _Watch] = {}
    for length in scale.tails:
        filled = await fill(_NAMES, long_conversation(length), folder)
        tails[length] = await _tails(filled, scale)
        for store in filled.values():
            store.path.unlink()
    names = list(filled)
    whole = [
        [name, *(milliseconds(states.median(what, name)) for what in (COLD, WARM, HEADERS))]
        for name in names
    ]
    ends = [
        [f"{name}, {what.removeprefix('last 10, ')}"]
        + [milliseconds(watch.median(what, name)) for watch in tails.values()]
        for name in names
        for what in (TAIL_COLD, TAIL_WARM)
    ]
    return Section(
        "reading",
        "Reading",
        (
            _WHOLE.format(scale.reading),
            table(("", COLD, WARM, "ten newest checkpoints"), whole),
            "The same with message objects of LangChain, which have to be made anew.",
            table(
                ("", COLD, WARM),
                [
                    [name, *(milliseconds(objects.median(what, name)) for what in (COLD, WARM))]
                    for name in (PEER_NORMAL, SAVER)
                ],
            ),
            f"The history of a delta channel over {_ANCESTORS} checkpoints, in milliseconds.",
            table(("", "history"), [[n, milliseconds(took)] for n, took in deltas.items()]),
            "The last 10 messages of the newest state, in milliseconds. A saver loads all of it.",
            table(("", *(f"of {length:,}" for length in tails)), ends),
        ),
        _requirements(states, tails, scale),
    )


async def _states(filled: Mapping[str, Filled], scale: Scale) -> _Watch:
    watch, order = _Watch(), Random(scale.reading)
    gc.collect()
    gc.freeze()
    for _ in range(scale.rounds):
        names = list(filled)
        order.shuffle(names)
        for name in names:
            store = filled[name]
            await store.lane.open(store.path)
            check(name, await watch.time(COLD, name, store.lane.latest(MAIN)), store.state)
            for _ in range(_AGAIN):
                await watch.time(WARM, name, store.lane.latest(MAIN))
            for _ in range(_AGAIN):
                await watch.time(HEADERS, name, store.lane.headers(MAIN, _NEWEST))
            await store.lane.close()
    gc.unfreeze()
    return watch


async def _tails(filled: Mapping[str, Filled], scale: Scale) -> _Watch:
    watch, order = _Watch(), Random(scale.reading)
    for _ in range(scale.rounds):
        names = list(filled)
        order.shuffle(names)
        for name in names:
            store = filled[name]
            await store.lane.open(store.path)
            end = await watch.time(TAIL_COLD, name, store.lane.tail(MAIN, _TAIL))
            messages = cast("list[object]", store.state["messages"])
            check(name, {"messages": list(end)}, {"messages": messages[-_TAIL:]})
            for _ in range(_AGAIN):
                await watch.time(TAIL_WARM, name, store.lane.tail(MAIN, _TAIL))
            await store.lane.close()
    return watch


def _requirements(
    states: _Watch, tails: Mapping[int, _Watch], scale: Scale
) -> tuple[Requirement, ...]:
    def faster(what: str) -> float | None:
        return ratio(states.median(what, PEER_NORMAL), states.median(what, SAVE))

    cold, wanted = faster(COLD), f"of {scale.reading:,}"
    return (
        Requirement(f"latest {wanted}, again: faster", faster(WARM), 1.2),
        Requirement(f"latest {wanted}, reopened: slower", ratio(1, cold), most=2),
        Requirement(f"ten newest {wanted}: faster", faster(HEADERS), 100),
        *(
            Requirement(f"{what} of {length:,}", took / 1e3, most=1, unit="ms")
            for length, watch in tails.items()
            for what in (TAIL_COLD, TAIL_WARM)
            if (took := watch.median(what, SAVE)) is not None
        ),
    )
