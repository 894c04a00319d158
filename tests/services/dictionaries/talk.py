"""Messages that have much in common, a dictionary of them, and stores that lean on it."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from ropewalk.codecs.pipeline import Pipeline, make_pipeline
from ropewalk.domain.leaning import BODIES, OF
from ropewalk.domain.ports import Backend, Dictionary
from ropewalk.domain.query import Query
from ropewalk.domain.record import DEFAULT_SPACE, Record
from ropewalk.services.dictionaries.bodies import Bodies
from ropewalk.services.dictionaries.room import Room
from ropewalk.services.storage import Storage

_WORDS: Final = tuple(f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in "lmnrst")


def said(seed: int, *, words: int = 40) -> str:
    """Return a message; all draw on the same phrases, and no two are alike."""
    rng = random.Random(seed)
    phrases = [" ".join(_WORDS[n : n + 4]) for n in range(0, len(_WORDS), 3)]
    return " ".join(rng.choices(phrases, k=words // 4)) + f" {rng.getrandbits(64):x}"


def trained(pipeline: Pipeline | None = None, *, first: int = 0) -> Dictionary:
    """Return a dictionary of two hundred messages as they lie in bodies."""
    used = pipeline or make_pipeline()
    letters = [{"data": {"role": "user", "text": said(n)}} for n in range(first, first + 200)]
    made = used.train([used.values.dumps(letter) for letter in letters], size=4_096)
    assert made is not None
    return made


async def furnish(storage: Storage, *, space: str = DEFAULT_SPACE, first: int = 0) -> Dictionary:
    """Put a dictionary into a space, as a program that wrote much there would have."""
    made = trained(first=first)
    await Room(storage.migrations.backend, make_pipeline(), space, actor="").adopt(made)
    return made


async def talk(storage: Storage, count: int, *, first: int = 0) -> list[str]:
    """Say so many messages on a new thread, and return its id behind them."""
    thread = await storage.threads.create()
    async with storage.unit() as unit:
        for n in range(first, first + count):
            await unit.history.add_message(role="user", content=said(n), thread_id=thread.id)
    return [*(said(n) for n in range(first, first + count)), thread.id]


async def heard(storage: Storage, thread_id: str) -> list[str]:
    """Return what was said on a thread."""
    return [message.content for message in await storage.history.messages(thread_id)]


async def seals(backend: Backend, kind: str, *, space: str = DEFAULT_SPACE) -> set[str]:
    """Return the seals that the bodies of a kind have."""
    return {r.seal async for r in backend.scan(Query(space=space, kinds=(kind,)))}


async def dictionaries(backend: Backend, *, space: str = DEFAULT_SPACE) -> list[Record]:
    """Return the dictionaries for bodies of a space."""
    found = backend.scan(Query(space=space, kinds=("dictionary",)))
    return [record async for record in found if record.labels.get(OF) == BODIES]


def sealer_over(backend: Backend, *, size: int = 65_536) -> Bodies:
    """Return a sealer that keeps its dictionaries in a back end."""
    return Bodies(make_pipeline(), backend, size=size, actor="")


async def until_adopted(storage: Storage, backend: Backend) -> None:
    """Go on writing until a dictionary that is being made is kept: a thread makes it."""
    for n in range(2_000):
        await storage.records.save({"type": "note", "data": {"text": said(n)}})
        if await dictionaries(backend):
            return
        await asyncio.sleep(0.01)
    message = "no dictionary was made"
    raise AssertionError(message)
