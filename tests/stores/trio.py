"""The three back ends side by side, for tests that ask all of them the same."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

from hypothesis import HealthCheck, settings

from ropewalk.backends.file import FileBackend
from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend, Sealer
from ropewalk.stores.records import RecordStore

T = TypeVar("T")

THOROUGH: Final = settings(
    max_examples=1_500 if os.environ.get("ROPEWALK_LONG") else 60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
"""How often three back ends are asked the same."""


def make_backend(name: str, folder: Path, clock: FrozenClock) -> Backend:
    """Return one of the three back ends, not open yet."""
    if name == "memory":
        # It gives way at every call, so that each can be cancelled on its way.
        return MemoryBackend(clock=clock, loop_budget=0)
    if name == "sqlite":
        return SqliteBackend(folder / "store.db", clock=clock)
    return FileBackend(folder / "store", clock=clock, sync="normal")


class Trio:
    """The three back ends side by side, driven from tests that are not asynchronous themselves."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._runner = asyncio.Runner()
        self._spaces = count()
        self._sealer = sealer
        self._parts: list[tuple[Backend, FrozenClock]] = []
        for name in ("memory", "sqlite", "file"):
            clock = FrozenClock()
            backend = make_backend(name, folder, clock)
            self.run(backend.open())
            self._parts.append((backend, clock))

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Finish a coroutine."""
        return self._runner.run(work)

    def stores(self) -> list[RecordStore]:
        """Return the records of a space that is new in each of the three."""
        space = f"space-{next(self._spaces)}"
        return [
            RecordStore(backend, self._sealer, clock, space=space) for backend, clock in self._parts
        ]

    def close(self) -> None:
        """Close everything."""
        for backend, _ in self._parts:
            self.run(backend.close())
        self._runner.close()
