"""The schema of a file before it is opened: what is told, what is applied, what is refused."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.ledger import program
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.backends.sqlite.schema import APPLICATION_ID
from ropewalk.backends.sqlite.steps import Migration, mark, migrations
from ropewalk.backends.sqlite.upgrading import SqliteSchema, bring_up
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Corrupt, Invalid, RopewalkError, Unavailable
from ropewalk.domain.schema import DriftKind, Schemed
from ropewalk.testing.samples import put, read, write

KNOWN: Final = migrations()
ADDING: Final = Migration(
    len(KNOWN) + 1, "extra", "create table extra (n integer) strict; -- a; comment\n"
)
REWRITING: Final = Migration(
    len(KNOWN) + 1, "counted", "create table counted as select count(*) as n from commits;"
)
FAILING: Final = Migration(
    len(KNOWN) + 1, "failing", "update record set version = 9; insert into nowhere values (1);"
)
NOW: Final = 1_800_000_000_000_000


def schema_at(path: Path, *steps: Migration, timeout: float = 5) -> SqliteSchema:
    """Return the schema of a file as a program sees it that has these steps as well."""
    clock = FrozenClock(NOW, tick=0)
    return SqliteSchema(str(path), clock=clock, busy_timeout=timeout, steps=(*KNOWN, *steps))


def sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    """Run statements as another program would, and return the rows of the last.

    Only while nobody has the file open: locks of two libraries in one process do not meet.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        return [other.execute(statement).fetchall() for statement in statements][-1]


@pytest.fixture
async def made(tmp_path: Path) -> Path:
    """Make a store with a hundred records in it, and close it."""
    path = tmp_path / "store.db"
    store = SqliteBackend(path, clock=FrozenClock(5))
    await store.open()
    await write(store, *[put(f"r-{n}", b"%d" % n * 100) for n in range(100)])
    await store.close()
    return path


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """Make an empty store of the first schema, which had no ledger."""
    path = tmp_path / "first.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(KNOWN[0].script)
        old.execute(f"pragma user_version = {mark(KNOWN[:1])}")
        old.execute(f"pragma application_id = {APPLICATION_ID}")
    return path


def test_what_rewrites_is_told_by_its_statements() -> None:
    """New tables, indexes and columns add; whatever else a migration does rewrites."""
    scripts = {
        "create table a (b); create unique index c on a (b);\nCREATE INDEX d on a (b)": False,
        "alter table a add column b integer": False,
        "-- only this; and this\ncreate table a (b) -- ;": False,
        "update a set b = 1": True,
        "create table a (b); drop table c": True,
        "alter table a rename to b": True,
        "create trigger a after insert on b begin delete from b; end": True,
    }
    found = {script: Migration(1, "x", script).rewrites for script in scripts}
    assert scripts == found
    checksum = hashlib.sha256(ADDING.script.encode()).hexdigest()
    assert checksum == ADDING.checksum


async def test_a_store_tells_what_was_applied(made: Path) -> None:
    """The ledger has each migration with its checksum, the time and the program."""
    assert isinstance(SqliteBackend(made, clock=FrozenClock()), Schemed)
    status = await schema_at(made, ADDING).status()
    assert ("sqlite", len(KNOWN), len(KNOWN) + 1) == (status.form, status.found, status.known)
    assert (ADDING.number,) == tuple(step.number for step in status.pending)
    applied = status.steps[:-1]
    assert [step.checksum for step in KNOWN] == [step.checksum for step in applied]
    assert {(5, program())} == {(step.applied_at, step.program) for step in applied}
    assert "" != program()


async def test_an_old_store_gets_its_ledger(first: Path) -> None:
    """What was applied before there was a ledger is entered at the next upgrade, without a time."""
    assert () == await schema_at(first).check()
    status = await schema_at(first).status()
    assert [1] == [step.number for step in status.steps if step.applied]
    done = await schema_at(first).upgrade()
    assert (1, len(KNOWN)) == (done.before, done.after)
    assert f"{first}.schema-1.bak" == done.backup
    rows = sql(first, "select number, checksum, applied_at, backup from migration order by 1")
    expected = [
        (s.number, s.checksum, *((None, None) if s.number == 1 else (NOW, done.backup)))
        for s in KNOWN
    ]
    assert expected == rows
    assert () == await schema_at(first).check()


async def test_an_upgrade_leaves_a_copy_of_what_was(made: Path, tmp_path: Path) -> None:
    """The copy is a store of the earlier schema with all records; no copy is overwritten."""
    done = await schema_at(made, REWRITING).upgrade()
    assert [REWRITING.name] == [step.name for step in done.applied]
    assert done.backup is not None
    copied = SqliteBackend(done.backup, clock=FrozenClock())
    assert () == (await copied.schema.status()).pending
    await copied.open()
    found = await read(copied, "r-7")
    assert found is not None
    assert b"7" * 100 == found.body
    await copied.close()
    with pytest.raises(Unavailable, match=f"schema {ADDING.number}, this one knows {len(KNOWN)}"):
        await SqliteBackend(made, clock=FrozenClock()).open()

    again = tmp_path / "again.db"
    for expected in (f"{again}.schema-{len(KNOWN)}.bak", f"{again}.schema-{len(KNOWN)}.2.bak"):
        again.write_bytes(Path(done.backup).read_bytes())
        assert expected == (await schema_at(again, ADDING).upgrade()).backup
    third = await schema_at(again, ADDING).upgrade()
    assert (ADDING.number, (), None) == (third.before, third.applied, third.backup)


async def test_a_copy_overwrites_nothing(made: Path, tmp_path: Path) -> None:
    """A name that is taken, and a folder that is not there, are refused; the store stays as it is.

    The same holds for the store itself, and for a copy that turns out to be damaged.
    """
    taken = tmp_path / "taken"
    taken.write_text("mine")
    before = made.read_bytes()
    for name, error, code in (
        (taken, Invalid, "backup_exists"),
        (made, Invalid, "backup_exists"),
        (tmp_path / "nowhere" / "copy", Unavailable, "cannot_open"),
    ):
        with pytest.raises(error) as caught:
            await schema_at(made, ADDING).upgrade(backup=str(name))
        assert isinstance(caught.value, RopewalkError)
        assert code == caught.value.code
    torn = bytearray(before)
    torn[-4096:] = b"\x5a" * 4096
    made.write_bytes(torn)
    with pytest.raises(Corrupt):
        await schema_at(made, ADDING).upgrade(backup=str(tmp_path / "copy"))
    assert bytes(torn) == made.read_bytes()
    assert "mine" == taken.read_text()
    assert {made, taken} == set(tmp_path.iterdir())


async def test_an_upgrade_that_fails_leaves_the_store_as_it_was(made: Path) -> None:
    """A migration that breaks off takes back what it had done, and the copy of no use goes."""
    with pytest.raises(Corrupt):
        await schema_at(made, FAILING).upgrade()
    assert [(0,)] == sql(made, "select count(*) from record where version = 9")
    assert [made] == list(made.parent.iterdir())
    assert () == await schema_at(made).check()


async def test_nobody_writes_between_the_copy_and_the_upgrade(made: Path) -> None:
    """While others write, the copy has exactly the commits that the migration met; none is lost."""
    store = SqliteBackend(made, clock=FrozenClock(), busy_timeout=30)
    await store.open()
    begun, over = asyncio.Event(), asyncio.Event()

    async def others() -> int:
        count = 0
        while not over.is_set() or count < 20:
            await write(store, put(f"w-{count}"))
            count += 1
            begun.set()
        return count

    writing = asyncio.ensure_future(others())
    await begun.wait()
    done = await schema_at(made, REWRITING, timeout=30).upgrade()
    over.set()
    written = await writing
    await store.close()
    assert done.backup is not None
    counted = sql(made, "select n from counted")
    assert counted == sql(Path(done.backup), "select count(*) from commits")
    assert [(written,)] == sql(made, "select count(*) from record where id glob 'w-*'")


async def test_of_many_that_upgrade_one_does(first: Path) -> None:
    """Those who come at once wait, find nothing to do, and leave no copy of their own."""
    done = await asyncio.gather(*[schema_at(first, REWRITING).upgrade() for _ in range(4)])
    assert [0, 0, 0, len(KNOWN)] == sorted(len(upgrade.applied) for upgrade in done)
    assert {first, Path(f"{first}.schema-1.bak")} == set(first.parent.iterdir())
    assert () == await schema_at(first, REWRITING).check()


async def test_opening_copies_only_before_it_rewrites(
    made: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A step that adds is applied at opening as it is; one that rewrites, behind a copy."""
    caplog.set_level(logging.WARNING, "ropewalk.sqlite")
    copy = Path(f"{made}.schema-{len(KNOWN) + 1}.bak")
    with closing(Connection(str(made), Patience(5, threading.Event()))) as connection:
        for steps in ((ADDING,), (ADDING, Migration(ADDING.number + 1, "x", "delete from extra"))):
            assert not copy.exists()
            patience = Patience(5, threading.Event())
            clock = FrozenClock()
            bring_up(connection, str(made), patience, clock=clock, steps=(*KNOWN, *steps))
    assert str(copy) in caplog.text
    assert 1 == len(caplog.records)
    assert [(100,)] == sql(copy, "select count(*) from record")
    assert [(str(copy),)] == sql(made, "select backup from migration where name = 'x'")


@pytest.mark.parametrize("found", [0, 1, len(KNOWN)])
async def test_the_sql_may_be_run_by_hand(tmp_path: Path, first: Path, found: int) -> None:
    """What a person runs instead makes the same store, ledger and all, of any earlier one."""
    path = tmp_path / "by-hand.db" if found == 0 else first
    if found == len(KNOWN):
        await schema_at(path).upgrade()
    if found == 0:
        path.touch()
    script = await schema_at(path).sql(everything=found == 0)
    assert (found == len(KNOWN)) is (script == "")
    with closing(sqlite3.connect(path)) as other:
        other.executescript(script)
    assert () == await schema_at(path).check()
    status = await schema_at(path).status()
    assert () == status.pending
    assert all(step.applied_at for step in status.steps if step.number > found)
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    await write(store, put("a"))
    await store.close()


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        ("drop index record_kind", DriftKind.MISSING, "index record_kind"),
        ("drop table commits", DriftKind.MISSING, "table commits"),
        ("alter table name add column mine integer", DriftKind.CHANGED, "table name"),
        ("create index record_expiry on record (id)", DriftKind.CHANGED, "index record_expiry"),
        ("create table mine (n)", DriftKind.EXTRA, "table mine"),
        ("create view mine as select 1", DriftKind.EXTRA, "view mine"),
        ("create index label_x on record (id)", DriftKind.EXTRA, "index label_x"),
        ("update migration set checksum = 'x'", DriftKind.CHANGED, "migration 1"),
        ("delete from migration where number = 1", DriftKind.MISSING, "migration 1"),
        ("insert into migration values (99,'x','y',1,'z',null)", DriftKind.EXTRA, "migration 99"),
        (f"pragma user_version = {mark(KNOWN) ^ 256}", DriftKind.CHANGED, "migrations"),
    ],
)
async def test_drift_is_named(made: Path, statement: str, kind: DriftKind, what: str) -> None:
    """Every object that is not as the migrations make it is named; nothing else is."""
    assert () == await schema_at(made).check()
    sql(made, statement)
    drifts = await schema_at(made).check()
    own = [drift for drift in drifts if drift.what.startswith(what)]
    assert own
    assert {kind} == {drift.kind for drift in own}
    assert all(drift.reason in str(drift) for drift in own)
    # An index goes with its table, and all rows of the ledger were changed by one statement.
    within = ("index commits_batch", "migration ")
    assert [] == [d.what for d in drifts if d not in own and not d.what.startswith(within)]


async def test_a_declared_index_is_no_drift(made: Path) -> None:
    """Indexes that users declare, and those made with their first row, belong to the schema."""
    import ropewalk

    async with ropewalk.open(f"sqlite:///{made}") as storage:
        await storage.declare_index("note", "metadata.topic")
        await storage.sessions.create(id="s")
        await storage.threads.create(id="t", session_id="s")
    assert [] != sql(made, "select 1 from sqlite_schema where name glob 'label_*'")
    assert () == await schema_at(made).check()


async def test_a_store_that_drifted_is_not_upgraded(made: Path) -> None:
    """What is missing is named and stops an upgrade; what others added may stay."""
    sql(made, "create table mine (n)")
    assert (await schema_at(made, ADDING).upgrade()).applied
    sql(made, "drop index record_kind")
    later = Migration(ADDING.number + 1, "later", "create table later (n) strict")
    with pytest.raises(Corrupt, match="index record_kind") as caught:
        await schema_at(made, ADDING, later).upgrade()
    assert "schema_drift" == caught.value.code
    assert ["index record_kind"] == caught.value.facts["objects"]


async def test_a_newer_store_is_refused_by_every_verb(made: Path) -> None:
    """Both versions are named, and nothing is changed or copied."""
    await schema_at(made, ADDING).upgrade(backup=f"{made}.old")
    before = made.read_bytes()
    schema = schema_at(made)
    for verb in (schema.status, schema.sql, schema.upgrade, schema.check):
        with pytest.raises(Unavailable) as caught:
            await verb()
        facts = caught.value.facts
        assert ("schema_newer", ADDING.number, len(KNOWN)) == (
            caught.value.code,
            facts["schema"],
            facts["known"],
        )
    assert before == made.read_bytes()
    assert {"store.db", "store.db.old"} == {path.name for path in made.parent.iterdir()}


async def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    """The database of another program is `Invalid`, what is none `Corrupt`; both stay."""
    foreign, text = tmp_path / "foreign.db", tmp_path / "text.db"
    sql(foreign, "create table theirs (n)")
    text.write_text("my notes\n" * 1_000)
    for path, code in ((foreign, "foreign_file"), (text, "not_a_database")):
        before = path.read_bytes()
        for verb in (schema_at(path).status, schema_at(path).upgrade, schema_at(path).check):
            with pytest.raises(RopewalkError) as caught:
                await verb()
            assert code == caught.value.code
        assert before == path.read_bytes()


async def test_who_waits_for_a_lock_can_be_cancelled(made: Path) -> None:
    """An upgrade that waits for somebody else's lock ends when it is cancelled; nothing is done."""
    with closing(Connection(str(made), Patience(0, threading.Event()))) as other:
        other.run("begin immediate")
        waiting = asyncio.ensure_future(schema_at(made, ADDING, timeout=60).upgrade())
        # Whoever is cancelled ends whether it waits already or has not begun.
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        other.run("rollback")
    assert (ADDING.number,) == tuple(
        s.number for s in (await schema_at(made, ADDING).status()).pending
    )
