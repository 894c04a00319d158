"""People and version control may change the folder: what the store makes of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ropewalk.backends.file import FileBackend, disk
from ropewalk.domain.change import Batch, Delete
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.health import State
from ropewalk.domain.query import Condition, Query
from ropewalk.testing.samples import (
    SPACE,
    commits,
    everything,
    found,
    ids,
    key,
    put,
    read,
    versions,
    write,
)

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
    """Return the folder of a closed store with three records and two commits."""
    root = tmp_path / "store"
    async with opened(root) as backend:
        await write(backend, put("a", b"A", labels={"n": 1}), put("b", b"B"), put("c", b"C"))
        await write(backend, put("a", b"AA", labels={"n": 2}))
    return root


@pytest.mark.seed("2.2")
async def test_a_person_can_read_the_folder(root: Path) -> None:
    """The whole of a store is these files, and each says what it is."""
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    ours = [name for name in files if not name.startswith(".ropewalk/")]
    records = [f"{NOTES}/{id}.rec" for id in "abc"]
    assert [".gitattributes", "commits.jsonl", "ropewalk.json", *records] == sorted(ours)
    assert '"format": "ropewalk folder"' in files["ropewalk.json"].read_text()
    assert (
        f'{{\n  "space": "{SPACE}",\n  "kind": "note",\n  "id": "a",\n  "version": 2,\n'
        '  "created_at": "2025-06-15T15:06:40.000000Z",\n'
        '  "updated_at": "2025-06-15T15:06:40.000000Z",\n'
        '  "labels": {\n    "n": 2\n  },\n  "size": 2,\n  "check": "733fa211"\n}\n---\nAA'
    ) == files[f"{NOTES}/a.rec"].read_text()
    assert files["commits.jsonl"].read_text().count("\n") == 2
    assert files[".ropewalk/.gitignore"].read_text() == "*\n"
    assert "*.rec -text" in files[".gitattributes"].read_text()


async def test_the_same_work_makes_the_same_files(tmp_path: Path) -> None:
    """Two stores that were told the same differ in no byte that version control would see."""
    for name in ("one", "two"):
        async with opened(tmp_path / name) as backend:
            labels = {"b": 1, "a": 2} if name == "one" else {"a": 2, "b": 1}
            await backend.apply(Batch((put("x", labels=labels), put("y")), id="same"))
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file() and ".ropewalk" not in path.parts
        }
        for name in ("one", "two")
    )
    assert one == two


async def test_a_header_may_be_edited_while_the_store_is_closed(root: Path) -> None:
    """A changed label, parent or version is what counts after opening, also for queries."""
    file = root / NOTES / "a.rec"
    file.write_bytes(file.read_bytes().replace(b'"n": 2', b'"n": 77'))
    async with opened(root) as backend:
        query = Query(space=SPACE, where=(Condition("labels.n", "eq", 77),))
        assert await ids(backend, query) == ["a"]
        assert (await backend.ping()).state is State.HEALTHY
        assert await write(backend, put("a", expect=2)) == (3,)


async def test_a_file_removed_while_the_store_is_closed_is_gone(root: Path) -> None:
    """A record whose file a person removed is absent after opening, and its key is free."""
    (root / NOTES / "b.rec").unlink()
    async with opened(root) as backend:
        assert await ids(backend, EVERYONE) == ["a", "c"]
        assert await write(backend, put("b", expect=0)) == (1,)


@pytest.mark.seed("8.1")
async def test_an_older_state_can_be_checked_out(root: Path, tmp_path: Path) -> None:
    """Files and feed of another time, put in the place of these, are the store from then on."""
    kept = tmp_path / "kept"
    shutil.copytree(root, kept, ignore=shutil.ignore_patterns(".ropewalk"))
    async with opened(root) as backend:
        await write(backend, put("a", b"newer"), Delete(key=key("b")), put("d"))
        last = await commits(backend)
    shutil.rmtree(root / "spaces")
    shutil.copytree(kept, root, dirs_exist_ok=True)
    async with opened(root) as backend:
        assert [2, 1, 1, 0] == await versions(backend, "a", "b", "c", "d")
        assert last[:2] == await commits(backend)
        # The number 3 was given to a commit that is no more: nobody else gets it.
        assert (await backend.apply(Batch((put("e"),)))).seq == 4
        assert [1, 2, 4] == [commit.seq for commit in await commits(backend)]
        assert (await backend.ping()).state is State.HEALTHY


async def test_a_clone_is_a_store(root: Path, tmp_path: Path) -> None:
    """What version control keeps is enough: what belongs to one machine is made anew."""
    clone = tmp_path / "clone"
    shutil.copytree(root, clone, ignore=shutil.ignore_patterns(".ropewalk"))
    async with opened(root) as one, opened(clone) as other:
        assert await everything(one, EVERYONE) == await everything(other, EVERYONE)
        assert await commits(one) == await commits(other)
        assert await write(other, put("a", expect=2)) == (3,)


async def test_commits_that_came_from_elsewhere_are_taken_over(root: Path) -> None:
    """Lines that version control added behind ours belong to the feed, and the numbers go on."""
    with (root / "commits.jsonl").open("a") as file:
        file.write('{"seq":9,"at":5,"batch":"theirs","actor":"","changes":[]}\n')
    async with opened(root) as backend:
        assert [1, 2, 9] == [commit.seq for commit in await commits(backend)]
        assert (await backend.apply(Batch((put("a"),)))).seq == 10


async def test_without_the_feed_the_records_remain(root: Path) -> None:
    """Who removes `commits.jsonl` begins a new feed; no record depends on it, no number returns."""
    (root / "commits.jsonl").unlink()
    async with opened(root) as backend:
        assert [2, 1, 1] == await versions(backend, "a", "b", "c")
        await write(backend, put("a"))
        assert [3] == [commit.seq for commit in await commits(backend)]


async def test_a_line_cut_short_was_never_acknowledged(root: Path) -> None:
    """The beginning of a line at the end of `commits.jsonl` is cut off at opening."""
    with (root / "commits.jsonl").open("ab") as file:
        file.write(b'{"seq":3,"at"')
    async with opened(root) as backend:
        assert [1, 2] == [commit.seq for commit in await commits(backend)]
        assert (await backend.apply(Batch((put("a"),)))).seq == 3
        assert [1, 2, 3] == [commit.seq for commit in await commits(backend)]


@pytest.mark.seed("8.2")
async def test_a_damaged_commit_hides_no_other(root: Path) -> None:
    """The feed raises at a line that is damaged, says how to go on, and goes on behind it."""
    async with opened(root) as backend:
        await write(backend, put("c"))
    file = root / "commits.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[1] = b"#" * (len(lines[1]) - 1) + b"\n"
    file.write_bytes(b"".join(lines))
    async with opened(root) as backend:
        with pytest.raises(Corrupt, match=r"line 2 of commits\.jsonl.*feed\(after=2\)") as caught:
            await commits(backend)
        assert (2, 2) == (caught.value.facts["line"], caught.value.facts["seq"])
        assert [3] == [commit.seq for commit in await commits(backend, 2)]
        health = await backend.ping()
        assert (State.DEGRADED, True) == (health.state, "line 2" in health.reasons[0])
        assert (await backend.apply(Batch((put("a"),)))).seq == 4
        assert (await found(backend, "a")).version == 3


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut in the header": lambda data: data[:40],
    "cut in the body": lambda data: data[:-1],
    "longer": lambda data: data + b"\n",
    "no JSON": lambda data: data.replace(b"{", b"(", 1),
    "a conflict of a merge": lambda data: b"<<<<<<< HEAD\n" + data,
    "another key": lambda data: data.replace(b'"a"', b'"z"'),
    "zeros": lambda data: bytes(len(data)),
}


@pytest.mark.seed("8.2")
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_record_hides_no_other(
    root: Path, damage: Callable[[bytes], bytes]
) -> None:
    """`get` and `apply` raise `Corrupt` for that key alone, `ping` names the file, it can heal."""
    file = root / NOTES / "a.rec"
    good = file.read_bytes()
    file.write_bytes(damage(good))
    async with opened(root) as backend:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: read(backend, "a"),
            lambda: backend.get([key("a")], bodies=False),
            lambda: write(backend, put("b"), put("a")),
            lambda: write(backend, Delete(key=key("a"))),
        ]
        for call in calls:
            with pytest.raises(Corrupt, match=r"a\.rec") as caught:
                await call()
            assert key("a") == caught.value.facts["key"]
        assert await ids(backend, EVERYONE) == ["b", "c"]
        assert [1, 1] == await versions(backend, "b", "c")
        health = await backend.ping()
        assert (State.DEGRADED, 1) == (health.state, health.facts["damaged"])
        assert f"{NOTES}/a.rec" in health.reasons[0]
        file.write_bytes(good)
        assert (await found(backend, "a")).body == b"AA"
        assert (await backend.ping()).state is State.HEALTHY
        assert await ids(backend, EVERYONE) == ["a", "b", "c"]


@pytest.mark.seed("8.2")
async def test_damage_done_meanwhile_is_found(root: Path) -> None:
    """A body cut short while the store is open is never a wrong value: it raises, once found."""
    file = root / NOTES / "a.rec"
    async with opened(root) as backend:
        assert (await found(backend, "a")).body == b"AA"
        good = file.read_bytes()
        file.write_bytes(good[:-1])
        with pytest.raises(Corrupt, match=r"a\.rec"):
            await everything(backend, EVERYONE)
        assert await ids(backend, EVERYONE) == ["b", "c"]
        file.unlink()
        assert await read(backend, "a") is None
        assert (await backend.ping()).state is State.HEALTHY


@pytest.mark.seed("8.2")
async def test_a_file_that_vanished_is_not_an_absence(root: Path) -> None:
    """A record whose file is gone although nobody deleted it raises, until it is opened anew."""
    async with opened(root) as backend:
        (root / NOTES / "a.rec").unlink()
        for _ in range(2):
            with pytest.raises(Corrupt, match="gone"):
                await read(backend, "a")
        assert "gone" in (await backend.ping()).reasons[0]
    async with opened(root) as backend:
        assert await read(backend, "a") is None


async def test_an_edit_meanwhile_is_seen_with_the_body(root: Path) -> None:
    """Who edits a header while the store is open is noticed when the body is read."""
    file = root / NOTES / "a.rec"
    async with opened(root) as backend:
        file.write_bytes(file.read_bytes().replace(b'"n": 2', b'"n": 8'))
        assert {"n": 8} == dict((await found(backend, "a")).labels)
        assert await ids(backend, Query(space=None, where=(Condition("labels.n", "eq", 8),))) == [
            "a"
        ]


async def test_a_copied_record_is_damage_where_it_lies(root: Path) -> None:
    """A record is where its key belongs: a copy under another name is named and left out."""
    shutil.copy(root / NOTES / "a.rec", root / NOTES / "copy.rec")
    async with opened(root) as backend:
        assert await ids(backend, EVERYONE) == ["a", "b", "c"]
        with pytest.raises(Corrupt, match="belongs at"):
            await read(backend, "copy")
        assert "copy.rec" in (await backend.ping()).reasons[0]


async def test_files_of_others_are_left_alone(root: Path) -> None:
    """Hidden files, other endings and folders elsewhere are not ours, and stay."""
    others = [
        "README.md",
        ".git/HEAD",
        "spaces/.DS_Store",
        f"{NOTES}/a.rec~",
        f"{NOTES}/.a.rec.swp",
    ]
    for name in others:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("theirs")
    async with opened(root) as backend:
        assert await ids(backend, EVERYONE) == ["a", "b", "c"]
        assert (await backend.ping()).state is State.HEALTHY
    assert ["theirs"] * len(others) == [(root / name).read_text() for name in others]


async def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    """A folder that holds other things is not made a store; one that is only versioned, is."""
    (tmp_path / "thesis.tex").write_text("mine")
    backend = FileBackend(tmp_path, clock=FrozenClock())
    with pytest.raises(Invalid, match=r"thesis\.tex"):
        await backend.open()
    await backend.close()
    assert [tmp_path / "thesis.tex"] == list(tmp_path.iterdir())
    (tmp_path / "thesis.tex").rename(tmp_path / ".hidden")
    async with opened(tmp_path) as again:
        assert (await again.ping()).state is State.HEALTHY


async def test_a_file_is_no_store(tmp_path: Path) -> None:
    """A root that is a file, or lies under one, is `Invalid`."""
    (tmp_path / "file").write_text("mine")
    for root in (tmp_path / "file", tmp_path / "file" / "store"):
        backend = FileBackend(root, clock=FrozenClock())
        with pytest.raises(Invalid, match="needs a folder"):
            await backend.open()
        await backend.close()


@pytest.mark.parametrize(
    ("marker", "error", "words"),
    [
        ('{"format": "ropewalk folder", "version": 3}', Invalid, "newer"),
        ('{"format": "sheets", "version": 1}', Invalid, "sheets"),
        ('{"format": "ropewalk folder"}', Corrupt, "version"),
        ("", Corrupt, "ropewalk.json"),
    ],
)
async def test_a_format_that_is_not_known_is_refused(
    root: Path, marker: str, error: type[Exception], words: str
) -> None:
    """A store of another version, or with a damaged marker, does not open and is not touched."""
    (root / "ropewalk.json").write_text(marker)
    backend = FileBackend(root, clock=FrozenClock())
    with pytest.raises(error, match=words):
        await backend.open()
    await backend.close()
    assert (root / "ropewalk.json").read_text() == marker


@pytest.mark.seed("6.3")
async def test_headers_are_read_without_bodies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening a store and listing it reads a few kilobytes a record, however big the bodies."""
    root = tmp_path / "store"
    async with opened(root) as backend:
        await write(backend, *[put(f"n{n}", bytes(2_000_000)) for n in range(5)])
    amount = 0

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def pread(self, fd: int, size: int, offset: int) -> bytes:
            nonlocal amount
            data = os.pread(fd, size, offset)
            amount += len(data)
            return data

    monkeypatch.setattr(disk, "os", Counting())
    async with opened(root) as backend:
        assert len(await everything(backend, replace(EVERYONE, bodies=False))) == 5
        await backend.tally(EVERYONE)
    assert 0 < amount < 5 * 8_192
