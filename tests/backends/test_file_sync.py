"""What is safe when: before the answer with `full`, by and by with `normal`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ropewalk.backends.file import FileBackend, disk
from ropewalk.backends.file.address import Sync
from ropewalk.domain.change import Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.testing.samples import SPACE, key, put, write


class Watching:
    """The module `os`, noting what is synced, renamed and removed, by the file's name."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def fsync(self, fd: int) -> None:
        """Note the file behind a descriptor, and sync it."""
        self.seen.append(("fsync", Path(f"/dev/fd/{fd}").readlink().name))
        os.fsync(fd)

    def rename(self, source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        """Note the new name, and rename."""
        self.seen.append(("rename", target))
        os.rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """Note the name, and remove it."""
        self.seen.append(("unlink", name))
        os.unlink(name, dir_fd=dir_fd)


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Watching:
    """Watch what the store asks the system to do."""
    system = Watching()
    monkeypatch.setattr(disk, "os", system)
    return system


@pytest.mark.seed("2.2", "8.3")
@pytest.mark.parametrize(("sync", "first"), [("full", [("fsync", "journal")]), ("normal", [])])
async def test_the_journal_is_safe_before_anything_is_done(
    tmp_path: Path, system: Watching, *, sync: Sync, first: list[tuple[str, str]]
) -> None:
    """With `full` a batch is on the disk once, in the journal, before its files are touched."""
    backend = FileBackend(tmp_path / "store", clock=FrozenClock(), sync=sync)
    await backend.open()
    await write(backend, put("a"), put("b"))
    system.seen.clear()
    await write(backend, put("a"), Delete(key=key("b")), put("c"))
    assert [
        *first,
        ("rename", "a.rec"),
        ("unlink", "b.rec"),
        ("rename", "c.rec"),
    ] == system.seen
    await backend.close()


@pytest.mark.seed("2.2", "8.3")
@pytest.mark.parametrize("sync", ["full", "normal"])
async def test_everything_is_safe_before_the_journal_is_emptied(
    tmp_path: Path, system: Watching, *, sync: Sync
) -> None:
    """At closing, every file of the journal and every folder above it is synced."""
    backend = FileBackend(tmp_path / "store", clock=FrozenClock(), sync=sync)
    await backend.open()
    await write(backend, put("a"), put("b"))
    system.seen.clear()
    await backend.close()
    synced = [name for call, name in system.seen if call == "fsync"]
    assert synced[-1] == "journal"
    assert {"a.rec", "b.rec", "commits.jsonl", "note", SPACE, "spaces", "store"} == set(synced[:-1])
