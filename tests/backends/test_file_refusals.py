"""The disk is full, forbidden or gone, for real: clear errors, nothing half, then it goes on."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid, Unavailable
from ropewalk.domain.health import State
from ropewalk.testing.samples import found, put, read, write

from ..crash.filling import run, small_disk

SCRIPT = "tests.backends.file_full_disk"


@asynccontextmanager
async def opened(root: Path) -> AsyncGenerator[FileBackend, None]:
    """Hold a store open."""
    backend = FileBackend(root, clock=FrozenClock())
    await backend.open()
    try:
        yield backend
    finally:
        await backend.close()


@pytest.mark.seed("1.5", "4.4", "8.3", "8.5")
def test_a_full_disk(tmp_path: Path) -> None:
    """On a full disk a batch is `Unavailable` and leaves nothing; deleting makes room again.

    Where no small disk can be mounted, a limit on the length of files stands for it.
    """
    with small_disk(tmp_path) as mounted:
        run(SCRIPT, "disk" if mounted else "limit", str(tmp_path / "store"))


@pytest.mark.seed("1.5", "4.4", "8.3", "8.5")
def test_files_that_may_not_grow(tmp_path: Path) -> None:
    """Under a limit of the system the same holds; the journal is emptied before it gives up."""
    run(SCRIPT, "limit", str(tmp_path / "store"))


@pytest.mark.seed("1.5", "2.5")
def test_a_folder_that_may_only_be_read() -> None:
    """Without the permission to write, reading goes on, writing says why, `ping` is degraded."""
    with TemporaryDirectory() as home:
        run("tests.backends.file_forbidden", home)


@pytest.mark.seed("1.5", "2.5")
async def test_a_folder_that_vanishes(tmp_path: Path) -> None:
    """A store whose folder was moved away is down, makes no other, and goes on when it is back."""
    root = tmp_path / "store"
    async with opened(root) as backend:
        await write(backend, put("a", b"old"))
        root.rename(tmp_path / "away")
        for call in (write(backend, put("a", b"new")), read(backend, "a")):
            with pytest.raises(Unavailable, match="removed or replaced") as caught:
                await call
            assert caught.value.code == "gone"
        assert (await backend.ping()).state is State.DOWN
        assert [tmp_path / "away"] == list(tmp_path.iterdir())
        (tmp_path / "away").rename(root)
        assert (await found(backend, "a")).body == b"old"
        assert (await backend.ping()).state is State.HEALTHY


@pytest.mark.seed("1.5", "2.5")
async def test_a_folder_that_was_replaced(tmp_path: Path) -> None:
    """Another store in the place of ours is not taken for it."""
    root = tmp_path / "store"
    async with opened(root) as backend:
        await write(backend, put("a", b"ours"))
        root.rename(tmp_path / "away")
        async with opened(root) as other:
            await write(other, put("a", b"theirs"))
            with pytest.raises(Unavailable, match="replaced"):
                await write(backend, put("a", b"ours again"))
            assert (await found(other, "a")).body == b"theirs"


@pytest.mark.seed("1.5")
async def test_a_platform_without_locks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where files cannot be locked, opening says so and names what to use instead."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    backend = FileBackend(tmp_path / "store", clock=FrozenClock())
    with pytest.raises(Invalid, match="sqlite:///") as caught:
        await backend.open()
    assert caught.value.code == "unsupported"
    await backend.close()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.seed("2.5")
async def test_a_nearly_full_disk_is_degraded(tmp_path: Path) -> None:
    """With less free than `min_free_bytes`, `ping` says so, with figures."""
    backend = FileBackend(tmp_path / "store", clock=FrozenClock(), min_free_bytes=2**62)
    await backend.open()
    health = await backend.ping()
    assert (State.DEGRADED, True) == (health.state, "nearly full" in health.reasons[0])
    assert int(health.facts["free_bytes"]) > 0
    await backend.close()


@pytest.mark.seed("8.2")
async def test_a_thorough_look_reads_every_record(tmp_path: Path) -> None:
    """A record that was damaged since it was written is found before anybody asks for it."""
    async with opened(tmp_path / "store") as backend:
        await write(backend, *[put(f"n{n}", b"body" * 9) for n in range(8)])
        [victim] = (tmp_path / "store" / "spaces").rglob("n3.*")
        victim.write_bytes(victim.read_bytes()[:-1])
        assert () == (await backend.ping()).damages
        health = await backend.ping(thorough=True)
        assert State.DEGRADED == health.state
        assert 1 == len(health.damages)
        assert victim.name in health.damages[0]
        assert health.damages[0] in health.reasons
