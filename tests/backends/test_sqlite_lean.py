"""Lean rows: to whoever asks they are records like others, in every verb and every order."""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend, lean, points
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.domain.change import Batch, Change, Check, Delete, Ensure, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Corrupt
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import NEWEST_FIRST, AnyOf, Condition, Order, Query
from ropewalk.domain.record import Key
from ropewalk.testing.samples import commits, everything

FAMILIES: Final = ("f", "f.g", "f.g.h", "gé\0x", "." * 3)
DIGITS: Final = tuple(f"{n * 7919:024x}" for n in range(8))
IDS: Final = tuple(f"{family}.{digits}" for family in FAMILIES for digits in DIGITS)
PLAIN: Final = (
    *("f", "f.", "g", "z", "t", "note", f"f.{DIGITS[1].upper()}x", DIGITS[1], "." + DIGITS[1]),
    "01980000-0000-7000-8000-00000000000a",
    "01980000-0000-7000-8000-00000000000A",
    "0198000-00000-7000-8000-00000000000a",
    DIGITS[2].upper(),
)

QUERIES: Final = (
    Query(space=None),
    Query(space="a"),
    Query(space="a", order=NEWEST_FIRST, limit=7),
    Query(space="a", kinds=("node",)),
    Query(space="a", kinds=("node",), bodies=False, order=Order("id")),
    Query(space="a", kinds=("node", "note"), order=Order("updated_at", descending=True)),
    Query(space="a", kinds=("note",)),
    Query(space=None, kinds=("node",), order=Order("labels.n")),
    Query(space="a", where=(Condition("id", "prefix", "f."),)),
    Query(space="a", where=(Condition("id", "prefix", "f.g"),)),
    Query(space="a", where=(Condition("id", "prefix", f"f.{DIGITS[3][:30]}"),)),
    Query(space="a", where=(Condition("id", "prefix", f"f.g.{DIGITS[3][:30]}"),)),
    Query(space="a", kinds=("node",), where=(Condition("id", "in", (IDS[1], IDS[9], "f")),)),
    Query(space=None, where=(Condition("id", "eq", IDS[20]),)),
    Query(space="a", where=(Condition("labels.n", "exists", value=False),)),
    Query(space="a", where=(Condition("labels.n", "gt", 1),)),
    Query(space="a", where=(Condition("session_id", "eq", None), Condition("version", "ge", 3))),
    Query(space="a", where=(Condition("kind", "ne", "note"), Condition("id", "gt", "f.g"))),
    Query(space=None, where=(AnyOf((Condition("space", "eq", "b"), Condition("id", "eq", "f"))),)),
    Query(space="a", thread_id="t"),
    Query(space="nowhere", kinds=("node",)),
)


_Both: TypeAlias = tuple[tuple[Backend, Backend], tuple[FrozenClock, FrozenClock]]


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[_Both]:
    """Open a store in memory, which has one kind of row, and one on a file; and their clocks."""
    clocks = FrozenClock(tick=0), FrozenClock(tick=0)
    plain = MemoryBackend(clock=clocks[0])
    file = SqliteBackend(tmp_path / "store.db", clock=clocks[1])
    await plain.open()
    await file.open()
    yield (plain, file), clocks
    await plain.close()
    await file.close()


def _change(chance: random.Random, space: str) -> Change:
    kind = chance.choice(("node", "node", "node", "note"))
    key = Key(space, kind, chance.choice(IDS * 3 + PLAIN))
    what = chance.randrange(10)
    if what < 6:
        seal = chance.choice(("", "raw", "zstd"))
        return Ensure(key=key, stamp=chance.randint(1, 5), body=key.id.encode(), seal=seal)
    if what < 8:
        return Delete(key=key, at_most=chance.choice((None, 3)))
    if what == 8:
        return Check(key=key, expect=chance.choice((0, 0, 1)))
    labels = chance.choice(({}, {"n": chance.randint(0, 3)}))
    thread = chance.choice((None, "t"))
    expiry = chance.choice((None, 1))
    return Put(key=key, body=b"put", labels=labels, thread_id=thread, expires_at=expiry)


async def _same(one: Backend, other: Backend) -> None:
    """Check that two stores answer alike, whatever they are asked."""
    for query in QUERIES:
        assert await everything(one, query) == await everything(other, query), query
        groups = ("space", "kind", "thread_id", "created_day", "labels.n")
        for by in ((), groups):
            expected = await one.tally(query, ("n",), by)
            assert expected == await other.tally(query, ("n",), by), query
        whole = await everything(one, query)
        for first, last in ((len(whole) // 3, len(whole) // 2), (0, -1)):
            if whole:
                after, until = query.cursor(whole[first]), query.cursor(whole[last])
                part = replace(query, where=(), after=after, until=until)
                assert await everything(one, part) == await everything(other, part), part
    keys = [Key(s, k, id) for s in "ab" for k in ("node", "note") for id in (*IDS, *PLAIN)]
    for bodies in (True, False):
        expected_records = await one.get(keys, bodies=bodies)
        assert expected_records == await other.get(keys, bodies=bodies)
        for key, expected_record in zip(keys, expected_records, strict=True):
            assert [expected_record] == await other.get([key], bodies=bodies)
    assert await commits(one) == await commits(other)


@pytest.mark.seed("1.3", "2.2")
@pytest.mark.parametrize("seed", range(4))
async def test_lean_rows_are_records(both: _Both, seed: int) -> None:
    """Written, raised, put over, deleted, made anew: in any mixture both stores are the same."""
    backends, clocks = both
    chance = random.Random(seed)
    for round in range(60):
        step = chance.choice((0, 1, 90_000_000_000))
        for clock in clocks:
            clock.advance(step)
        changes: dict[Key, Change] = {}
        for _ in range(chance.randint(1, 12)):
            change = _change(chance, chance.choice("aab"))
            changes[change.key] = change
        id = chance.choice((f"{round:032x}", f"{round:032X}", f"the batch of round {round}"))
        batch = Batch(tuple(changes.values()), id=id, actor=f"round {round}")
        answers = [await _answer(backend, batch) for backend in backends]
        assert answers[0] == answers[1]
        again = [await _answer(backend, batch) for backend in backends]
        assert again[0] == again[1]
    await _same(*backends)


async def _answer(backend: Backend, batch: Batch) -> object:
    try:
        return await backend.apply(batch)
    except Conflict as error:
        return error.code, error.facts


@pytest.mark.parametrize(
    ("id", "parts"),
    [
        ("f." + "0a" * 12, ("f", b"\n" * 12)),
        ("a.b." + "00" * 12, ("a.b", bytes(12))),
        ("." + "00" * 12, None),
        ("f." + "0A" * 12, None),
        ("f." + "0 " * 12, None),
        ("f:" + "00" * 12, None),
        ("f." + "00" * 11, None),
        ("f." + "0g" * 12, None),
        ("", None),
    ],
)
def test_the_form_of_an_id(id: str, parts: tuple[str, bytes] | None) -> None:
    """Only a family, a dot and 24 small hexadecimal digits come back as they were."""
    assert parts == lean.split(id)
    assert [parts, ("g", bytes(12)), parts] == lean.split_all([id, "g." + "00" * 12, id])


async def test_a_lone_lean_record_is_found_without_a_snapshot(tmp_path: Path) -> None:
    """What is not among them, or in a place that is not there, takes another look."""
    store = SqliteBackend(tmp_path / "store.db", clock=FrozenClock(tick=0))
    await store.open()
    key, absent, nowhere = (Key("a", "node", id) for id in (IDS[0], IDS[1], IDS[-1]))
    ensure = Ensure(key=key, stamp=1, body=b"body", seal="raw")
    await store.apply(Batch((ensure,)))
    expected = await store.get([key])
    await store.close()
    connection = Connection(str(tmp_path / "store.db"), Patience(1.0, threading.Event()))
    look = partial(points.record_at_once, connection, now=0, bodies=True)
    assert [expected, None, None] == [look(key), look(absent), look(nowhere)]
    assert expected == points.records_by_key(connection, [key], now=0, bodies=True)
    connection.close()


async def test_a_few_lean_records_of_one_family_are_found_by_one_statement(
    tmp_path: Path,
) -> None:
    """In the order asked; whatever else is asked for takes another look, with the same answer."""
    store = SqliteBackend(tmp_path / "store.db", clock=FrozenClock(tick=0))
    await store.open()
    keys = [Key("a", "node", id) for id in (*IDS[:8], IDS[-1], "note")]
    ensures = [Ensure(key=k, stamp=n + 1, body=k.id.encode()) for n, k in enumerate(keys)]
    await store.apply(Batch(tuple(ensures)))
    own, other, plain = keys[:8], keys[8], keys[9]
    absent = Key("a", "node", f"f.{'ab' * 12}")
    for asked in (
        own,
        own[::-1],
        [own[0], absent],
        [*own, own[0]],
        [own[0], other],
        [own[0], plain],
    ):
        expected = [None if key == absent else key.id.encode() for key in asked]
        found = await store.get(asked)
        assert expected == [record and record.body for record in found]
    await store.close()
    connection = Connection(str(tmp_path / "store.db"), Patience(1.0, threading.Event()))
    look = partial(points.lean_at_once, connection, bodies=True)
    several = look(own[::-1])
    assert several is not None
    assert own[::-1] == [record and record.key for record in several]
    for asked in ([own[0], absent], [*own, own[0]], [own[0], other], [own[0], plain], [absent]):
        assert look(asked) is None
    connection.close()


async def test_a_record_whose_parent_has_no_name_any_more_takes_another_look(
    tmp_path: Path,
) -> None:
    """Its session may be let go between two statements; where it is lost, a snapshot tells."""
    store = SqliteBackend(tmp_path / "store.db", clock=FrozenClock(tick=0))
    await store.open()
    keys = Key("a", "note", "n"), Key("a", "note", "bare")
    await store.apply(Batch((Put(key=keys[0], session_id="gone"), Put(key=keys[1]))))
    expected = await store.get([keys[1]])
    await store.close()
    connection = Connection(str(tmp_path / "store.db"), Patience(1.0, threading.Event()))
    connection.run("update name set text = null where text = 'gone'")
    look = partial(points.record_at_once, connection, now=0, bodies=True)
    assert [None, expected] == [look(key) for key in keys]
    with pytest.raises(Corrupt, match="has the name"):
        points.records_by_key(connection, [keys[0]], now=0, bodies=True)
    connection.close()
