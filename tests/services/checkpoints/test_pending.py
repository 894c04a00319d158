"""What tasks wrote is read in few looks, as it was written, and damage is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.checkpoint import Write
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.layers.base import Layer
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("3.4")

STEPS = 70
"""More than are read together."""


class Looking(Layer):
    """Counts how often nodes are asked for, and can spoil one."""

    looks = 0
    spoiled: Key | None = None

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Count a look at nodes."""
        self.looks += any(key.kind == "node" for key in keys)
        found = await super().get(keys, bodies=bodies)
        return [
            replace(record, body=b"spoiled") if record and record.key == self.spoiled else record
            for record in found
        ]


def _value(step: int) -> Any:  # noqa: ANN401 (values of all sorts)
    kinds: list[Any] = [
        step,
        f"word {step} " * 40,
        {"k": step, "long": [f"item {n} of {step}" * 9 for n in range(60)]},
        [{"text": f"{step} " * 70}, None],
        {},
    ]
    return kinds[step % len(kinds)]


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    """A back end whose looks are counted, with many checkpoints written at."""
    clock = FrozenClock()
    layer = Looking(MemoryBackend(clock=clock))
    async with Storage(layer, make_pipeline(), clock) as storage:
        for step in range(STEPS):
            writes = [
                Write(task_id="b", index=0, channel="c", value=_value(step), task_path="~2"),
                Write(task_id="a", index=1, channel="d", value=step, task_path="~2"),
                Write(task_id="z", index=0, channel="c", value=-step, task_path="~1"),
            ]
            await storage.states.put_writes(_id(step), "t", writes, replace=False)
        yield layer


def _id(step: int) -> str:
    return f"{step:03}"


def _fresh(looking: Looking) -> Storage:
    """Return a handle that has read nothing yet."""
    return Storage(looking, make_pipeline(), FrozenClock())


async def test_many_writes_are_read_in_few_looks(looking: Looking) -> None:
    """The values come in the order of path, task and place; three looks are for depth."""
    ids = [_id(step) for step in range(STEPS)]
    looking.looks = 0

    found = await _fresh(looking).states.writes_of(ids, channels=["c"])

    expected = {_id(step): [-step, _value(step)] for step in range(STEPS)}
    assert expected == {id_: [write.value for write in writes] for id_, writes in found.items()}
    assert looking.looks <= 3 * (1 + 2 * STEPS // 64)


async def test_a_damaged_write_is_named(looking: Looking) -> None:
    """Among many that are read together, by the id of its record; others can still be read."""
    nodes = [record.key async for record in looking.scan(Query(space="default", kinds=("node",)))]
    ids = [_id(step) for step in range(STEPS)]
    named: set[str] = set()
    for key in nodes[:: len(nodes) // 3]:
        looking.spoiled = key
        with pytest.raises(Corrupt) as caught:
            await _fresh(looking).states.writes_of(ids)
        whole = str(caught.value.facts["id"])
        named.add(whole)
        assert caught.value.facts["key"] == key
        at = whole.partition("/")[0]
        spared = [id_ for id_ in ids if id_ != at]
        assert len(spared) == len(await _fresh(looking).states.writes_of(spared))
        with pytest.raises(Corrupt, match=at):
            await _fresh(looking).states.writes(at)
    assert named
