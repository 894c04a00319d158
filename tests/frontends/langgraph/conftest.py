"""An open store on each back end, for LangGraph to keep its things in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest

import ropewalk
from ropewalk.services.storage import Storage

BACK_ENDS: Final = ("memory", "sqlite", "file")
ABOVE_THEM: Final = frozenset(
    ["deltas", "keeper", "pruner", "spaces", "store_search", "store_ttl", "store_vectors"]
)
"""What is decided above the back ends, and so shown over two of them as in the services."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the back ends that a test is run over."""
    if "url" in metafunc.fixturenames:
        about = metafunc.definition.path.stem.removeprefix("test_")
        chosen = BACK_ENDS[:2] if about in ABOVE_THEM else BACK_ENDS
        metafunc.parametrize("url", chosen, indirect=True)


@pytest.fixture
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
