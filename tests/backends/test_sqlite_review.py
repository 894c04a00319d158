"""A thorough look at an SQLite store finds every bit that is another beside the bodies."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Delete, Ensure, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.health import Health, State
from ropewalk.domain.labels import Label
from ropewalk.domain.record import Key
from ropewalk.testing.samples import SPACE, key, write

pytestmark = pytest.mark.seed("8.2")

LEAN: Final = Key(SPACE, "node", "f." + "0a" * 12)

COLUMNS: Final = {
    "record": (
        *("space", "kind", "id", "version", "created_at", "updated_at", "expires_at"),
        *("session_id", "thread_id", "seal", "labels", "crc"),
    ),
    "node": ("place", "digest", "version", "at", "raised", "seal", "crc"),
    "name": ("nr", "text", "space", "kind", "at", "kept", "crc"),
    "commits": ("seq", "batch", "at", "actor", "changes", "ids", "crc"),
}
"""All columns but the numbers of rows that nothing names, and bodies that codecs have closed."""


def _store(path: Path) -> SqliteBackend:
    return SqliteBackend(path, clock=FrozenClock(), busy_timeout=5)


async def _filled(path: Path) -> None:
    """Write, rewrite, move and raise records of both tables, and remove some."""
    store = _store(path)
    await store.open()
    for number in range(3):
        labels: dict[str, Label] = {"n": number, "word": "tar"}
        await write(store, Put(key=key("plain"), labels=labels, seal="raw|crc32", body=b"x"))
        moved = Put(key=key("moved"), session_id=f"s{number}", thread_id="t", body=b"y")
        await write(store, replace(moved, expires_at=9 * 10**15))
        await write(store, Ensure(key=LEAN, stamp=number + 1, body=b"lean", seal="raw|zstd"))
        await write(store, Ensure(key=key("ensured"), stamp=number + 1, body=b"open"))
    await store.apply(Batch((Put(key=key("gone"), thread_id="gone"),), actor="somebody"))
    await write(store, Delete(key=key("gone")))
    await store.close()


async def _looked(path: Path) -> Health:
    store = _store(path)
    await store.open()
    health = await store.ping(thorough=True)
    await store.close()
    return health


def _flipped(value: int | str | bytes, rng: random.Random) -> int | str | bytes:
    """Return a cell with one bit that is another; a text stays one."""
    if isinstance(value, int):
        return value ^ 1 << rng.randrange(max(value.bit_length(), 8))
    data = bytearray(value.encode() if isinstance(value, str) else value)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(4 if isinstance(value, str) else 8)
    return data.decode() if isinstance(value, str) else bytes(data)


def _flip(path: Path, table: str, column: str, rng: random.Random) -> None:
    """Flip a bit of one cell of a column."""
    with closing(sqlite3.connect(path)) as connection, connection:
        cells = connection.execute(
            f"select rowid, {column} from {table} "  # noqa: S608 (our own names)
            f"where {column} is not null and {column} not in ('', x'')"
        ).fetchall()
        change = f"update or ignore {table} set {column} = ? where rowid = ?"  # noqa: S608
        while True:
            row, value = rng.choice(cells)
            # A number that another row has cannot be written like this.
            if connection.execute(change, (_flipped(value, rng), row)).rowcount:
                return


async def test_what_was_written_is_sound(tmp_path: Path) -> None:
    """However a row came to be what it is, its checksum is right, and each row has one."""
    await _filled(tmp_path / "store.db")
    health = await _looked(tmp_path / "store.db")
    assert (State.HEALTHY, (), ()) == (health.state, health.damages, health.records)
    with closing(sqlite3.connect(tmp_path / "store.db")) as connection:
        for table in COLUMNS:
            without = f"select count(*) from {table} where crc is null"  # noqa: S608
            if table == "name":
                without += " and text is not null"
            assert (0,) == connection.execute(without).fetchone(), table


async def test_every_flipped_bit_beside_a_body_is_found(tmp_path: Path) -> None:
    """In each column of each row, though SQLite itself and its indexes agree with what is there."""
    path = tmp_path / "store.db"
    await _filled(path)
    sound = path.read_bytes()
    rng = random.Random(5)
    flips = 0
    for table, columns in COLUMNS.items():
        for column in columns:
            path.write_bytes(sound)
            _flip(path, table, column, rng)
            health = await _looked(path)
            assert State.HEALTHY is not health.state, (table, column)
            assert health.records or health.damages, (table, column)
            flips += 1
    assert sum(map(len, COLUMNS.values())) == flips


async def test_a_damaged_record_is_named_by_its_key(tmp_path: Path) -> None:
    """With its thread; damage stays known when a version is raised, and goes when it is put."""
    path = tmp_path / "store.db"
    await _filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update record set created_at = created_at + 1 where id = 'moved'")
        connection.execute("update node set at = at + 1")
    store = _store(path)
    await store.open()
    await write(store, Ensure(key=LEAN, stamp=9, body=b"lean", seal="raw|zstd"))
    health = await store.ping(thorough=True)
    assert [(key("moved"), "t"), (LEAN, None)] == [(d.key, d.thread_id) for d in health.records]
    assert any(str(key("moved")) in reason for reason in health.reasons)
    await write(store, Put(key=key("moved")), Delete(key=LEAN))
    assert () == (await store.ping(thorough=True)).records
    await store.close()


async def test_a_body_without_a_seal_is_checked_with_its_row(tmp_path: Path) -> None:
    """What no codec has given a checksum has the one of its row."""
    path = tmp_path / "store.db"
    await _filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update record set body = x'6f70656f' where id = 'ensured'")
    assert [key("ensured")] == [damage.key for damage in (await _looked(path)).records]


async def test_rows_of_older_programs_are_passed_over_until_they_are_written(
    tmp_path: Path,
) -> None:
    """A row without a checksum is no damage; the next write gives it one."""
    path = tmp_path / "store.db"
    await _filled(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in COLUMNS:
            connection.execute(f"update {table} set crc = null")  # noqa: S608
        connection.execute("update record set version = version + 1")
    store = _store(path)
    await store.open()
    assert State.HEALTHY is (await store.ping(thorough=True)).state
    await write(store, Ensure(key=LEAN, stamp=9, body=b"lean", seal="raw|zstd"))
    await write(store, Put(key=key("plain")))
    await store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update record set version = version + 1")
    assert [key("plain")] == [damage.key for damage in (await _looked(path)).records]
