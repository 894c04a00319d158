"""`ReadonlyLayer` lets every read through, unchanged, and no write."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Applied, Batch, Check
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Denied
from ropewalk.domain.ports import Backend
from ropewalk.layers.readonly import ReadonlyLayer
from ropewalk.testing.backend import BackendContract
from ropewalk.testing.samples import commits, key, put, versions, write


class SideDoor(ReadonlyLayer):
    """Writes go past the layer, so that the contract can see how everything else goes through."""

    async def apply(self, batch: Batch) -> Applied:
        """Apply the batch below."""
        return await self.below.apply(batch)

    async def trim(self, before: int) -> int:
        """Forget commits below."""
        return await self.below.trim(before)


class TestReading(BackendContract):
    """Whatever is no write is the backend's own."""

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[Backend]:
        """Return an open layer that can be written past."""
        layer = SideDoor(MemoryBackend(clock=clock))
        await layer.open()
        yield layer
        await layer.close()


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
