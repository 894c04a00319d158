"""The history of a delta channel: what a graph reads to make its value out of what was written."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final, cast

from langgraph.checkpoint.base import CheckpointMetadata
from langgraph.checkpoint.base.id import uuid6
from langgraph.checkpoint.serde.types import _DeltaSnapshot  # pyright: ignore[reportPrivateUsage]

from .contestants import PEER_NORMAL, SAVER
from .figures import median
from .savers import OnRopewalk, Peer, Saver, config_of
from .text import Writer, as_objects
from .workloads import SEED

_CHANNEL: Final = "messages"


async def histories(steps: int, rounds: int, folder: Path) -> dict[str, float]:
    """Write a message a step on both savers, and return how long it takes to read them all.

    In microseconds, the median of all rounds, in which they take turns.
    """
    lanes: dict[str, Peer | OnRopewalk] = {PEER_NORMAL: Peer(), SAVER: OnRopewalk()}
    times: dict[str, list[float]] = {name: [] for name in lanes}
    for place, lane in enumerate(lanes.values()):
        await lane.open(folder / f"deltas-{place}.db")
    newest = {name: await _written(lane.saver, steps) for name, lane in lanes.items()}
    for _ in range(rounds):
        for name, lane in lanes.items():
            config = config_of("t", newest[name])
            started = time.perf_counter_ns()
            found = await lane.saver.aget_delta_channel_history(config=config, channels=[_CHANNEL])
            times[name].append((time.perf_counter_ns() - started) / 1_000)
            if len(found[_CHANNEL]["writes"]) != steps or "seed" not in found[_CHANNEL]:
                message = f"{name} lost what was written"
                raise AssertionError(message)
    for lane in lanes.values():
        await lane.close()
    return {name: median(taken) for name, taken in times.items()}


async def _written(saver: Saver, steps: int) -> str:
    writer, parent = Writer(SEED), None
    for step in range(steps + 1):
        id_ = str(uuid6(clock_seq=step))
        version = f"{step:032}.{step:016}"
        about: dict[str, object] = {"source": "loop", "step": step, "parents": {}}
        counted = {"counters_since_delta_snapshot": {_CHANNEL: [step, step]}}
        at = await saver.aput(
            config_of("t", parent),
            {
                "v": 4,
                "id": id_,
                "ts": "2026-11-22T00:00:00+00:00",
                "channel_values": {} if step else {_CHANNEL: _DeltaSnapshot([])},
                "channel_versions": {_CHANNEL: version},
                "versions_seen": {},
                "updated_channels": [_CHANNEL],
            },
            cast("CheckpointMetadata", {**about, **counted}),
            {_CHANNEL: version},
        )
        parent = id_
        if step < steps:
            await saver.aput_writes(at, [(_CHANNEL, as_objects(writer.message()))], f"task-{step}")
    return str(parent)
