"""Question 9: whether the same calls take longer in a store with a hundred times the records."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

from ropewalk import Storage

from . import slicing, totals
from .keepers import Records
from .paths import documents
from .scale import Scale
from .slicing import Found
from .tables import Requirement, Section, number, table

_LISTED: Final = 50
_OF_A_SESSION: Final = 100
_DISTINCT: Final = 1_000
_CHUNK: Final = 1_000
_THREADS: Final = 100
_HOW: Final = (
    "Microseconds of one call, one after the other, in stores of sessions of a hundred records, "
    "with a hundred threads of five checkpoints each; medians of slices in changing order. "
    "*Times* is the slowest size to the fastest."
)


class _Filled:
    """A store with so many records of 0.5 to 2 kB, and some threads with checkpoints among them."""

    def __init__(self, path: Path, size: int) -> None:
        self._records = Records(f"sqlite:///{path}")
        self.path = path
        self.size = size

    @property
    def storage(self) -> Storage:
        return self._records.storage

    async def open(self) -> None:
        await self._records.open([])
        given = documents(_DISTINCT)
        for start in range(0, self.size, _CHUNK):
            await self.storage.records.save_many(
                {
                    **given[n % _DISTINCT],
                    "id": f"note-{n:07}",
                    "session_id": f"session-{n // _OF_A_SESSION}",
                }
                for n in range(start, min(start + _CHUNK, self.size))
            )
        for n in range(_THREADS):
            await self.storage.threads.create(id=f"t-{n}")
            for step in range(5):
                state = {"messages": [given[n % _DISTINCT]["data"]], "step": step}
                await self.storage.checkpoints.save(f"t-{n}", state)

    async def close(self) -> None:
        await self._records.close()

    async def load(self, _: int, n: int) -> None:
        id = f"note-{Random(n).randrange(self.size):07}"
        if await self.storage.records.load(id, type="note") is None:
            raise ValueError(id)

    async def page(self, _: int, n: int) -> None:
        session = f"session-{Random(n).randrange(self.size // _OF_A_SESSION)}"
        wanted = {"type": "note", "session_id": session}
        if len(await self.storage.records.list(wanted, limit=_LISTED)) != _LISTED:
            raise ValueError(session)

    async def latest(self, _: int, n: int) -> None:
        thread = f"t-{Random(n).randrange(_THREADS)}"
        if await self.storage.checkpoints.latest(thread) is None:
            raise ValueError(thread)

    async def save(self, _: int, n: int) -> None:
        await self.storage.records.save(
            {"id": f"new-{n}", "type": "note", "session_id": "new", "data": {"text": "x" * 1_000}}
        )

    def verbs(self) -> Mapping[str, Callable[[int, int], Awaitable[None]]]:
        return {
            "load": self.load,
            "a page of a session": self.page,
            "latest of a thread": self.latest,
            "save": self.save,
        }


async def measure(scale: Scale, folder: Path) -> Section:
    """Fill stores of every size, then give each the same calls in turns, and return the tables."""
    stores = [_Filled(folder / f"{size}.db", size) for size in scale.sizes]
    filling: list[float] = []
    for store in stores:
        started = time.monotonic()
        await store.open()
        filling.append(store.size / (time.monotonic() - started))
    lanes = [
        slicing.Tasks((verb, str(store.size)), call)
        for store in stores
        for verb, call in store.verbs().items()
    ]
    found = await slicing.run(lanes, rounds=scale.rounds, seconds=scale.slice)
    sums = await totals.measure(stores[0].storage, stores[0].path, folder, rounds=scale.rounds)
    for store in stores:
        await store.close()
    verbs = list(dict.fromkeys(place[0] for place in found))
    rows = [
        [
            verb,
            *[number(_micros(found, verb, size)) for size in scale.sizes],
            _times_text(found, verb),
        ]
        for verb in verbs
    ]
    rows.append(["filled, records a second", *map(number, filling), ""])
    head = ("", *[f"{size:,}" for size in scale.sizes], "times")
    required = [
        Requirement(f"{verb}, slowest size to fastest", _times(found, verb), most=2)
        for verb in verbs
    ]
    required += [
        Requirement(f"token totals of 1,000 records, {name}", spent, most=3, unit="ms")
        for name, spent in sums.items()
        if name != totals.BARE
    ]
    summed = table(("ms", *sums), [["token totals", *map(number, sums.values())]])
    blocks = (_HOW, table(head, rows), totals.HOW, summed)
    return Section(
        "sizes",
        "Ten thousand records, or a million",
        blocks,
        tuple(required),
        note=slicing.said(scale.rounds, scale.slice),
    )


def _micros(found: Found, verb: str, size: int) -> float:
    return 1e6 / found[verb, str(size)].rate()


def _times(found: Found, verb: str) -> float:
    rates = [figures.rate() for place, figures in found.items() if place[0] == verb]
    return max(rates) / min(rates)


def _times_text(found: Found, verb: str) -> str:
    return f"{number(_times(found, verb))} ×"
