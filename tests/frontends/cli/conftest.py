"""A demonstration store on each durable back end, and a folder for commands to work in."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ropewalk.config import Config
from ropewalk.factory import open
from ropewalk.frontends.cli.story import clock, tell


async def _tell(url: str) -> None:
    time = clock()
    async with open(Config.from_mapping({"url": url}), clock=time) as storage:
        await tell(storage, time)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of an SQLite file with the story in it; to be left as it is."""
    url = f"sqlite:///{tmp_path_factory.mktemp('story') / 'demo.db'}"
    asyncio.run(_tell(url))
    return url


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a file store with the story in it; to be left as it is."""
    url = f"file:///{tmp_path_factory.mktemp('story') / 'demo'}"
    asyncio.run(_tell(url))
    return url


@pytest.fixture(params=["demo", "demo_folder"], ids=["sqlite", "file"])
def store(request: pytest.FixtureRequest) -> str:
    """Return the URL of each durable store with the story in it, one after the other."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder of its own, with no configuration from anywhere."""
    for name in os.environ:
        if name.startswith("ROPEWALK_") or name in {"NO_COLOR", "TERM"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
