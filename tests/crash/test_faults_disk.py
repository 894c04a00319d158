"""An SQLite store whose disk is full or gone, for real: it says so, and then goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import State
from ropewalk.testing.samples import found, put, write

from .filling import run, small_disk

pytestmark = pytest.mark.seed("1.5", "4.4", "8.3", "8.5")

SCRIPT = "tests.crash.sqlite_full_disk"


@asynccontextmanager
async def _opened(path: Path) -> AsyncGenerator[SqliteBackend]:
    store = SqliteBackend(path, clock=FrozenClock(), busy_timeout=0.05)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def test_a_full_disk(tmp_path: Path) -> None:
    """A batch that does not fit says "make room" and leaves nothing; with room, all goes on.

    Where no small disk can be mounted, a limit on the length of files stands for it.
    """
    with small_disk(tmp_path) as mounted:
        run(SCRIPT, "disk" if mounted else "limit", str(tmp_path))


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    """Under a limit of the system the same store goes on, too, as soon as the limit is lifted."""
    run(SCRIPT, "limit", str(tmp_path))


async def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    """Without its folder a store keeps nothing and says so; brought back, it goes on as it was."""
    home = tmp_path / "home"
    home.mkdir()
    async with _opened(home / "store.db") as store:
        await write(store, put("a", b"old"))
        home.rename(tmp_path / "away")
        with pytest.raises(Unavailable, match="bring it back") as caught:
            await write(store, put("a", b"new"))
        assert "file_gone" == caught.value.code
        assert State.DOWN is (await store.ping()).state
        assert [tmp_path / "away"] == list(tmp_path.iterdir())
        (tmp_path / "away").rename(home)
        assert b"old" == (await found(store, "a")).body
        assert (2,) == await write(store, put("a", b"new"))
        assert State.HEALTHY is (await store.ping()).state


async def test_a_folder_that_became_something_else(tmp_path: Path) -> None:
    """Where a file stands in the place of the folder, nothing is kept, and `ping` says so."""
    home = tmp_path / "home"
    home.mkdir()
    async with _opened(home / "store.db") as store:
        await write(store, put("a", b"old"))
        home.rename(tmp_path / "away")
        home.touch()
        health = await store.ping()
        assert (State.DOWN, 1) == (health.state, len(health.reasons))
        assert "let its folder be there" in health.reasons[0]
        with pytest.raises(Unavailable, match="bring it back"):
            await write(store, put("a", b"new"))
        home.unlink()
        (tmp_path / "away").rename(home)
        assert State.DEGRADED is (await store.ping()).state
        assert (2,) == await write(store, put("a", b"new"))
        assert State.HEALTHY is (await store.ping()).state
