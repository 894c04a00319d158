"""Random work on few items by many callers at once, cancelled here and there, all recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final, Literal, TypeAlias

from ..domain.change import Batch, Change, Delete, Put
from ..domain.errors import Conflict, Invalid, Unavailable
from ..domain.ports import Backend
from ..services.overlay.reads import check_of
from .histories import History
from .recording import SPACE, RecordedUnit, Recording, Tape, expecting, item, put
from .samples import commits, soon

ITEMS: Final = ("a", "b", "c")
TAGS: Final = ("red", "blue")

Verb: TypeAlias = Literal["get", "put", "swap", "delete", "anew", "unit", "list"]

_SINGLE: Final[tuple[Verb, ...]] = ("get", "swap", "put", "delete", "get", "anew", "swap")
_VERBS: Final[tuple[Verb, ...]] = (*_SINGLE, "unit", "unit", "unit")
_STEPS: Final[tuple[Verb, ...]] = ("get", "put", "list", "get", "put", "delete")

_LONGEST_THOUGHT: Final = 20

Pick = Callable[[int], int]
"""Choose a number below the one given: by Hypothesis, or by `random.Random.randrange`."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a caller does.

    `swap` reads and then writes what it expects to be as read; `anew` deletes and then makes
    another one in its place; a `unit` does its `steps`. Between what it has seen and what it makes
    of it are so many turns of the loop as `thought`. With `cancel`, it is cancelled after so many
    turns; with `again`, what got no answer is sent again.
    """

    verb: Verb
    names: tuple[str, ...] = ()
    tag: str = ""
    steps: tuple[Act, ...] = ()
    thought: int = 0
    cancel: int | None = None
    again: bool = False


def any_act(pick: Pick) -> Act:
    """Choose something to do; any item may be deleted and made again, in units and out of them."""
    verb = _VERBS[pick(len(_VERBS))]
    cancel = pick((40, 4)[pick(2)]) if pick(6) == 1 else None
    if verb == "unit":
        steps = tuple(_any_step(pick) for _ in range(1 + pick(5)))
        return Act("unit", steps=steps, thought=pick(_LONGEST_THOUGHT), cancel=cancel)
    again = pick(2) == 1
    thought = pick(_LONGEST_THOUGHT) if verb == "swap" else 0
    names, tag = _any_names(pick), _any_tag(pick)
    return Act(verb, names, tag, thought=thought, cancel=cancel, again=again)


def _any_step(pick: Pick) -> Act:
    return Act(_STEPS[pick(len(_STEPS))], _any_names(pick)[:1], _any_tag(pick))


def _any_names(pick: Pick) -> tuple[str, ...]:
    first = pick(len(ITEMS))
    return tuple(ITEMS[(first + n) % len(ITEMS)] for n in range(1 + pick(2)))


def _any_tag(pick: Pick) -> str:
    return TAGS[pick(len(TAGS))]


@dataclass(slots=True)
class Caller:
    """One caller, who does one thing after the other; `prefix` tells its items from others'."""

    recording: Recording
    prefix: str = ""
    _numbers: count[int] = field(default_factory=count)

    async def play(self, acts: Sequence[Act]) -> None:
        """Do all of it; conflicts and lost answers are part of the game."""
        for act in acts:
            await self.do(act)

    async def do(self, act: Act) -> None:
        """Do one thing, or begin it and cancel it on its way."""
        task = asyncio.ensure_future(self._attempt(act))
        if act.cancel is not None:
            for _ in range(act.cancel):
                if task.done():
                    break
                await asyncio.sleep(0)
            task.cancel()
        try:
            await soon(task)
        except asyncio.CancelledError:
            if not task.cancelled() or act.cancel is None:
                raise

    async def _attempt(self, act: Act) -> None:
        try:
            await self._act(act)
        except (Conflict, Invalid, Unavailable):
            return

    async def _act(self, act: Act) -> None:
        keys = [item(self.prefix + name) for name in act.names]
        if act.verb == "get":
            await self.recording.get(keys)
        elif act.verb == "unit":
            await self._unit(act)
        elif act.verb == "swap":
            records = await self.recording.get(keys)
            await _think(act)
            changes: list[Change] = [expecting(self._put(act, act.names[0]), records[0])]
            changes += map(check_of, keys[1:], records[1:])
            await self._apply(act, changes)
        elif act.verb == "delete":
            await self._apply(act, [Delete(key=keys[0])])
        elif act.verb == "anew":
            await self._apply(act, [Delete(key=key) for key in keys])
            await self._apply(act, [self._put(act, name) for name in act.names])
        else:
            await self._apply(act, [self._put(act, name) for name in act.names])

    def _put(self, act: Act, name: str) -> Put:
        tag = self.prefix + act.tag if act.tag else ""
        return put(self.prefix + name, self._value(), tag=tag)

    def _value(self) -> str:
        return f"{self.recording.who}.{next(self._numbers)}"

    async def _apply(self, act: Act, changes: Sequence[Change]) -> None:
        batch = Batch(tuple(changes), actor=self.recording.who)
        try:
            await self.recording.apply(batch)
        except (asyncio.CancelledError, Unavailable):
            if act.again:
                await asyncio.shield(asyncio.ensure_future(self.recording.apply(batch)))
            raise

    async def _unit(self, act: Act) -> None:
        async with self.recording.unit() as unit:
            for step in act.steps:
                await self._step(unit, step)
            await _think(act)

    async def _step(self, unit: RecordedUnit, step: Act) -> None:
        name = self.prefix + step.names[0]
        if step.verb == "get":
            await unit.get(name)
        elif step.verb == "list":
            await unit.list(self.prefix + step.tag)
        elif step.verb == "delete":
            await unit.delete(name)
        else:
            await unit.put(name, self._value(), tag=self.prefix + step.tag)


async def _think(act: Act) -> None:
    for _ in range(act.thought):
        await asyncio.sleep(0)


async def record_history(backend: Backend, plays: Sequence[Sequence[Act]]) -> History:
    """Let each caller play its part at the same time in an open, empty store; return the history.

    At the end everything is read once, and the feed is told.
    """
    tape = Tape()
    callers = [Caller(Recording(backend, tape, who=f"w{n}")) for n in range(len(plays))]
    async with asyncio.TaskGroup() as group:
        for caller, acts in zip(callers, plays, strict=True):
            group.create_task(caller.play(acts))
    await Recording(backend, tape, who="last").get([item(name) for name in ITEMS])
    told = [commit for commit in await commits(backend) if _is_ours(commit.changes[0].key.space)]
    return History.of(tape.events, told)


def _is_ours(space: str) -> bool:
    return space == SPACE
