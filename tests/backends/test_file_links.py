"""Nothing leads out of the folder: no link, no pipe, no name of a record, no path with dots."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ropewalk.backends.file import FileBackend, disk
from ropewalk.domain.change import Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key
from ropewalk.testing.samples import SPACE, everything, ids, put, read, write

EVERYONE = Query(space=None)
NOTES = f"spaces/{SPACE}/note"


@asynccontextmanager
async def opened(root: Path) -> AsyncGenerator[FileBackend, None]:
    """Hold a store open."""
    backend = FileBackend(root, clock=FrozenClock(tick=0))
    await backend.open()
    try:
        yield backend
    finally:
        await backend.close()


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    """Return the folder of a closed store with three records."""
    root = tmp_path / "store"
    async with opened(root) as backend:
        await write(backend, put("a", b"A"), put("b", b"B"), put("c", b"C"))
    return root


@pytest.mark.seed("10.4")
async def test_a_link_in_the_place_of_a_record_is_not_followed(root: Path, tmp_path: Path) -> None:
    """A record file that is a link, or a pipe, is damage; what it leads to is not even read."""
    secret = tmp_path / "secret"
    secret.write_bytes((root / NOTES / "a.rec").read_bytes())
    (root / NOTES / "a.rec").unlink()
    (root / NOTES / "a.rec").symlink_to(secret)
    (root / NOTES / "b.rec").unlink()
    os.mkfifo(root / NOTES / "b.rec")
    async with opened(root) as backend:
        for id in "ab":
            with pytest.raises(Corrupt, match=f"{id}\\.rec"):
                await read(backend, id)
        assert await ids(backend, EVERYONE) == ["c"]
        (root / NOTES / "c.rec").unlink()
        (root / NOTES / "c.rec").symlink_to(secret)
        with pytest.raises(Corrupt, match="link"):
            await read(backend, "c")


@pytest.mark.seed("10.4")
@pytest.mark.parametrize("name", ["spaces", f"spaces/{SPACE}", NOTES])
async def test_a_link_in_the_place_of_a_folder_is_not_followed(
    root: Path, tmp_path: Path, name: str
) -> None:
    """Nothing is read or written through a link, wherever it stands on the way to a record."""
    outside = tmp_path / "outside"
    (root / name).rename(outside)
    before = {path: path.stat().st_mtime_ns for path in outside.rglob("*")}
    async with opened(root) as backend:
        (root / name).symlink_to(outside)
        for changes in ((put("new"),), (put("new"), put("b"))):
            with pytest.raises(Corrupt):
                await write(backend, *changes)
    assert before == {path: path.stat().st_mtime_ns for path in outside.rglob("*")}


@pytest.mark.seed("8.2", "10.4")
@pytest.mark.parametrize("name", [f"spaces/{SPACE}", NOTES])
async def test_a_linked_folder_hides_no_other(root: Path, tmp_path: Path, name: str) -> None:
    """A store with a folder that is a link opens without what lies there, and `ping` names it."""
    async with opened(root) as backend:
        await write(backend, Put(key=Key("other", "note", "x")))
    (root / name).rename(tmp_path / "outside")
    (root / name).symlink_to(tmp_path / "outside")
    async with opened(root) as backend:
        assert await ids(backend, EVERYONE) == ["x"]
        with pytest.raises(Corrupt, match="link"):
            await read(backend, "a")
        health = await backend.ping()
        assert (State.DEGRADED, True) == (health.state, name in health.reasons[0])


@pytest.mark.seed("10.4")
@pytest.mark.parametrize("name", ["spaces", ".ropewalk", "commits.jsonl", "ropewalk.json"])
async def test_a_link_in_the_place_of_the_stores_own_is_refused(
    root: Path, tmp_path: Path, name: str
) -> None:
    """A store whose own files are links to elsewhere does not open."""
    (root / name).rename(tmp_path / "outside")
    (root / name).symlink_to(tmp_path / "outside")
    backend = FileBackend(root, clock=FrozenClock())
    with pytest.raises(Corrupt, match="link") as caught:
        await backend.open()
    assert "strange_path" == caught.value.code
    await backend.close()


@pytest.mark.seed("5.3", "10.4")
async def test_hostile_keys_stay_in_the_folder(tmp_path: Path) -> None:
    """Whatever the parts of a key hold, every file lies under `spaces`, three names deep."""
    root = tmp_path / "store"
    hostile = ["..", "/", "a/../../../b", "\0", "\n", "~", ".", "CON", "x" * 1_024, "é", "e\u0301"]
    keys = [Key(a, b, c) for a in hostile[:3] for b in hostile[:3] for c in hostile]
    async with opened(root) as backend:
        await write(backend, *[Put(key=key, body=str(key).encode()) for key in keys])
        records = await backend.get(keys)
        assert [(key, str(key).encode()) for key in keys] == [
            (record.key, record.body) for record in records if record is not None
        ]
    assert [root] == list(tmp_path.iterdir())
    files = [path for path in (root / "spaces").rglob("*") if path.is_file()]
    assert [3] * len(keys) == [len(path.relative_to(root / "spaces").parts) for path in files]
    async with opened(root) as backend:
        assert set(keys) == {record.key for record in await everything(backend, EVERYONE)}


@pytest.mark.seed("10.4")
def test_the_door_leads_nowhere_else(tmp_path: Path) -> None:
    """Even a path that no key can make, with dots in it, is refused by the door itself."""
    (tmp_path / "outside").write_text("secret")
    below = disk.Disk(tmp_path / "store")
    below.open()
    below.make_folder("spaces")
    try:
        for path in ("../outside", "spaces/../../outside", "./x", "spaces/.."):
            with pytest.raises(OSError, match="not a name"):
                below.file(path, disk.CREATE)
            with pytest.raises(OSError, match="not a name"):
                below.move("x", path)
    finally:
        below.close()
    assert (tmp_path / "outside").read_text() == "secret"
