"""Delta channels: their history along a line of checkpoints, and which of these they need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from langgraph.checkpoint.base import DeltaChannelHistory, PendingWrite

from ...domain.checkpoint import CheckpointHeader
from ...domain.graph import CHECKPOINT
from .state import channels_of, keys_of, values_of
from .values import is_snapshot

if TYPE_CHECKING:
    from ...services.states import States

_COUNTERS: Final = "counters_since_delta_snapshot"
"""The metadata in which LangGraph counts the steps since the last snapshot of a delta channel."""

_TELLING: Final = 4
"""From this version of its checkpoints on, LangGraph has delta channels, and names all channels."""

_PASSING: Final = frozenset(
    {
        "__start__",
        "__input__",
        "__error__",
        "__error_source_node__",
        "__interrupt__",
        "__resume__",
        "__return__",
        "__scheduled__",
        "__no_writes__",
        "__pregel_tasks",
        "__pregel_push",
    }
)
_PASSING_PREFIX: Final = "branch:to:"
"""LangGraph's own channels, whose values pass with a step: they have no history."""

_FIRST_WINDOW: Final = 16
_WIDER: Final = 4
_WIDEST_WINDOW: Final = 256


async def ancestors(
    states: States, header: CheckpointHeader, *, width: int = _FIRST_WINDOW
) -> AsyncIterator[CheckpointHeader]:
    """Go through the ancestors of a checkpoint, nearest first, until one is missing.

    Follows the parents, as ids do not tell who comes from whom; ends where they form a circle.
    `width` is how many of them are probably asked for.
    """
    walked = {header.id}
    near: dict[str, CheckpointHeader] = {}
    here: CheckpointHeader | None = header
    while here is not None and here.parent_id is not None and here.parent_id not in walked:
        id_ = here.parent_id
        walked.add(id_)
        if id_ not in near and id_ < here.id:
            # Most parents lie right before their children: a look at those finds many.
            rows = states.headers(
                thread_id=here.thread_id, namespace=here.namespace, before=here.id, limit=width
            )
            near = {each.id: each async for each in rows}
            width = min(_WIDER * width, _WIDEST_WINDOW)
        here = near.get(id_) or await states.find(id_)
        if here is not None:
            yield here


async def history(
    states: States, target: CheckpointHeader, channels: Sequence[str]
) -> dict[str, DeltaChannelHistory]:
    """Return for each channel the nearest value that an ancestor holds, and what was written since.

    The writes are in the order of the steps, and within a step in the order of their tasks. What
    was written at the ancestor with the value counts, what was written at the target does not.
    """
    writes: dict[str, list[PendingWrite]] = {channel: [] for channel in channels}
    seeds: dict[str, Any] = {}
    missing: Sequence[str] = channels
    keys = keys_of(missing)
    width = _distance(target, channels)
    async for window in _windows(ancestors(states, target, width=width), width):
        written = await states.writes_of([header.id for header in window], channels=channels)
        for header in window:
            for write in reversed(written.get(header.id, ())):
                if write.channel in missing:
                    writes[write.channel].append((write.task_id, write.channel, write.value))
            # Most checkpoints on the way hold none of them.
            if not states.may_have(header, keys):
                continue
            seeds |= await values_of(states, header, missing)
            missing = [channel for channel in channels if channel not in seeds]
            keys = keys_of(missing)
            if not missing:
                break
        else:
            continue
        break
    found: dict[str, DeltaChannelHistory] = {}
    for channel, newest_first in writes.items():
        found[channel] = {"writes": newest_first[::-1]}
        if channel in seeds:
            found[channel]["seed"] = seeds[channel]
    return found


def _distance(target: CheckpointHeader, channels: Sequence[str]) -> int:
    """Return how far up the line the values of these channels probably are."""
    counted = _counted(target)
    steps: list[int] = []
    for channel in channels:
        counts: object = counted.get(channel)
        if isinstance(counts, list | tuple):
            numbers = cast("Sequence[object]", counts)
            steps += [count + 1 for count in numbers if isinstance(count, int) and count >= 0]
    return min(max(steps, default=_FIRST_WINDOW), _WIDEST_WINDOW)


async def _windows(
    headers: AsyncIterator[CheckpointHeader], width: int
) -> AsyncIterator[list[CheckpointHeader]]:
    window: list[CheckpointHeader] = []
    async for header in headers:
        window.append(header)
        if len(window) == width:
            yield window
            window, width = [], min(_WIDER * width, _WIDEST_WINDOW)
    if window:
        yield window


@dataclass(frozen=True, slots=True)
class _Facts:
    """Which channels have a value at a checkpoint, and into which was written there."""

    held: frozenset[str]
    written: frozenset[str]


class Lifelines:
    """Finds the ancestors without which a delta channel of a checkpoint would be empty or wrong."""

    def __init__(self, states: States, headers: Iterable[CheckpointHeader]) -> None:
        """Look among `headers`: the checkpoints of one namespace of a thread."""
        self._states = states
        self._headers = {header.id: header for header in headers}
        self._facts: dict[str, _Facts] = {}

    async def of(self, header: CheckpointHeader) -> set[str]:
        """Return the ids of the ancestors that `header` needs.

        They are all from its parent down to the oldest one that holds, or adds to, the value of
        a channel that `header` itself leaves out.
        """
        facts = await self._of(header)
        open_ = await self._replayed(header, facts)
        if open_ == frozenset():
            return set()
        counted = _counted(header)
        closed: set[str] = set()
        started: set[str] = set()
        line: list[str] = []
        needed = 0
        for ancestor in self._line(header):
            line.append(ancestor.id)
            there = await self._of(ancestor)
            ours = {
                channel
                for channel in there.written | there.held
                if channel not in closed
                and channel not in facts.held
                and not _passes(channel)
                and (open_ is None or channel in open_)
            }
            started |= ours & there.written
            if ours & there.written:
                needed = len(line)
            for channel in ours & there.held:
                closed.add(channel)
                if (
                    channel in started
                    or channel in counted
                    or await self._is_seed(ancestor, channel)
                ):
                    needed = len(line)
            if open_ is not None and open_ <= closed:
                break
        return set(line[:needed])

    def _line(self, header: CheckpointHeader) -> Iterable[CheckpointHeader]:
        walked = {header.id}
        parent_id = header.parent_id
        while parent_id is not None and parent_id not in walked and parent_id in self._headers:
            walked.add(parent_id)
            parent = self._headers[parent_id]
            yield parent
            parent_id = parent.parent_id

    async def _of(self, header: CheckpointHeader) -> _Facts:
        facts = self._facts.get(header.id)
        if facts is None:
            held = await channels_of(self._states, header)
            written = (await self._states.written([header.id])).get(header.id, ())
            facts = self._facts[header.id] = _Facts(held, frozenset(written))
        return facts

    async def _replayed(self, header: CheckpointHeader, facts: _Facts) -> frozenset[str] | None:
        """Return the channels that may have to be replayed for a checkpoint, `None` for any."""
        state = await self._states.open(header, only=[CHECKPOINT])
        about = cast("Mapping[str, Any]", state.get(CHECKPOINT) or {})
        version = about.get("v")
        if not isinstance(version, int) or version < _TELLING:
            return None
        named = {*about.get("channel_versions", ()), *_counted(header)}
        return frozenset(name for name in named - facts.held if not _passes(name))

    async def _is_seed(self, header: CheckpointHeader, channel: str) -> bool:
        return is_snapshot((await values_of(self._states, header, [channel])).get(channel))


def _counted(header: CheckpointHeader) -> Mapping[str, object]:
    counters = header.metadata.get(_COUNTERS)
    return cast("Mapping[str, object]", counters) if isinstance(counters, Mapping) else {}


def _passes(channel: str) -> bool:
    return channel in _PASSING or channel.startswith(_PASSING_PREFIX)
