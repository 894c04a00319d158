"""A store with something in it on each back end, for work that is cancelled."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import ropewalk
from ropewalk.services.storage import Storage

from .operations import prepare

STORES = ["memory", "threads", "file"] + ["sqlite"] * bool(os.environ.get("ROPEWALK_LONG"))
"""SQLite with all of its work in threads waits most; as it comes it does much at once.

Memory is told to give way at every call: it would hardly ever wait.
"""


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a new store on each of the back ends."""
    urls = {
        "memory": "memory://?loop_budget=0",
        "sqlite": f"sqlite:///{tmp_path}/store.db",
        "threads": f"sqlite:///{tmp_path}/store.db?loop_budget=0",
        "file": f"file:///{tmp_path}/store",
    }
    return urls[request.param]


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    """Return an open store with a thread, two states and some rows."""
    async with ropewalk.open(url) as storage:
        await prepare(storage)
        yield storage
