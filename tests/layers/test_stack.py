"""Layers stand on one another: the whole contract through five of them, and their order."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.layers import BUILTIN, ORDER
from ropewalk.layers.base import Layer
from ropewalk.layers.breaker import BreakerLayer
from ropewalk.layers.logs import LOGGER, LogsLayer
from ropewalk.layers.metrics import MetricsLayer
from ropewalk.layers.retry import RetryLayer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.backend import BackendContract, DurableContract, Reopen, reopening


@pytest.fixture(autouse=True)
def every_line() -> Iterator[None]:
    """Let the log be written, so that it takes part."""
    level = LOGGER.level
    LOGGER.setLevel(logging.DEBUG)
    yield
    LOGGER.setLevel(level)


def stacked(store: Backend) -> Backend:
    """Put five layers round a store, in the order of the house."""
    inner = RetryLayer(SwitchLayer(store), attempts=2, first=0.0)
    return LogsLayer(MetricsLayer(BreakerLayer(inner)))


class TestOverMemory(BackendContract):
    """Through logs, metrics, breaker, retry and switch, memory keeps every promise."""

    # Random queries go through the same five to SQLite, and to memory without them.
    test_a_scan_is_what_the_query_means = None  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]
    test_random_tallies_agree = None  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[Backend]:
        """Return an open stack over memory."""
        layer = stacked(MemoryBackend(clock=clock, loop_budget=0))
        await layer.open()
        yield layer
        await layer.close()


class TestOverSqlite(BackendContract, DurableContract):
    """Through the same five, an SQLite file keeps every promise, also when reopened."""

    @pytest.fixture
    async def backend(self, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[Backend]:
        """Return an open stack over a new file."""
        layer = stacked(SqliteBackend(tmp_path / "agent.db", clock=clock))
        await layer.open()
        yield layer
        await layer.close()

    @pytest.fixture
    async def reopen(
        self, backend: Backend, clock: FrozenClock, tmp_path: Path
    ) -> AsyncIterator[Reopen]:
        """Close the stack, and open another one over the same file."""

        def again() -> Backend:
            return stacked(SqliteBackend(tmp_path / "agent.db", clock=clock))

        async with reopening(backend, again) as reopen:
            yield reopen


@pytest.mark.seed("9.4")
def test_every_layer_has_its_place() -> None:
    """Each built-in layer stands once in the order, loads under its name, and is a `Layer`."""
    assert sorted(BUILTIN) == sorted(ORDER)
    for place in BUILTIN.values():
        module, _, name = place.partition(":")
        assert issubclass(getattr(import_module(f"ropewalk.{module}"), name), Layer)
    assert "switch" == ORDER[-1]


def test_a_layer_has_the_capabilities_of_its_store(clock: FrozenClock) -> None:
    """What the store can do can be done through any number of layers."""
    store = MemoryBackend(clock=clock)
    assert store.capabilities == stacked(store).capabilities
