"""`ping` says how a store is, and for each thing that is wrong what to do."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import apsw
import pytest

from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.backends.sqlite.vitals import BIG_WAL, LONG_QUEUE, LOW_DISK, Vitals, judge
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.health import State
from ropewalk.domain.record import Key
from ropewalk.testing.samples import put, write

WELL = Vitals(path="/the/file.db")


@pytest.mark.seed("2.5")
def test_figures_within_bounds_are_healthy() -> None:
    """At the bounds themselves nothing is wrong, and there is nothing to say."""
    brink = replace(
        WELL, free_bytes=LOW_DISK, wal_bytes=BIG_WAL, queued=LONG_QUEUE, sqlite="3.51.3"
    )
    for vitals in (WELL, brink):
        health = judge(vitals)
        assert (State.HEALTHY, ()) == (health.state, health.reasons)


@pytest.mark.seed("2.5")
@pytest.mark.parametrize(
    ("vitals", "state", "said"),
    [
        (replace(WELL, present=False), State.DOWN, "moved or removed"),
        (replace(WELL, writer_alive=False), State.DOWN, "close the store and open it again"),
        (replace(WELL, damages=("page 7",)), State.DEGRADED, "restore it from a backup"),
        (replace(WELL, trouble=Unavailable("disk sick")), State.DEGRADED, "disk sick"),
        (replace(WELL, read_only=True), State.DEGRADED, "allow writing"),
        (replace(WELL, free_bytes=LOW_DISK - 1), State.DEGRADED, "make room"),
        (replace(WELL, wal_bytes=BIG_WAL + 1), State.DEGRADED, "end long reads"),
        (replace(WELL, queued=LONG_QUEUE + 1), State.DEGRADED, "write less at a time"),
    ],
)
def test_each_trouble_is_told_with_a_cure(vitals: Vitals, state: State, said: str) -> None:
    """What stops the store makes it down, what threatens it degraded; each says what to do."""
    health = judge(vitals)
    assert state is health.state
    (reason,) = health.reasons
    assert said in reason


@pytest.mark.seed("2.5")
@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ("3.40.1", False),
        ("3.44.5", False),
        ("3.44.6", True),
        ("3.45.3", False),
        ("3.50.6", False),
        ("3.50.7", True),
        ("3.51.2", False),
        ("3.51.3", True),
        ("3.54.1", True),
        ("4.0.0", True),
    ],
)
def test_a_dangerous_sqlite_is_told(version: str, safe: bool) -> None:
    """A release with the error that can damage a shared file is named, with the cure."""
    health = judge(replace(WELL, sqlite=version))
    assert (State.HEALTHY if safe else State.DEGRADED) is health.state
    assert safe or "update the package apsw" in health.reasons[0]


@pytest.mark.seed("2.5")
def test_the_worst_comes_first() -> None:
    """Of several troubles the state is the worst, and its reason comes first."""
    health = judge(replace(WELL, present=False, read_only=True, free_bytes=0))
    assert (State.DOWN, 3) == (health.state, len(health.reasons))
    assert "moved or removed" in health.reasons[0]


@pytest.mark.seed("2.5")
async def test_a_store_tells_its_figures(tmp_path: Path) -> None:
    """A healthy store says how big it is, how much room there is, and which SQLite it runs on."""
    store = SqliteBackend(tmp_path / "store.db", clock=FrozenClock(), verify=True)
    before = await store.ping()
    assert before.state is State.DOWN
    assert "open it first" in before.reasons[0]
    await store.open()
    await write(store, put("a", b"x" * 100_000))
    health = await store.ping()
    assert (State.HEALTHY, ()) == (health.state, health.reasons)
    assert int(health.facts["wal_bytes"]) + int(health.facts["file_bytes"]) > 100_000
    assert int(health.facts["free_bytes"]) > LOW_DISK
    assert (0, 3) == (health.facts["queued"], len(str(health.facts["sqlite"]).split(".")))
    await store.close()


@pytest.mark.seed("2.5")
async def test_a_store_without_its_file_is_down(tmp_path: Path) -> None:
    """When the file is taken away under a store, `ping` says so; brought back, all is well."""
    path = tmp_path / "store.db"
    store = SqliteBackend(path, clock=FrozenClock())
    await store.open()
    away = path.rename(tmp_path / "elsewhere.db")
    health = await store.ping()
    assert health.state is State.DOWN
    assert "moved or removed" in health.reasons[0]
    away.rename(path)
    assert (await store.ping()).state is State.HEALTHY
    await store.close()


async def test_a_thorough_look_finds_an_index_that_hides_a_record(tmp_path: Path) -> None:
    """Only the thorough check compares indexes with rows; it tells every finding apart."""
    path = tmp_path / "store.db"
    backend = SqliteBackend(path, clock=FrozenClock())
    await backend.open()
    await write(backend, put("first-one"), put("other-one"))
    await backend.close()
    file = apsw.Connection(str(path))
    select = "select pgoffset from dbstat where name = 'record_key'"
    ((begin,),) = cast("list[tuple[int]]", file.execute(select).fetchall())
    file.close()
    data = bytearray(path.read_bytes())
    data[data.index(b"other-one", begin)] ^= 1
    path.write_bytes(data)

    await backend.open()
    quick, thorough = await backend.ping(), await backend.ping(thorough=True)
    await backend.close()

    assert (State.HEALTHY, ()) == (quick.state, quick.damages)
    assert State.DEGRADED == thorough.state
    assert any("missing from index record_key" in damage for damage in thorough.damages)
    assert set(thorough.damages) <= set(thorough.reasons)


async def test_pages_and_caches_are_among_the_facts(tmp_path: Path) -> None:
    """How many pages there are and are free, and how many were found in memory or read."""
    backend = SqliteBackend(tmp_path / "store.db", clock=FrozenClock())
    await backend.open()
    before = (await backend.ping()).facts
    await backend.apply(Batch(tuple(Put(key=Key("s", "k", f"{n}")) for n in range(500))))
    for n in range(50):
        await backend.get([Key("s", "k", f"{n}")])
    after = (await backend.ping()).facts
    await backend.close()
    assert int(before["pages"]) < int(after["pages"])
    assert 0 == after["free_pages"]
    assert int(before["cache_hits"]) + 50 <= int(after["cache_hits"])
    assert 0 <= int(after["cache_misses"])
