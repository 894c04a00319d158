"""`Generations`: what was asked for lately, in two generations of bounded size."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST: Final = 16 * 1024
"""Of notes, each of which is a few dozen bytes."""

_MOST_BYTES: Final = 16 * 1024 * 1024
_OVERHEAD: Final = 200


class Generations(Generic[K, V]):
    """Keep up to 32 MiB of what was asked for twice; may be used from several threads.

    What is asked for in the old generation moves to the young one, and when that is full, the
    old one goes: `turns` says how often that was. A look that finds something young changes
    nothing.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.turns = 0
        self._young: dict[K, tuple[V, int]] = {}
        self._old: dict[K, tuple[V, int]] = {}
        self._weight = 0
        self._once: set[int] = set()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return what is kept under a key, or `None`."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.keep(key, found[0], weight=found[1])
        return None if found is None else found[0]

    def is_new(self, key: K) -> bool:
        """Tell whether nobody asked so for a key yet; from now on somebody has."""
        asked = hash(key)
        with self._lock:
            if asked in self._once:
                self._once.discard(asked)
                return False
            if len(self._once) >= MOST:
                self._once.clear()
            self._once.add(asked)
            return True

    def keep(self, key: K, value: V, *, weight: int) -> None:
        """Keep a value of so many bytes, and forget what nobody asked for longest."""
        with self._lock:
            self._young[key] = value, weight
            self._weight += weight + _OVERHEAD
            if self._weight > _MOST_BYTES:
                self._old, self._young, self._weight = self._young, {}, 0
                self.turns += 1
