"""Question 6: what a record costs on its whole way, beside what programs use without Ropewalk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from . import slicing
from .figures import median
from .keepers import (
    APSW,
    ONLY_KEYS,
    ROPEWALK,
    SAME,
    THREADS,
    Keeper,
    Records,
    keepers,
    loops,
    missing,
)
from .plots import plot
from .raw import Loop
from .scale import Scale
from .slicing import Found, times
from .statements import Row
from .tables import ABSENT, Requirement, Section, number, table
from .text import Writer
from .workloads import SEED

_TASKS: Final = (1, 10, 100, 1_000)
_DOCUMENTS: Final = 1_000
_OF_A_SESSION: Final = 100
_LISTED: Final = 50
_STEPS: Final = 300
_ALONE: Final = "0"

_HOW: Final = (
    "Records of 0.5 to 2 kB, as dictionaries in and out, each store with its own codec; calls a "
    "second at 1, 10, 100 and 1,000 tasks: the median of slices in changing order, and the "
    "quartiles. *Late* is how much later than it should a timer of one "
    f"millisecond fires meanwhile, p99 in milliseconds. *{SAME}* does what Ropewalk does, a "
    "transaction with a log of commits, and so do *SQLAlchemy* and the plain loops, which have "
    "one figure: no task waits beside them. *aiosqlite, one statement* does the least that keeps "
    "a record. *diskcache* and *py-key-value* keep values under keys: no lists, no versions, no "
    "log, so that their saves do less."
)
_LEAST: Final[Mapping[tuple[str, str, int, str], float]] = {
    ("normal", "load", 1, SAME): 5,
    ("normal", "load", 10, SAME): 4,
    ("normal", "load", 100, SAME): 3,
    ("normal", "save", 1, SAME): 1.5,
    ("normal", "save", 10, SAME): 2,
    ("normal", "save", 100, SAME): 3,
    ("full", "save", 100, SAME): 5,
    ("normal", "list", 1, SAME): 1.2,
    ("normal", "list", 10, SAME): 1.2,
    ("normal", "list", 100, SAME): 1.2,
    ("normal", "load", 1, APSW): 0.5,
    ("normal", "load", 10, APSW): 0.5,
    ("normal", "load", 100, APSW): 0.5,
    ("normal", "list", 1, APSW): 0.5,
    ("normal", "list", 10, APSW): 0.5,
    ("normal", "list", 100, APSW): 0.5,
    ("normal", "save", 100, APSW): 1,
}


def documents(count: int) -> list[Row]:
    """Make records that differ in length, of sessions of a hundred, one for each second."""
    random, writer, first = Random(SEED), Writer(SEED), datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "id": f"note-{n:06}",
            "type": "note",
            "session_id": f"session-{n // _OF_A_SESSION}",
            "created_at": first + timedelta(seconds=n),
            "data": {
                "n": n,
                "text": writer.words(random.randint(400, 1_700)),
                "tags": ["a", "b"],
                "nested": {"ratio": n / 7, "done": False},
            },
            "metadata": {"status": "open", "rank": n % 10},
        }
        for n in range(count)
    ]


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked of everybody: whoever gives back something else ends the run."""

    given: Sequence[Row]

    def wanted(self, n: int) -> Row:
        """Return the record that call `n` loads."""
        return self.given[n * 7 % len(self.given)]

    def fresh(self, n: int) -> Row:
        """Return the new record that call `n` saves."""
        return {**self.given[n % len(self.given)], "id": f"new-{n}", "session_id": "new"}

    def check_row(self, row: Row | None, n: int) -> None:
        """Raise where another record came back."""
        if row is None or row["data"] != self.wanted(n)["data"]:
            raise ValueError(self.wanted(n)["id"])

    def check_list(self, rows: Sequence[Row], n: int) -> None:
        """Raise where a list has another length."""
        if len(rows) != _LISTED:
            raise ValueError(self.wanted(n)["session_id"])

    async def load(self, keeper: Keeper, _: int, n: int) -> None:
        """Load one record."""
        self.check_row(await keeper.load(self.wanted(n)["id"]), n)

    async def list(self, keeper: Keeper, _: int, n: int) -> None:
        """List records of one session."""
        self.check_list(await keeper.list(self.wanted(n)["session_id"], _LISTED), n)

    async def save(self, keeper: Keeper, _: int, n: int) -> None:
        """Save one record."""
        await keeper.save(self.fresh(n))

    def load_alone(self, loop: Loop, n: int) -> None:
        """Load one record."""
        self.check_row(loop.load(self.wanted(n)["id"]), n)

    def list_alone(self, loop: Loop, n: int) -> None:
        """List records of one session."""
        self.check_list(loop.list(self.wanted(n)["session_id"], _LISTED), n)

    def save_alone(self, loop: Loop, n: int) -> None:
        """Save one record."""
        loop.save(self.fresh(n))

    def tasks(self, verb: str, keeper: Keeper) -> Callable[[int, int], Awaitable[None]]:
        """Return the call of a verb for tasks."""
        return partial({"load": self.load, "list": self.list, "save": self.save}[verb], keeper)

    def alone(self, verb: str, loop: Loop) -> Callable[[int], None]:
        """Return the call of a verb for a loop."""
        calls = {"load": self.load_alone, "list": self.list_alone, "save": self.save_alone}
        return partial(calls[verb], loop)


async def measure(scale: Scale, folder: Path) -> Section:
    """Give every store the same calls, in turns, and return the tables."""
    work = Work(documents(_DOCUMENTS))
    found: Found = {}
    for sync, verbs in (("normal", ("load", "list", "save")), ("full", ("save",))):
        everybody, alone = keepers(folder, sync), loops(folder, sync)
        for keeper in everybody.values():
            await keeper.open(work.given)
        for loop in alone.values():
            loop.open(work.given)
        lanes: list[slicing.Tasks | slicing.Loop] = [
            slicing.Tasks((sync, verb, str(tasks), name), work.tasks(verb, keeper), tasks)
            for verb in verbs
            for tasks in _TASKS
            for name, keeper in everybody.items()
            if verb != "list" or name not in ONLY_KEYS
        ]
        lanes += [
            slicing.Loop((sync, verb, _ALONE, name), work.alone(verb, loop))
            for verb in verbs
            for name, loop in alone.items()
        ]
        found.update(await slicing.run(lanes, rounds=scale.rounds, seconds=scale.slice))
        for keeper in everybody.values():
            await keeper.close()
        for loop in alone.values():
            loop.close()
    blocks = [_HOW]
    if gone := missing():
        blocks.append(f"Not installed, and so not measured: {', '.join(gone)}.")
    groups = list(dict.fromkeys(place[:2] for place in found))
    for group in groups:
        blocks += [f"### {group[1]}, `synchronous={group[0]}`", _table(found, group)]
    blocks += ["### `checkpoints.append`", await _appending(folder)]
    plots = {f"{verb}-{sync}": _plot(found, (sync, verb)) for sync, verb in groups}
    return Section(
        "paths",
        "Records, the whole way",
        tuple(blocks),
        _required(found),
        plots,
        slicing.said(scale.rounds, scale.slice),
    )


async def _appending(folder: Path) -> str:
    """Return a table of the median of `checkpoints.append`, with and without the loop."""
    stores = {
        ROPEWALK: Records(f"sqlite:///{folder / 'append-loop.db'}"),
        THREADS: Records(f"sqlite:///{folder / 'append-threads.db'}?loop_budget=0"),
    }
    spent: dict[str, list[float]] = defaultdict(list)
    writer = Writer(SEED)
    for store in stores.values():
        await store.open([])
        await store.storage.threads.create(id="main")
        await store.storage.checkpoints.save("main", {"messages": []})
    for _ in range(_STEPS):
        message = writer.message()
        for name, store in stores.items():
            before = slicing.micros()
            await store.storage.checkpoints.append("main", {"messages": [message]})
            spent[name].append(slicing.micros() - before)
    for store in stores.values():
        await store.close()
    figures = [number(median(taken)) for taken in spent.values()]
    return table(("µs, median", *spent), [["`checkpoints.append`", *figures]])


def _table(found: Found, group: tuple[str, ...]) -> str:
    names = dict.fromkeys(place[-1] for place in found if place[:2] == group)
    late_at = _TASKS[-2:]
    head = ("", *[f"{tasks:,}" for tasks in _TASKS], *[f"late at {t:,}" for t in late_at])
    rows: list[list[str]] = []
    for name in names:
        alone = found.get((*group, _ALONE, name))
        if alone is not None:
            rows.append([name, alone.spread(), *[ABSENT] * (len(head) - 2)])
            continue
        spreads = [found[(*group, str(tasks), name)].spread() for tasks in _TASKS]
        late = [number(found[(*group, str(tasks), name)].lateness()) for tasks in late_at]
        rows.append([name, *spreads, *late])
    return table(head, rows)


def _plot(found: Found, group: tuple[str, ...]) -> str:
    lines: dict[str, list[tuple[float, float]]] = {}
    for (*place, tasks, name), figures in found.items():
        if tuple(place) == group:
            line = lines.setdefault(name, [])
            at = _TASKS if tasks == _ALONE else (int(tasks),)
            line += [(each, figures.rate()) for each in at]
    return plot(f"{group[1]}, synchronous={group[0]}: calls a second", lines, below="tasks at once")


def _required(found: Found) -> tuple[Requirement, ...]:
    faster: list[Requirement] = []
    for (sync, verb, tasks, whom), least in _LEAST.items():
        theirs = (sync, verb, _ALONE if whom == APSW else str(tasks), whom)
        many = times(found, (sync, verb, str(tasks), ROPEWALK), theirs)
        what = f"{verb}, {tasks} tasks, {sync}, to {whom}"
        faster.append(Requirement(what, many, least=least))
    late = [
        Requirement(f"late, {verb}, {tasks} tasks, {sync}", figures.lateness(), most=10, unit="ms")
        for (sync, verb, tasks, name), figures in found.items()
        if name == ROPEWALK
    ]
    return (*faster, *late)
