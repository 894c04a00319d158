"""A memory store that outlives its back end, as a file does: sound, and with a bad memory."""

from __future__ import annotations

from dataclasses import replace

from ropewalk.domain.change import Applied, Batch
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import Health, State
from ropewalk.domain.ports import Backend, Capability
from ropewalk.layers.base import Layer


class Kept(Layer):
    """Let go of the store below on closing, and leave it as it is."""

    def __init__(self, below: Backend, *, generation: int = 0) -> None:
        """Stand round a store, a new one or (from generation 1 on) one that is in use."""
        super().__init__(below)
        self._generation = generation
        self._open = False

    @property
    def below(self) -> Backend:
        """The store, while this back end is open."""
        if not self._open:
            message = "this store is closed: open it first"
            raise Unavailable(message, code="closed")
        return self._below

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Declare that it lasts."""
        return self._below.capabilities | {Capability.DURABLE}

    async def open(self) -> None:
        """Open the store below, unless it is."""
        if not self._generation and not self._open:
            await self._below.open()
        self._open = True

    async def close(self) -> None:
        """Let go of the store without emptying it."""
        self._open = False

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say how the store is, or that it is closed."""
        if not self._open:
            return Health(State.DOWN, ("it is closed",))
        return await self.below.ping(thorough=thorough)

    def again(self) -> Kept:
        """Return another back end over the same store."""
        return type(self)(self._below, generation=self._generation + 1)


class Forgetful(Kept):
    """Keep the records, and lose the ids of batches on closing."""

    async def apply(self, batch: Batch) -> Applied:
        """Apply under an id that the next generation does not know."""
        id = f"{batch.id}{'+' * self._generation}"
        return await self.below.apply(replace(batch, id=id))
