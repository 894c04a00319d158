"""Fixtures of the stores: records over every back end, one by one and all three side by side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend, Sealer
from ropewalk.stores.records import RecordStore

from .trio import Trio, make_backend


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that moves one microsecond at each look."""
    return FrozenClock()


@pytest.fixture
def sealer() -> Sealer:
    """The real pipeline: MessagePack, zstd, checksum."""
    return make_pipeline()


@pytest.fixture(params=["memory", "sqlite", "file"])
async def backend(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock
) -> AsyncIterator[Backend]:
    """An open back end, each of the three in turn."""
    backend = make_backend(request.param, tmp_path, clock)
    await backend.open()
    yield backend
    await backend.close()


@pytest.fixture
def records(backend: Backend, sealer: Sealer, clock: FrozenClock) -> RecordStore:
    """The records of one space."""
    return RecordStore(backend, sealer, clock, space="here")


@pytest.fixture
def trio(tmp_path: Path, sealer: Sealer) -> Iterator[Trio]:
    """Three open back ends with clocks that agree."""
    trio = Trio(tmp_path, sealer)
    yield trio
    trio.close()
