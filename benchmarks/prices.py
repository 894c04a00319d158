"""Question 10: what each layer and each step of a codec adds to an operation."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from operator import sub
from pathlib import Path
from typing import Final

from ropewalk.codecs.pipeline import Pipeline, make_pipeline
from ropewalk.domain.record import Key, Record
from ropewalk.layers import ORDER

from . import slicing
from .figures import median
from .keepers import Keeper, Records
from .paths import documents
from .scale import Scale
from .slicing import Figures, Found
from .statements import Row
from .tables import Section, number, table

_BARE: Final = "no layer"
_ALL: Final = "all of them"
_HEARD: Final = "logs, where a handler makes every line"
_PRICED: Final = tuple(name for name in ORDER if name not in {"switch", "readonly"})
_VERBS: Final = ("load", "save")
_DOCUMENTS: Final = 200
_ROUNDS: Final = 4
"""How often as many slices as elsewhere: they are short, for what differs is little."""
_SECONDS: Final = 0.02
_STEPS: Final[tuple[tuple[str, ...], ...]] = ((), ("crc32",), ("zstd",), ("zstd", "crc32"))
_LOGGER: Final = logging.getLogger("ropewalk")

_HOW: Final = (
    "Microseconds of the processor that a layer adds to one operation, one operation after the "
    "other, over the memory back end: the median over the rounds of the difference to the same "
    "store without it in the same round, and the quartiles. `switch` stands in every store and is "
    "part of the first row; `readonly` adds nothing but a refusal."
)
_HOW_STEPS: Final = (
    "Microseconds of the processor to close and to open one body of 0.5 to 2 kB: MessagePack "
    "alone, and with further steps. What is shorter than 1,024 bytes is not compressed."
)


class _Nowhere(logging.Handler):
    """Makes every line and throws it away."""

    def emit(self, record: logging.LogRecord) -> None:
        """Make the line."""
        self.format(record)


async def measure(scale: Scale, folder: Path) -> Section:
    """Give every layer the same calls as a store without one, in turns; return both tables."""
    del folder  # Everything is in memory.
    rounds, given = _ROUNDS * scale.rounds, documents(_DOCUMENTS)
    stores: dict[str, Keeper] = {_BARE: Records("memory://", layers=())}
    stores |= {name: Records("memory://", layers=[name]) for name in _PRICED}
    stores[_ALL] = Records("memory://", layers=_PRICED)
    for store in stores.values():
        await store.open(given)
    lanes = [lane for name, store in stores.items() for lane in _lanes(name, store, given)]
    found = await slicing.run(lanes, rounds=rounds, seconds=_SECONDS)
    rows = [[f"`{name}`", *_prices(found, name)] for name in stores if name != _BARE]
    if "logs" in _PRICED:
        heard = await _heard([lane for lane in lanes if lane.place[1] in {_BARE, "logs"}], rounds)
        rows.append([_HEARD, *_prices(heard, "logs")])
    for store in stores.values():
        await store.close()
    bare = [number(median(found[verb, _BARE].cpu)) for verb in _VERBS]
    rows.insert(0, ["the operation itself", *bare])
    steps = await _steps(given, rounds)
    blocks = (_HOW, table(("µs", *_VERBS), rows), _HOW_STEPS, steps)
    return Section("prices", "What each layer costs", blocks, note=slicing.said(rounds, _SECONDS))


def _lanes(name: str, store: Keeper, given: Sequence[Row]) -> list[slicing.Tasks]:
    async def load(_: int, n: int) -> None:
        await store.load(given[n % len(given)]["id"])

    async def save(_: int, n: int) -> None:
        await store.save(given[n % len(given)])

    return [slicing.Tasks(("load", name), load), slicing.Tasks(("save", name), save)]


async def _heard(lanes: Sequence[slicing.Tasks], rounds: int) -> Found:
    handler, level = _Nowhere(), _LOGGER.level
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    try:
        return await slicing.run(lanes, rounds=rounds, seconds=_SECONDS)
    finally:
        _LOGGER.propagate = True
        _LOGGER.setLevel(level)
        _LOGGER.removeHandler(handler)


def _prices(found: Found, name: str) -> list[str]:
    return [_more(found[verb, name], found[verb, _BARE]) for verb in _VERBS]


def _more(layer: Figures, bare: Figures) -> str:
    more = sorted(map(sub, layer.cpu, bare.cpu))
    low, high = more[len(more) // 4], more[3 * len(more) // 4]
    return f"{number(median(more))} ({number(low)} to {number(high)})"


async def _steps(given: Sequence[Row], rounds: int) -> str:
    key, lanes, sizes = Key("main", "note", "a"), list[slicing.Tasks](), dict[str, float]()
    for steps in _STEPS:
        name, pipeline = " + ".join(("msgpack", *steps)), make_pipeline(steps)
        sealed = [await pipeline.seal(row["data"], key) for row in given]
        records = [
            Record.bare(key, 1, times=(0, 0), seal=each.seal, body=each.body) for each in sealed
        ]
        sizes[name] = sum(len(each.body) for each in sealed) / len(sealed)
        lanes.append(slicing.Tasks(("close", name), _closing(pipeline, given, key)))
        lanes.append(slicing.Tasks(("open", name), partial(_open, pipeline, records)))
    found = await slicing.run(lanes, rounds=rounds, seconds=_SECONDS)
    rows = [
        [
            name,
            *[number(median(found[verb, name].cpu)) for verb in ("close", "open")],
            number(size),
        ]
        for name, size in sizes.items()
    ]
    return table(("µs", "close", "open", "bytes, mean"), rows)


def _closing(
    pipeline: Pipeline, given: Sequence[Row], key: Key
) -> Callable[[int, int], Awaitable[None]]:
    async def close(_: int, n: int) -> None:
        await pipeline.seal(given[n % len(given)]["data"], key)

    return close


async def _open(pipeline: Pipeline, records: Sequence[Record], _: int, n: int) -> None:
    await pipeline.unseal(records[n % len(records)])
