"""Opening a file: what is made, what is brought up to date, and what is refused untouched."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

import ropewalk.backends.sqlite
from ropewalk.backends.sqlite import SqliteBackend, schema
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.backends.sqlite.steps import Migration, mark, migrations
from ropewalk.domain.change import Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Invalid, RopewalkError, Unavailable
from ropewalk.domain.query import Condition, Order, Query
from ropewalk.testing.samples import SPACE, ids, key, put, read, write

CHECKED_IN = Path(ropewalk.backends.sqlite.__file__).with_name("schema.sql")


def _store(path: Path) -> SqliteBackend:
    return SqliteBackend(path, clock=FrozenClock(), busy_timeout=5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there yet."""
    return tmp_path / "store.db"


@pytest.fixture
async def made(path: Path) -> Path:
    """Make a store with one record in it, and close it."""
    store = _store(path)
    await store.open()
    await write(store, put("a", b"kept"))
    await store.close()
    return path


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    """Open a connection to the file beside any store."""
    patience = Patience(1, threading.Event())
    with closing(Connection(str(path), patience, create=True)) as connection:
        yield connection


async def _refused(path: Path, error: type[RopewalkError]) -> RopewalkError:
    """Return the error that opening a file raises, having closed the store for good measure."""
    store = _store(path)
    with pytest.raises(error) as caught:
        await store.open()
    await store.close()
    return caught.value


def _dump(connection: Connection) -> str:
    rows = connection.rows("select sql from sqlite_schema where sql is not null order by rowid")
    return "\n\n".join(f"{sql};" for (sql,) in rows)


class _Overtaken(Connection):
    """A connection behind whose back another process makes the store, right after a first look."""

    def integer(self, statement: str) -> int:
        """Answer, and let the other one do it all once."""
        answer = super().integer(statement)
        if statement == "pragma user_version" and answer == 0:
            other = Connection(self.path, Patience(1, threading.Event()))
            with closing(other):
                schema.migrate(other, self.path)
        return answer

    @property
    def path(self) -> str:
        """The file."""
        return str(self.rows("select file from pragma_database_list")[0][0])


@pytest.mark.seed("5.1")
def test_a_store_may_be_made_between_two_looks(path: Path) -> None:
    """Who finds an empty file that another process makes a store of meanwhile finds that store."""
    with closing(_Overtaken(str(path), Patience(1, threading.Event()), create=True)) as connection:
        connection.pragma("journal_mode", "wal")
        done = schema.migrate(connection, str(path))
        assert (len(migrations()), ()) == (done.before, done.applied)
        assert connection.integer("pragma user_version") == mark(migrations())


async def test_the_schema_is_the_sum_of_the_migrations(made: Path, connection: Connection) -> None:
    """What a full store has is what is checked in: no change of the schema goes unseen."""
    store = _store(made)
    await store.open()
    await write(store, Put(key=key("b"), thread_id="t"))
    await write(store, Put(key=key("c"), session_id="s", expires_at=1))
    await write(store, *[Put(key=key(f"{n}"), thread_id=f"t{n}") for n in range(64)])
    await store.close()
    _, _, checked_in = CHECKED_IN.read_text("utf-8").partition("\n\n")
    assert checked_in == _dump(connection) + "\n"


def test_migrations_are_numbered_without_a_gap() -> None:
    """The steps of the schema are 1, 2, 3 and so on, each with a name."""
    steps = migrations()
    assert list(range(1, len(steps) + 1)) == [step.number for step in steps]
    assert all(step.name and step.script.strip() for step in steps)


async def test_a_file_says_whose_it_is(made: Path, connection: Connection) -> None:
    """A store carries our application id, its schema's number, and a digest of what was applied."""
    assert made.exists()
    assert schema.APPLICATION_ID == connection.pragma("application_id")
    version = connection.integer("pragma user_version")
    assert mark(migrations()) == version
    assert len(migrations()) == version % 256
    assert version > 256


async def test_an_empty_store_is_small(path: Path) -> None:
    """A file holds a page for each tree that every store needs, and none for those it may need."""
    store = _store(path)
    await store.open()
    await store.close()
    assert path.stat().st_size == 45_056


def _extra(script: str) -> tuple[Migration, ...]:
    """Return the migrations of a newer version of this program: one more step."""
    known = migrations()
    return (*known, Migration(len(known) + 1, "extra", script))


async def test_a_migration_is_applied_once_and_keeps_records(
    made: Path, connection: Connection
) -> None:
    """A new step is applied to an old store, once, and its records are still there."""
    steps = _extra("create table extra (n integer) strict")
    for _ in range(2):
        schema.migrate(connection, str(made), steps=steps)
    assert mark(steps) == connection.pragma("user_version")
    assert connection.integer("select count(*) from extra") == 0
    assert connection.integer("select count(*) from record") == 1


async def test_a_migration_that_fails_leaves_nothing(made: Path, connection: Connection) -> None:
    """A step that breaks off half-way is undone as a whole, and the old store still opens."""
    before = _dump(connection)
    steps = _extra("create table extra (n integer) strict; insert into nowhere values (1)")
    with pytest.raises(apsw.SQLError):
        schema.migrate(connection, str(made), steps=steps)
    assert before == _dump(connection)
    store = _store(made)
    await store.open()
    assert await read(store, "a") is not None
    await store.close()


async def test_a_newer_store_is_refused(made: Path, connection: Connection) -> None:
    """A file that a newer program has changed is `Unavailable`, and the sentence says: update."""
    steps = _extra("create table extra (n integer) strict")
    schema.migrate(connection, str(made), steps=steps)
    error = await _refused(made, Unavailable)
    assert ("schema_newer", steps[-1].number) == (error.code, error.facts["schema"])
    assert "update the program" in str(error)


async def test_a_store_with_another_migration_is_refused(
    made: Path, connection: Connection
) -> None:
    """Where a step was applied that is not the one of this program, nothing goes on."""
    connection.pragma("user_version", mark(migrations()) ^ 256)
    error = await _refused(made, Corrupt)
    assert error.code == "schema_checksum"


@pytest.mark.seed("1.5", "8.2")
@pytest.mark.parametrize("content", [b"not a database at all", b"\0" * 5_000, b"{}" * 5_000])
async def test_what_is_no_database_is_refused(path: Path, content: bytes) -> None:
    """A file with something else in it is `Corrupt`, and is left as it was."""
    path.write_bytes(content)
    error = await _refused(path, Corrupt)
    assert error.code == "not_a_database"
    assert content == path.read_bytes()


@pytest.mark.seed("1.5")
@pytest.mark.parametrize("marked", [False, True])
async def test_the_database_of_another_program_is_refused(path: Path, *, marked: bool) -> None:
    """A database that is not ours is `Invalid`, and not one byte of it changes."""
    with closing(sqlite3.connect(path)) as foreign:
        foreign.execute("create table theirs (n)")
        if marked:
            foreign.executescript("drop table theirs; pragma application_id = 7")
    before = path.read_bytes()
    error = await _refused(path, Invalid)
    assert error.code == "foreign_file"
    assert before == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("query", "written"),
    [
        (Query(space=SPACE, thread_id="t"), Put(key=key("b"), thread_id="t")),
        (Query(space=None, session_id="s"), Put(key=key("b"), session_id="s")),
        (
            Query(space=SPACE, thread_id="t", order=Order("updated_at")),
            Put(key=key("b"), thread_id="t"),
        ),
        (
            Query(space=SPACE, expired=True, where=(Condition("expires_at", "le", 9),)),
            Put(key=key("b"), expires_at=9),
        ),
    ],
)
async def test_an_index_comes_with_its_first_row(made: Path, query: Query, written: Put) -> None:
    """Who asks along an index finds nothing before another store made it, and all from then on."""
    one, other = _store(made), _store(made)
    await one.open()
    await other.open()
    for expected in ([], ["b"], ["b", "c"]):
        if expected:
            writer = one if expected == ["b"] else other
            await write(writer, replace(written, key=key(expected[-1])))
        for store in (one, other):
            assert expected == await ids(store, query)
            assert len(expected) == sum(tally.count for tally in await store.tally(query))
    await one.close()
    await other.close()


async def test_a_store_that_grows_gets_all_indexes(path: Path, connection: Connection) -> None:
    """What would take long to make for many records is made while they are few."""
    store = _store(path)
    await store.open()
    found = "select name from sqlite_schema where name in ('record_thread', 'record_expiry')"
    for first, made in ((0, 0), (1_000, 0), (2_000, 2)):
        await write(store, *[put(f"{n}") for n in range(first, first + 1_000)])
        assert made == len(connection.rows(found))
    await store.close()


async def test_an_index_that_was_rolled_back_is_made_again(
    made: Path, connection: Connection
) -> None:
    """What a connection knows of an index goes with the transaction that made it."""
    assert made.exists()
    for ending in ("rollback", "commit"):
        connection.run("begin immediate")
        connection.indexes.need("record_expiry")
        connection.run(ending)
        connection.names.undo()
        assert connection.indexes.has("record_expiry") == (ending == "commit")


async def test_an_empty_file_becomes_a_store(path: Path) -> None:
    """A file of no bytes, as a program for temporary files makes it, is filled."""
    path.touch()
    store = _store(path)
    await store.open()
    assert await write(store, put("a")) == (1,)
    await store.close()


@pytest.mark.seed("1.5")
async def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """No folder is made up: a path that leads nowhere is `Unavailable`, naming it."""
    error = await _refused(tmp_path / "nowhere" / "store.db", Unavailable)
    assert error.code == "cannot_open"
    assert "nowhere" in str(error)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.seed("1.5")
async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """The path of a folder is `Unavailable`, and the folder stays."""
    error = await _refused(tmp_path, Unavailable)
    assert error.code == "cannot_open"
    assert tmp_path.is_dir()


async def test_pages_and_journal_are_as_designed(made: Path, connection: Connection) -> None:
    """A new file has pages of 4 KiB and a write-ahead log, and is closed without leaving one."""
    assert [made] == list(made.parent.iterdir())
    assert (4_096, "wal") == (connection.pragma("page_size"), connection.pragma("journal_mode"))
