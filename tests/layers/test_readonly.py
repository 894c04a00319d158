"""`ReadonlyLayer` lets every read through, unchanged, and no write."""

from __future__ import annotations

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Check
from ropewalk.domain.errors import Denied
from ropewalk.domain.query import Query
from ropewalk.layers.base import Layer
from ropewalk.layers.readonly import ReadonlyLayer
from ropewalk.testing.samples import commits, everything, key, put, soon, versions, write


@pytest.mark.seed("1.3")
async def test_whatever_is_no_write_is_the_backends_own(memory: MemoryBackend) -> None:
    """The layer has no reading of its own: all of it goes the way of every layer, which is proven.

    The contract goes through `Layer` with five layers that add to it.
    """
    assert (Layer,) == ReadonlyLayer.__bases__
    assert {"apply", "trim"} == {name for name in vars(ReadonlyLayer) if not name.startswith("__")}
    await write(memory, put("a", b"body"), put("b", labels={"n": 1}))
    layer = ReadonlyLayer(memory)
    everyone = Query(space=None)
    assert memory.capabilities == layer.capabilities
    assert await everything(memory, everyone) == await everything(layer, everyone)
    keys = [key(id) for id in "abc"]
    assert await memory.get(keys) == await layer.get(keys)
    assert await memory.tally(everyone) == await layer.tally(everyone)
    assert await commits(memory) == await commits(layer)
    assert await soon(memory.changed(0)) == await soon(layer.changed(0))
    assert await memory.ping() == await layer.ping()


@pytest.mark.seed("1.3")
async def test_a_write_is_denied(memory: MemoryBackend) -> None:
    """Every write is refused, naming a key, and nothing reaches the store; a check does."""
    await write(memory, put("a"))
    layer = ReadonlyLayer(memory)
    for change in (put("a"), put("b")):
        with pytest.raises(Denied, match="reading only") as caught:
            await write(layer, change)
        assert ("read_only", change.key) == (caught.value.code, caught.value.facts["key"])
    assert (1,) == await write(layer, Check(key=key("a"), expect=1))
    assert [1, 0] == await versions(layer, "a", "b")
    assert 1 == len(await commits(layer))
