"""A unified storage over each of the back ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import ropewalk
from ropewalk.compat import UnifiedStorage


@pytest.fixture(params=["memory", "sqlite"])
async def unified(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[UnifiedStorage]:
    """Return a unified storage over an empty store."""
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'compat.db'}"
    async with ropewalk.open(url) as storage:
        yield UnifiedStorage(storage)
