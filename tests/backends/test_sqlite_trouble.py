"""Damage and refusals by the system come out as what they are, and hide nothing that is whole."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import AsyncIterator, Generator
from contextlib import closing, contextmanager
from itertools import takewhile
from pathlib import Path
from typing import TypeVar, cast

import apsw
import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.errors import in_our_words, speaking_of
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.cursor import Cursor
from ropewalk.domain.errors import Corrupt, Invalid, RopewalkError, Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.query import NEWEST_FIRST, Condition, Order, Query
from ropewalk.testing.samples import SPACE, everything, found, ids, key, put, read, write

NOBODY = 65534

T = TypeVar("T")


def _store(path: Path, *, verify: bool = False) -> SqliteBackend:
    return SqliteBackend(path, clock=FrozenClock(), busy_timeout=5, verify=verify)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Make a store of sixty records with bodies of 2 KB, and close it."""
    path = tmp_path / "store.db"
    store = _store(path)
    await store.open()
    changes = [
        put(f"n{n:02}", bytes([n + 1]) * 2_000, labels={"n": n}, session_id="s") for n in range(60)
    ]
    await write(store, *changes[:30])
    await write(store, *changes[30:])
    await store.close()
    return path


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteBackend]:
    """Open that store again, after the test has done what it wants to its file."""
    store = _store(path, verify=True)
    yield store
    await store.close()


def _tamper(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def _damage_page_of(path: Path, id: str) -> set[str]:
    """Write noise over the page that holds a record; return the ids of all records on it."""
    place = "select pgoffset, pgsize from dbstat where name = 'record' and pagetype = 'leaf'"
    body = bytes([int(id[1:]) + 1]) * 500
    content = bytearray(path.read_bytes())
    with closing(Connection(str(path), Patience(1, threading.Event()))) as connection:
        pages = connection.rows(place)
    for offset, size in cast("list[tuple[int, int]]", pages):
        page = bytes(content[offset : offset + size])
        if body in page:
            hurt = {f"n{n:02}" for n in range(60) if bytes([n + 1]) * 500 in page}
            content[offset : offset + size] = b"\xa5" * size
            path.write_bytes(content)
            return hurt
    raise AssertionError(id)


@pytest.mark.seed("1.5", "8.2")
async def test_a_damaged_page_is_corrupt(path: Path, store: SqliteBackend) -> None:
    """Records on a page full of noise are `Corrupt`, naming them; all others are read as ever.

    A scan hands out what lies before the damage. Where everything must be sorted first, nothing
    can be: no wrong order passes for a right one.
    """
    hurt = _damage_page_of(path, "n20")
    await store.open()
    assert 1 <= len(hurt) < 10
    for n in range(60):
        if f"n{n:02}" in hurt:
            with pytest.raises(Corrupt) as caught:
                await read(store, f"n{n:02}")
            assert ("damaged_file", key(f"n{n:02}")) == (
                caught.value.code,
                caught.value.facts["key"],
            )
            assert "backup" in str(caught.value)
        else:
            assert (await found(store, f"n{n:02}")).body == bytes([n + 1]) * 2_000
    for order in (Order(), Order("id"), NEWEST_FIRST):
        names = sorted((f"n{n:02}" for n in range(60)), reverse=order.descending)
        seen, code = await _seen(store.scan(Query(space=SPACE, order=order)))
        before = list(takewhile(lambda name: name not in hurt, names))
        assert (before, "damaged_file") == ([record.key.id for record in seen], code)
    seen, _ = await _seen(store.scan(Query(space=SPACE, order=Order("updated_at"))))
    assert seen == []


@pytest.mark.seed("2.5", "8.2")
async def test_ping_finds_damage_where_it_is_asked_to_look(
    path: Path, store: SqliteBackend
) -> None:
    """With `verify`, `ping` checks the pages and says that the store is damaged."""
    _damage_page_of(path, "n20")
    await store.open()
    health = await store.ping()
    assert health.state is State.DEGRADED
    assert re.search(r"is damaged \(.*[Pp]age \d+.*\): restore it from a backup", health.reasons[0])


@pytest.mark.seed("8.2")
async def test_a_damaged_beginning_is_corrupt(path: Path, store: SqliteBackend) -> None:
    """A file whose first page is noise is `Corrupt` at opening, and stays as it is."""
    content = b"\xa5" * 8_192 + path.read_bytes()[8_192:]
    path.write_bytes(content)
    with pytest.raises(Corrupt):
        await store.open()
    assert content == path.read_bytes()


@pytest.mark.seed("8.2")
async def test_a_truncated_file_is_corrupt(path: Path, store: SqliteBackend) -> None:
    """A file that was cut off is `Corrupt` at opening: what is missing is never simply absent."""
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(Corrupt):
        await store.open()


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    ("change", "before", "code"),
    [
        ("id = cast(x'6eff' as text)", 7, "bad_text"),
        ("id = ''", 0, "bad_row"),
        ("seal = 999", 7, "bad_name"),
    ],
)
async def test_a_row_of_nonsense_is_corrupt(
    path: Path, store: SqliteBackend, change: str, before: int, code: str
) -> None:
    """A row that was never written so is `Corrupt`; it hides no other record."""
    _tamper(path, f"update record set {change} where id = 'n07'")  # noqa: S608
    await store.open()
    seen, told = await _seen(store.scan(Query(space=SPACE)))
    assert (before, code) == (len(seen), told)
    assert (await found(store, "n08")).labels == {"n": 8}
    newest = Query(space=SPACE, order=NEWEST_FIRST, limit=20)
    assert len(await ids(store, newest)) == 20


@pytest.mark.seed("8.2")
@pytest.mark.parametrize("labels", ['{"n": nonsense', '{"n": null}'])
async def test_damaged_labels_are_corrupt_when_looked_at(
    path: Path, store: SqliteBackend, labels: str
) -> None:
    """A row whose labels are none is read, and says so to whoever wants one of them."""
    _tamper(path, f"update record set labels = '{labels}' where id = 'n07'")  # noqa: S608
    await store.open()
    record = await found(store, "n07")
    with pytest.raises(Corrupt, match="n07"):
        record.labels.get("n")
    assert 60 == len(await ids(store, Query(space=SPACE)))


@pytest.mark.seed("8.2")
async def test_a_damaged_label_is_corrupt_for_a_tally(path: Path, store: SqliteBackend) -> None:
    """A group that no label can be is `Corrupt`, naming the label."""
    _tamper(path, "update record set labels = '{\"n\":\"?\"}' where id = 'n07'")
    await store.open()
    with pytest.raises(Corrupt, match="'n'"):
        await store.tally(Query(space=SPACE), (), ("labels.n",))


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    "change",
    [
        "changes = x''",
        "changes = x'90'",
        "changes = x'01'",
        "changes = x'9103'",
        "changes = x'92c303'",
        "changes = x'9203cd03e7'",
        "changes = x'9203a0'",
        "changes = x'9203c0'",
        "changes = x'92a16103'",
        "changes = x'93fda16101'",
        "changes = x'94fda16101c3'",
        "changes = x'94fda1610001'",
        "changes = x'94fda1610102'",
        "changes = x'9203c3', ids = x'0001'",
        "ids = x'00000000000000000000000000000000ff'",
        "ids = x'00000000000000000000000000000000'",
        "batch = x'00000000000000000000000000000000ff'",
    ],
)
async def test_a_damaged_commit_is_corrupt(path: Path, store: SqliteBackend, change: str) -> None:
    """A row of the feed that was never written so is `Corrupt`, naming its number."""
    _tamper(path, f"update commits set {change} where seq = 2")  # noqa: S608
    await store.open()
    told, code = await _seen(store.feed())
    assert ([1], "bad_commit") == ([commit.seq for commit in told], code)


async def _seen(iterator: AsyncIterator[T]) -> tuple[list[T], str]:
    """Return what an iterator gives before it says `Corrupt`, and the code of that."""
    seen: list[T] = []
    with pytest.raises(Corrupt) as caught:
        async for item in iterator:
            seen.append(item)  # noqa: PERF401 (it must be kept when the next one raises)
    return seen, caught.value.code


@contextmanager
def _as_somebody_else() -> Generator[None]:
    """Give up the powers of the superuser for a while, to whom no file is closed."""
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)


@pytest.fixture
def open_folder() -> Generator[Path]:
    """Make a folder that other users may look into, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder


@pytest.mark.seed("1.5", "2.5")
async def test_a_read_only_file_is_read_and_not_written(path: Path, open_folder: Path) -> None:
    """A file without permission to write is read, `ping` says degraded, and writes say why."""
    copy = Path(shutil.copy(path, open_folder))
    copy.chmod(0o444)
    store = _store(copy)
    with _as_somebody_else():
        await store.open()
        assert len(await everything(store, Query(space=SPACE))) == 60
        health = await store.ping()
        assert health.state is State.DEGRADED
        assert "may only be read" in health.reasons[0]
        with pytest.raises(Unavailable) as caught:
            await write(store, put("new"))
        assert caught.value.code == "read_only"
        await store.close()


@pytest.mark.seed("1.5")
async def test_a_closed_folder_is_told(path: Path, open_folder: Path) -> None:
    """Where the folder may not be written to, opening says so instead of failing later."""
    copy = Path(shutil.copy(path, open_folder))
    copy.chmod(0o444)
    open_folder.chmod(0o555)
    store = _store(copy)
    with _as_somebody_else():
        with pytest.raises(Unavailable) as caught:
            await store.open()
        assert caught.value.code in ("cannot_open", "read_only")
        assert "folder" in str(caught.value)
        assert (await store.ping()).state is State.DOWN
        await store.close()
    open_folder.chmod(0o777)


async def test_a_value_that_cannot_be_stored_is_invalid(store: SqliteBackend) -> None:
    """A lone surrogate where the domain takes any text is `Invalid`, and nothing is written."""
    await store.open()
    with pytest.raises(Invalid):
        await store.apply(Batch((put("new"), Put(key=key("odd"), seal="\ud800"))))
    with pytest.raises(Invalid):
        await ids(store, Query(space=SPACE, after=Cursor(1, "\ud800")))
    assert await read(store, "new") is None


@pytest.mark.seed("1.5")
@pytest.mark.parametrize(
    ("error", "expected", "code"),
    [
        (apsw.BusyError, Unavailable, "busy"),
        (apsw.LockedError, Unavailable, "busy"),
        (apsw.ProtocolError, Unavailable, "busy"),
        (apsw.FullError, Unavailable, "full"),
        (apsw.IOError, Unavailable, "io"),
        (apsw.ReadOnlyError, Unavailable, "read_only"),
        (apsw.CantOpenError, Unavailable, "cannot_open"),
        (apsw.PermissionsError, Unavailable, "no_permission"),
        (apsw.NoMemError, Unavailable, "no_memory"),
        (apsw.InterruptError, Unavailable, "interrupted"),
        (apsw.MisuseError, Unavailable, "sqlite"),
        (apsw.CorruptError, Corrupt, "damaged_file"),
        (apsw.NotADBError, Corrupt, "not_a_database"),
        (apsw.SQLError, Corrupt, "bad_schema"),
    ],
)
def test_every_error_of_sqlite_is_told_in_our_words(
    error: type[apsw.Error], expected: type[RopewalkError], code: str
) -> None:
    """No error of the driver gets out: each is one of the six, with its cause and the file."""
    cause = error("what SQLite said")
    with pytest.raises(expected) as caught, speaking_of("/the/file.db"):
        raise cause
    assert (code, cause) == (caught.value.code, caught.value.__cause__)
    assert "/the/file.db" in str(caught.value)
    assert "what SQLite said" in str(caught.value)


def test_our_own_errors_stay_as_they_are() -> None:
    """An error that is one of the house already is passed on, not told a second time."""
    error = Corrupt("known")
    assert error is in_our_words(error, "/the/file.db")


async def test_a_query_too_long_is_invalid(store: SqliteBackend) -> None:
    """A query of more conditions than SQLite takes is `Invalid`, and the sentence says so."""
    await store.open()
    endless = Query(
        space=SPACE, where=tuple(Condition("labels.n", "ge", -n) for n in range(40_000))
    )
    with pytest.raises(Invalid, match="split it"):
        await ids(store, endless)
