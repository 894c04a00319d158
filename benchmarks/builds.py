"""Stores that are filled once, closed, and then read or pruned as often as wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .contestants import Contestant, contestants
from .figures import file_bytes
from .workloads import Event, Put, State, conversation

_LAST: Final = 20


@dataclass(frozen=True, slots=True)
class Filled:
    """A contestant, closed, with its file and the state that it must give back."""

    lane: Contestant
    path: Path
    size: int
    state: State


async def fill(names: Iterable[str], events: Iterable[Event], folder: Path) -> dict[str, Filled]:
    """Give every event to one contestant for each name, and close them all."""
    lanes: Mapping[str, Contestant] = contestants(*names)
    paths = {name: folder / f"filled-{place}.db" for place, name in enumerate(lanes)}
    for name, lane in lanes.items():
        await lane.open(paths[name])
    state: State = {}
    for event in events:
        if isinstance(event, Put):
            state = event.state
            for lane in lanes.values():
                await lane.prepare(event)()
    for lane in lanes.values():
        await lane.close()
    return {
        name: Filled(lane, paths[name], file_bytes(paths[name]), state)
        for name, lane in lanes.items()
    }


def long_conversation(count: int) -> Iterator[Event]:
    """Begin with all but the last 20 of `count` messages, then add one a step."""
    written = conversation(count)
    first = max(1, count - _LAST)
    messages = written[:first]
    state: State = {"messages": messages}
    yield Put(state)
    for message in written[first:]:
        messages.append(message)
        yield Put(state, {"messages": [message]})
