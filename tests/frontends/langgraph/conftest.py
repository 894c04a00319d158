"""An open store on each back end, for LangGraph to keep its things in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import ropewalk
from ropewalk.services.storage import Storage


@pytest.fixture(params=["memory", "sqlite", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new store on each of the back ends."""
    urls = {
        "memory": "memory://",
        "sqlite": f"sqlite:///{tmp_path / 'store.db'}",
        "file": f"file:///{tmp_path / 'store'}",
    }
    return urls[request.param]


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    """Return an open store."""
    async with ropewalk.open(url) as storage:
        yield storage
