"""`LeaningLayer`: nothing is written that leans on a dictionary which its space has no more."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import Final, Protocol

from ..domain.change import Applied, Batch, Delete, Put
from ..domain.leaning import DICTIONARY, SURE_SECONDS
from ..domain.ports import Backend
from ..domain.record import Key
from .base import Layer

_MOST: Final = 1_024
"""So many seals, and so many dictionaries, are remembered."""


class Guide(Protocol):
    """Who knows what the bodies of changes lean on."""

    def leans_on(self, seal: str) -> str:
        """Return the name of the dictionary that the body of a value needs, or nothing."""
        ...

    def plain(self, put: Put) -> Put:
        """Return a change whose body leans on nothing; raise `Corrupt` where that cannot be."""
        ...


class LeaningLayer(Layer):
    """Look, now and then, whether the dictionaries are there that the bodies of a batch need.

    A handle that has outlived its space knows one that is gone. What it writes is sealed anew,
    without one. That a dictionary is there is believed for `SURE_SECONDS`: whoever deletes a space
    waits longer than that, and then removes what came in meanwhile.
    """

    def __init__(self, below: Backend, guide: Guide) -> None:
        """Ask `guide` about what is written into `below`."""
        super().__init__(below)
        self._guide = guide
        self._names: dict[str, str] = {}
        self._sure: dict[Key, float] = {}

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none."""
        unsure = self._unsure(batch)
        if not unsure:
            return await self._below.apply(batch)
        known = monotonic()
        found = await self._below.get(unsure, bodies=False)
        gone = {key for key, record in zip(unsure, found, strict=True) if record is None}
        for key in unsure:
            if key not in gone:
                self._note(key, known)
        return await self._below.apply(self._without(batch, gone) if gone else batch)

    def _unsure(self, batch: Batch) -> list[Key]:
        """Return the dictionaries that are needed, and were not seen lately."""
        names, needed = self._names, dict[tuple[str, str], None]()
        came: set[Key] | None = None
        for change in batch.changes:
            if isinstance(change, Put):
                seal = change.seal
                name = names[seal] if seal in names else self._name(seal)
                if name:
                    needed[change.key.space, name] = None
            if change.key.kind == DICTIONARY:
                if isinstance(change, Delete):
                    self._sure.pop(change.key, None)
                elif isinstance(change, Put):
                    came = {change.key} if came is None else came | {change.key}
        if not needed:
            return []
        keys = [Key(space, DICTIONARY, name) for space, name in needed]
        oldest = monotonic() - SURE_SECONDS
        unsure = [key for key in keys if self._sure.get(key, oldest) <= oldest]
        return [key for key in unsure if key not in came] if came else unsure

    def _name(self, seal: str) -> str:
        name = self._guide.leans_on(seal) if seal else ""
        if len(self._names) >= _MOST:
            self._names.clear()
        self._names[seal] = name
        return name

    def _note(self, key: Key, known: float) -> None:
        if len(self._sure) >= _MOST:
            self._sure.clear()
        self._sure[key] = known

    def _without(self, batch: Batch, gone: set[Key]) -> Batch:
        lost = {(key.space, key.id) for key in gone}
        changes = [
            self._guide.plain(change)
            if isinstance(change, Put) and (change.key.space, self._name(change.seal)) in lost
            else change
            for change in batch.changes
        ]
        return replace(batch, changes=tuple(changes))
