"""A little store with everything that states consist of, and what must come out of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.checkpoint import Write
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import RopewalkError
from ropewalk.domain.ports import Backend
from ropewalk.domain.record import DEFAULT_SPACE
from ropewalk.services.checkpoints.forest import Forest
from ropewalk.services.desk import Desk
from ropewalk.services.storage import Storage

_TEXT: Final = "rope walk strand tar hemp twist yarn fibre sail mast hull anchor tide harbour pilot"
WORDS: Final = _TEXT.split()


@dataclass(slots=True)
class Book:
    """What was written: each state by its checkpoint, and the values of the pending writes."""

    states: dict[str, Any] = field(default_factory=dict[str, Any])
    writes: dict[str, list[Any]] = field(default_factory=dict[str, "list[Any]"])
    threads: dict[str, str] = field(default_factory=dict[str, str])


def handle(backend: Backend) -> Storage:
    """Return a handle that has read nothing yet."""
    return Storage(backend, make_pipeline(), SystemClock())


def message(rng: random.Random, number: int) -> dict[str, Any]:
    """Make a message of an agent."""
    text = " ".join(rng.choices(WORDS, k=rng.randint(10, 120)))
    return {"role": "user", "content": text, "number": number}


async def fill(backend: Backend, *, steps: int = 12) -> Book:
    """Write two threads, a fork, pending writes, long texts and a dictionary."""
    rng = random.Random(7)
    book = Book()
    storage = handle(backend)
    state: dict[str, Any] = {"messages": [], "pad": " ".join(rng.choices(WORDS, k=2_000)), "n": 0}

    async def keep(thread_id: str, state: dict[str, Any]) -> str:
        header = await storage.checkpoints.save(thread_id, state)
        book.states[header.id] = {**state, "messages": [*state["messages"]]}
        book.threads[header.id] = thread_id
        return header.id

    await storage.threads.create(id="t")
    await storage.threads.create(id="other")
    middle = ""
    for number in range(steps):
        state["messages"] = [*state["messages"], message(rng, number)]
        state["n"] = number
        saved = await keep("t", state)
        middle = saved if number == steps // 2 else middle
    fork = await storage.threads.fork("t", at=middle, id="fork")
    await keep(fork.id, {**book.states[middle], "n": "forked"})

    await _train(backend)
    # A new handle looks for the dictionary before it writes.
    storage = handle(backend)
    for number in range(3):
        await keep("other", {"messages": [message(rng, 100 + number)], "n": number})
    values = [message(rng, 1_000 + number) for number in range(3)]
    await storage.states.put_writes(
        middle,
        "t",
        [
            Write(task_id="task", index=number, channel="messages", value=value)
            for number, value in enumerate(values)
        ],
        replace=False,
    )
    book.writes[middle] = values
    return book


async def _train(backend: Backend) -> None:
    """Keep a dictionary, without waiting for the one that is trained beside the writing."""
    desk = Desk(backend, make_pipeline(), SystemClock(), DEFAULT_SPACE)
    rng = random.Random(8)
    samples = [desk.sealer.values.dumps(message(rng, number)) for number in range(400)]
    dictionary = desk.sealer.train(samples, size=8 * 1024)
    assert dictionary is not None
    await Forest(desk).adopt(dictionary)


async def unreadable(
    storage: Storage, book: Book, *, missed: set[str] | None = None
) -> tuple[set[str], set[str]]:
    """Return the checkpoints and those with writes that cannot be read; all else is right.

    Where `missed` is given, writes may be missing in the list of a checkpoint, which is put there.
    """
    states: set[str] = set()
    writes: set[str] = set()
    for id_, expected in book.states.items():
        try:
            found = (await storage.checkpoints.load(id_)).state
        except RopewalkError:
            states.add(id_)
        else:
            assert expected == found, id_
    for id_, expected in book.writes.items():
        try:
            found = [write.value for write in await storage.states.writes(id_)]
        except RopewalkError:
            writes.add(id_)
        else:
            there = expected
            if missed is not None and found != expected:
                missed.add(id_)
                there = [value for value in expected if value in found]
            assert there == found, id_
    return states, writes
