"""Question 12: what a dictionary of a space's own bodies saves, and what it costs."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import ropewalk
from ropewalk.codecs.pipeline import Pipeline, make_pipeline
from ropewalk.config import Config
from ropewalk.domain.leaning import DEFAULT_SIZE
from ropewalk.domain.ports import Dictionary, Sealed
from ropewalk.domain.record import Key, Record

from .scale import Scale
from .tables import Requirement, Section, number, table
from .text import Writer
from .workloads import SEED

_SIZES: Final = (200, 700, 2_000, 4_000)
_BODIES: Final = 300
_SAMPLES: Final = 700_000
_KEY: Final = Key("default", "message", "0123456789abcdef0123456789abcdef")
_DISTINCT: Final = 5_000
_UNIT: Final = 1_000
_HOW: Final = (
    "Messages of an agent as `history.add_message` keeps them, of about so many characters, and "
    "the questions, calls, results and answers of whole conversations. Bytes of a sealed body, and "
    "microseconds of this thread to seal and to open one, the quickest of many rounds in turns. "
    "The dictionary was trained on others. Without one, bodies of less than 1,024 bytes are not "
    "compressed, and are opened that much sooner."
)
_KINDS: Final = (
    "Bytes of a mean body, where one dictionary is for all kinds of a space, or each kind has one "
    "of that size for itself."
)
_FILE: Final = (
    "A history in SQLite, each message in a commit of a thousand: bytes of the file, beside what "
    "the contents are; the dictionaries are in it."
)


def _letters(contents: Sequence[str]) -> list[dict[str, object]]:
    return [
        {
            "data": {
                "idempotency_key": None,
                "role": "user",
                "content": content,
                "name": None,
                "tool_call_id": None,
            }
        }
        for content in contents
    ]


def _contents(size: int, count: int) -> list[str]:
    writer, random = Writer(SEED + size), Random(SEED)
    if size == 0:
        return [str(message["content"]) for message in writer.messages(count)]
    return [writer.words(max(20, int(random.gauss(size, size / 4)))) for _ in range(count)]


def _trained(pipeline: Pipeline, values: Sequence[object]) -> Dictionary:
    made = pipeline.train([pipeline.values.dumps(value) for value in values], size=DEFAULT_SIZE)
    if made is None:
        raise ValueError(len(values))
    return made


async def _sealed(
    pipeline: Pipeline, values: Sequence[object], dictionary: Dictionary | None
) -> list[Sealed]:
    return [await pipeline.seal_leaning(value, _KEY, dictionary=dictionary) for value in values]


def _mean(sealed: Sequence[Sealed]) -> float:
    return sum(len(each.body) for each in sealed) / len(sealed)


async def _row(size: int, rounds: int) -> list[str]:
    """Return what a size of messages takes, with a dictionary and without."""
    pipeline = make_pipeline()
    mean = size or 1_100
    values = _letters(_contents(size, _BODIES + min(3_000, _SAMPLES // mean)))
    dictionary = _trained(pipeline, values[_BODIES:])
    values = values[:_BODIES]
    ways = (None, dictionary)
    sealed = [await _sealed(pipeline, values, way) for way in ways]
    records = [
        [Record.bare(_KEY, 1, times=(0, 0), seal=s.seal, body=s.body) for s in each]
        for each in sealed
    ]
    known = {dictionary.name: dictionary}
    least: dict[tuple[str, int], float] = {}
    for _ in range(rounds * 4):
        for place in (0, 1):
            spent = await _spent(partial(_sealed, pipeline, values, ways[place]))
            least["seal", place] = min(spent, least.get(("seal", place), spent))
            begin = time.thread_time()
            for record in records[place]:
                pipeline.unseal_leaning_at_once(record, dictionaries=known)
            spent = time.thread_time() - begin
            least["open", place] = min(spent, least.get(("open", place), spent))
    before, after = map(_mean, sealed)
    micros = [
        number(least[verb, place] * 1e6 / _BODIES) for verb in ("seal", "open") for place in (0, 1)
    ]
    name = f"{size:,}" if size else "conversations"
    return [name, number(before), number(after), f"{number(before / after)} ×", *micros]


async def _spent(call: Callable[[], Awaitable[object]]) -> float:
    begin = time.thread_time()
    await call()
    return time.thread_time() - begin


async def _kinds() -> list[list[str]]:
    """Return what kinds of entries take with one dictionary for all, and each with its own."""
    pipeline = make_pipeline()
    writer, random = Writer(SEED), Random(SEED)
    kinds: dict[str, list[dict[str, object]]] = {
        "message": _letters(_contents(0, 2_000)),
        "tool_call": [
            {"data": {"tool_name": "search", "tool_input": message, "tool_output": message["id"]}}
            for message in islice((m for m in writer.messages(8_000) if m.get("tool_calls")), 1_000)
        ],
        "token_usage": [
            {
                "data": {
                    "model": "example-large-2",
                    "provider": "example",
                    "prompt_tokens": random.randrange(9_000),
                    "completion_tokens": random.randrange(900),
                    "total_tokens": random.randrange(9_900),
                    "source": "api",
                    "confidence": 1.0,
                    "idempotency_key": None,
                }
            }
            for _ in range(1_000)
        ],
    }
    mixed = [value for values in kinds.values() for value in values[_BODIES:]]
    random.shuffle(mixed)
    common = _trained(pipeline, mixed)
    rows: list[list[str]] = []
    for kind, values in kinds.items():
        held, own = values[:_BODIES], _trained(pipeline, values[_BODIES:])
        means = [_mean(await _sealed(pipeline, held, way)) for way in (None, common, own)]
        rows.append([kind, *map(number, means)])
    return rows


async def _filled(path: Path, count: int, *, dictionary: int) -> tuple[os.stat_result, int]:
    """Return what a file with so many messages is like, and the bytes of the contents."""
    distinct = _contents(0, min(count, _DISTINCT))
    size = 0
    config = Config(url=f"sqlite:///{path}", dictionary=dictionary)
    async with ropewalk.open(config) as storage:
        for start in range(0, count, _UNIT):
            async with storage.unit() as unit:
                thread = await unit.threads.create()
                for n in range(start, min(start + _UNIT, count)):
                    content = f"{n}: {distinct[n % len(distinct)]}"
                    size += len(content)
                    await unit.history.add_message(
                        role="user", content=content, thread_id=thread.id
                    )
    return await asyncio.to_thread(path.stat), size


async def measure(scale: Scale, folder: Path) -> Section:
    """Seal and open messages of several sizes, fill two files, and return the tables."""
    rows = [await _row(size, scale.rounds) for size in (*_SIZES, 0)]
    kinds = await _kinds()
    count = scale.sizes[-1]
    without, size = await _filled(folder / "without.db", count, dictionary=0)
    leaning, _ = await _filled(folder / "with.db", count, dictionary=DEFAULT_SIZE)
    before, after = without.st_size, leaning.st_size
    head = (
        *("characters", "bytes without", "bytes with", "times"),
        *("seal without, µs", "seal with", "open without, µs", "open with"),
    )
    files = [
        [f"{count:,} messages", *[number(each / 1e6) for each in (size, before, after)]],
    ]
    blocks = (
        _HOW,
        table(head, rows),
        _KINDS,
        table(("kind", "without", "one for all", "one for each"), kinds),
        _FILE,
        table(("", "contents, MB", "without, MB", "with, MB"), files),
    )
    required = (Requirement("file of a history, without to with", before / after, least=1.4),)
    return Section("bodies", "A dictionary for small bodies", blocks, required)
