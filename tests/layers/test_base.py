"""What a layer is not about goes past it; what it is about never does."""

from __future__ import annotations

from collections.abc import Sequence

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.record import Key, Record
from ropewalk.layers.base import Layer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.samples import key, put, write


class _Counting(Layer):
    """Count the calls of one verb."""

    calls = 0

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Count, and pass on."""
        self.calls += 1
        return await super().get(keys, bodies=bodies)


async def test_a_verb_goes_past_the_layers_that_are_not_about_it(memory: MemoryBackend) -> None:
    """Through any number of layers, a verb is a call of each that changes it and no other."""
    inner = _Counting(memory)
    stack = Layer(Layer(Layer(inner)))
    await write(stack, put("a"))
    assert inner.get == stack.get
    assert 1 == len([r for r in await stack.get([key("a")]) if r])
    assert 1 == inner.calls
    outer = _Counting(stack)
    await outer.get([key("a")])
    assert (1, 2) == (outer.calls, inner.calls)


async def test_nothing_goes_past_a_switch(layer: SwitchLayer, target: MemoryBackend) -> None:
    """Layers round a store that moves reach the store that is in use, before and after."""
    stack = Layer(Layer(layer))
    await write(stack, put("a", b"old"))
    await layer.switch(target)
    await write(stack, put("b", b"new"))
    assert [b"old", b"new"] == [r.body for r in await stack.get([key("a"), key("b")]) if r]
    assert target is layer.below
