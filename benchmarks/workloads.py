"""What the stores are given: conversations that grow, change, branch, and carry big blobs.

A workload is a series of events, made one by one. Its state is one object whose lists and dicts
change in place from event to event, as a program's would. A message never changes in place: an
edited one is a new object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from .text import Message, Writer, as_objects

State: TypeAlias = dict[str, object]

MAIN: Final = "main"
SEED: Final = 20_250_601

_NOTES: Final = 40
_NOTE_BYTES: Final = 500
_BLOB_BYTES: Final = 1 << 20
_REGION_BYTES: Final = 4 << 10
_BLOB_CHANGES_EVERY: Final = 50
_SUMMARISE_AT: Final = 200
_SUMMARISED: Final = 80


@dataclass(frozen=True, slots=True)
class Put:
    """A step to keep: the whole state of a thread, and what an `append` of it would name."""

    state: State
    delta: State | None = None
    thread: str = MAIN


@dataclass(frozen=True, slots=True)
class Fork:
    """A new thread that continues another behind its step number `after`."""

    thread: str
    source: str
    after: int


Event: TypeAlias = Put | Fork
Workload: TypeAlias = Callable[[], Iterator[Event]]


def growing(steps: int, *, seed: int = SEED) -> Iterator[Event]:
    """W1: a list of messages that grows by one a step."""
    writer = Writer(seed)
    messages: list[Message] = []
    state: State = {"messages": messages}
    for _ in range(steps):
        message = writer.message()
        messages.append(message)
        yield Put(state, {"messages": [message]})


def growing_objects(steps: int, *, seed: int = SEED) -> Iterator[Event]:
    """W1 with messages that are objects of LangChain."""
    writer = Writer(seed)
    messages: list[object] = []
    state: State = {"messages": messages}
    for _ in range(steps):
        message = as_objects(writer.message())
        messages.append(message)
        yield Put(state, {"messages": [message]})


def with_scratchpad(steps: int, *, seed: int = SEED) -> Iterator[Event]:
    """W2: messages, five scalars, and a scratchpad of 20 kB of which one or two notes change."""
    writer, random = Writer(seed), Random(seed)
    messages: list[Message] = []
    pad = {f"note-{n:02}": writer.words(_NOTE_BYTES) for n in range(_NOTES)}
    state: State = {"messages": messages, "scratchpad": pad, "phase": "plan", "owner": "agent-7"}
    for step in range(steps):
        message = writer.message()
        messages.append(message)
        for _ in range(random.choice((1, 2))):
            pad[f"note-{random.randrange(_NOTES):02}"] = writer.words(_NOTE_BYTES)
        scalars: State = {
            "step": step,
            "budget": 10_000 - 7 * step,
            "score": round(random.random(), 6),
        }
        if step % 10 == 0:
            scalars["phase"] = random.choice(("plan", "act", "reflect"))
        state.update(scalars)
        yield Put(state, {"messages": [message], "scratchpad": pad, **scalars})


def edited(steps: int, *, seed: int = SEED) -> Iterator[Event]:
    """W3: messages are added, edited, deleted, and from time to time summed up."""
    writer, random = Writer(seed), Random(seed)
    messages: list[Message] = []
    state: State = {"messages": messages}
    for _ in range(steps):
        dice = random.random()
        if len(messages) > _SUMMARISE_AT:
            summary: Message = {"type": "system", "content": writer.words(1_500)}
            messages[:_SUMMARISED] = [summary]
        elif dice < 0.12 and len(messages) > 10:
            place = random.randrange(len(messages))
            messages[place] = {**messages[place], "content": writer.words(700)}
        elif dice < 0.20 and len(messages) > 10:
            del messages[random.randrange(len(messages))]
        else:
            messages.append(writer.message())
        yield Put(state)


def branching(steps: int, *, branches: int, length: int, seed: int = SEED) -> Iterator[Event]:
    """W4: a thread of `steps`, then branches from its middle, each `length` steps long."""
    kept = Writer(seed).messages(steps)
    yield from growing(steps, seed=seed)
    writer = Writer(seed + 1)
    middle = steps // 2
    for branch in range(branches):
        name = f"branch-{branch:03}"
        yield Fork(name, MAIN, middle)
        messages = kept[:middle]
        state: State = {"messages": messages}
        for _ in range(length):
            message = writer.message()
            messages.append(message)
            yield Put(state, {"messages": [message]}, name)


def with_blob(steps: int, *, seed: int = SEED) -> Iterator[Event]:
    """W5: messages, and a blob of 1 MB of which a region of 4 kB changes at times."""
    random = Random(seed)
    blob = random.randbytes(_BLOB_BYTES)
    for step, event in enumerate(growing(steps, seed=seed), start=1):
        if not isinstance(event, Put) or event.delta is None:
            continue
        delta = dict(event.delta)
        if step == 1 or step % _BLOB_CHANGES_EVERY == 0:
            start = random.randrange(_BLOB_BYTES - _REGION_BYTES)
            end = start + _REGION_BYTES
            blob = blob[:start] + random.randbytes(_REGION_BYTES) + blob[end:]
            delta["blob"] = event.state["blob"] = blob
        yield Put(event.state, delta)


def renewed(state: State) -> State:
    """Return the state with new containers of the same values, as LangGraph's reducers do."""
    return {name: copy(value) for name, value in state.items()}


def conversation(count: int, *, seed: int = SEED) -> list[Message]:
    """Return `count` messages, no two alike; beyond the first 2,000 only ids and openings differ.

    Writing every word of a state of 500 MB would take longer than storing it.
    """
    writer = Writer(seed)
    first = writer.messages(min(count, 2_000))
    return first + [
        {**first[n % len(first)], "id": writer.hexadecimal(32), "content": f"{n}: {text}"}
        for n in range(len(first), count)
        if (text := first[n % len(first)]["content"])
    ]
