"""What the next process makes of a journal that somebody left behind."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ropewalk.backends.file import FileBackend, recovery
from ropewalk.backends.file.journal import HEADER
from ropewalk.domain.change import Batch, Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import Query
from ropewalk.testing.samples import SPACE, commits, found, ids, key, put, versions, write

EVERYONE = Query(space=None)
NOTES = f"spaces/{SPACE}/note"
JOURNAL = ".ropewalk/journal"


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
async def left(tmp_path: Path) -> Path:
    """Return a store as a killed process leaves it: three batches done, none safe but in it."""
    root, left = tmp_path / "store", tmp_path / "left"
    async with opened(root) as backend:
        await write(backend, put("a", b"A"), put("b", b"B"))
        await write(backend, put("a", b"AA"), put("c", b"C"))
        await write(backend, Delete(key=key("b")), put("d", b"D"))
        shutil.copytree(root, left)
    return left


@pytest.fixture
def another_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have been started anew."""
    monkeypatch.setattr(recovery, "boot_id", lambda: "another")


async def _assert_whole(backend: FileBackend) -> None:
    assert [2, 0, 1, 1] == await versions(backend, "a", "b", "c", "d")
    assert (await found(backend, "a")).body == b"AA"
    assert [1, 2, 3] == [commit.seq for commit in await commits(backend)]
    health = await backend.ping()
    assert (State.HEALTHY, ()) == (health.state, health.reasons)


async def test_closing_empties_the_journal(left: Path) -> None:
    """After a close everything is safe in its own file, and the journal has its header alone."""
    assert (left / JOURNAL).stat().st_size > HEADER
    async with opened(left) as backend:
        await _assert_whole(backend)
    assert HEADER == (left / JOURNAL).stat().st_size


async def test_a_long_journal_is_emptied_meanwhile(tmp_path: Path) -> None:
    """The journal does not grow without end: after a megabyte its batches are made safe."""
    async with opened(tmp_path / "store") as backend:
        for n in range(5):
            await write(backend, put("a", bytes(600_000)), put("n", b"%d" % n))
            assert (tmp_path / "store" / JOURNAL).stat().st_size < 1_300_000
        assert (await found(backend, "n")).body == b"4"


@pytest.mark.seed("8.5")
@pytest.mark.usefixtures("another_boot")
async def test_what_the_disk_lost_comes_back_from_the_journal(left: Path) -> None:
    """After the machine went down, files that are empty, old or gone are as acknowledged."""
    (left / NOTES / "a.rec").write_bytes(b"")
    (left / NOTES / "c.rec").unlink()
    shutil.rmtree(left / NOTES / ".." / "note")
    (left / NOTES).mkdir()
    (left / NOTES / "b.rec").write_bytes(b"that was deleted")
    (left / "commits.jsonl").write_bytes((left / "commits.jsonl").read_bytes()[:100])
    async with opened(left) as backend:
        await _assert_whole(backend)
    async with opened(left) as backend:
        await _assert_whole(backend)


@pytest.mark.seed("8.5")
@pytest.mark.usefixtures("another_boot")
async def test_a_feed_of_zeros_is_written_anew(left: Path) -> None:
    """A disk may bring back a file at its length without its content: the journal has the lines."""
    size = (left / "commits.jsonl").stat().st_size
    (left / "commits.jsonl").write_bytes(bytes(size))
    async with opened(left) as backend:
        await _assert_whole(backend)


@pytest.mark.usefixtures("another_boot")
async def test_without_a_word_from_the_system_all_is_done_again(
    left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody says whether the machine was started anew, the store assumes that it was."""
    monkeypatch.setattr(recovery, "boot_id", lambda: "")
    (left / NOTES / "a.rec").write_bytes(b"")
    async with opened(left) as backend:
        await _assert_whole(backend)


async def test_edits_after_a_mere_kill_stay(left: Path) -> None:
    """Where only a process died, the files are as they are: what was edited since counts."""
    file = left / NOTES / "d.rec"
    file.write_bytes(file.read_bytes().replace(b'"version": 1', b'"version": 5'))
    async with opened(left) as backend:
        assert [5] == await versions(backend, "d")


@pytest.mark.seed("8.3", "8.5")
@pytest.mark.parametrize("cut", [1, 20, 60, 100, 300])
async def test_a_torn_entry_never_happened(left: Path, cut: int) -> None:
    """The beginning of an entry behind the last is dropped, and its place used again."""
    journal = left / JOURNAL
    data = journal.read_bytes()
    journal.write_bytes(data + data[HEADER : HEADER + cut])
    async with opened(left) as backend:
        await _assert_whole(backend)
        await write(backend, put("e"))
        assert [1] == await versions(backend, "e")


@pytest.mark.seed("8.2", "8.5")
@pytest.mark.parametrize("garbage", [b"\n", b"ropewalk x 99999999999999999999 1\n", bytes(900)])
async def test_garbage_behind_the_entries_is_dropped(left: Path, garbage: bytes) -> None:
    """Whatever stands behind the last whole entry, it is no batch."""
    journal = left / JOURNAL
    journal.write_bytes(journal.read_bytes() + garbage)
    async with opened(left) as backend:
        await _assert_whole(backend)


@pytest.mark.seed("8.2")
@pytest.mark.usefixtures("another_boot")
async def test_a_journal_damaged_in_the_middle_is_told(left: Path) -> None:
    """Where the journal itself lost batches, `ping` says so: they may be lost or half there."""
    journal = left / JOURNAL
    data = bytearray(journal.read_bytes())
    data[-1] ^= 1
    journal.write_bytes(data)
    async with opened(left) as backend:
        health = await backend.ping()
        assert (State.DEGRADED, True) == (health.state, "journal was damaged" in health.reasons[0])
        assert (await backend.apply(Batch((put("e"),)))).seq == 4


@pytest.mark.usefixtures("another_boot")
@pytest.mark.parametrize(
    "commits", [b"", b'{"seq":1,"at":1,"batch":"theirs","actor":"","changes":[]}\n' * 30]
)
async def test_a_journal_of_other_files_is_refused(left: Path, commits: bytes) -> None:
    """Files that were exchanged after a crash are not overwritten: the store says what to do."""
    # The first batch is made safe, so that the rest of the journal needs what stands before.
    async with opened(left) as backend:
        await write(backend, put("e"))
        shutil.copytree(left, left.with_name("again"))
    left = left.with_name("again")
    (left / "commits.jsonl").write_bytes(commits)
    backend = FileBackend(left, clock=FrozenClock())
    with pytest.raises(Corrupt, match="does not belong") as caught:
        await backend.open()
    assert caught.value.code == "foreign_journal"
    await backend.close()
    (left / JOURNAL).unlink()
    async with opened(left) as backend:
        assert [2, 0, 1, 1, 1] == await versions(backend, "a", "b", "c", "d", "e")


@pytest.mark.seed("8.2")
@pytest.mark.parametrize("mark", [b"", b"x" * 600, b"{}".ljust(511) + b"\n"])
async def test_a_journal_that_says_nothing_is_refused(left: Path, mark: bytes) -> None:
    """A journal without its header is `Corrupt`, with what to do; doing it helps."""
    (left / JOURNAL).write_bytes(mark)
    backend = FileBackend(left, clock=FrozenClock())
    with pytest.raises(Corrupt, match="remove it") as caught:
        await backend.open()
    assert caught.value.code == "bad_journal"
    with pytest.raises(Unavailable):
        await ids(backend, EVERYONE)
    (left / JOURNAL).unlink()
    await backend.open()
    await _assert_whole(backend)
    await backend.close()


@pytest.mark.seed("4.4")
async def test_a_store_that_did_not_open_can_be_opened_later(tmp_path: Path) -> None:
    """After a failed `open` the same object opens once the reason is gone."""
    (tmp_path / "store").write_text("in the way")
    backend = FileBackend(tmp_path / "store", clock=FrozenClock())
    with pytest.raises(Exception, match="folder"):
        await backend.open()
    (tmp_path / "store").unlink()
    await backend.open()
    await write(backend, put("a"))
    await backend.close()
