"""Whatever can be asked within a space is found along an index: every shape, one by one."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from ropewalk.backends.sqlite import SqliteBackend, functions, paths, select, tallies, ways
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.fragments import Sql, bound
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.backends.sqlite.sorting import rows_by_label
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.cursor import Cursor
from ropewalk.domain.declared import DeclaredIndex
from ropewalk.domain.query import Condition, Order, Query
from ropewalk.domain.record import Key
from ropewalk.domain.tally import DAY

SPACE: Final = "lab"
NOTES: Final = Query(space=SPACE, kinds=("note",))

PLACES: Final = (
    Query(space=SPACE),
    NOTES,
    Query(space=SPACE, kinds=("note", "task")),
    Query(space=SPACE, session_id="s1"),
    Query(space=SPACE, session_id="s1", kinds=("note",)),
    Query(space=SPACE, thread_id="t1"),
    Query(space=SPACE, thread_id="t1", session_id="s1", kinds=("note", "task")),
    Query(space=None, thread_id="t1"),
    Query(space=None, session_id="s1"),
)
"""Where one may look. Every space at once, without a parent, is for backups: they read all."""

CONDITIONS: Final = (
    (),
    (Condition("id", "eq", "n1"),),
    (Condition("id", "in", ("n1", "n2", "n3")),),
    (Condition("id", "prefix", "n1"),),
    (Condition("created_at", "ge", 5), Condition("created_at", "lt", 500)),
    (Condition("updated_at", "gt", 5),),
    (Condition("expires_at", "le", 5),),
    (Condition("version", "ne", 1),),
    (Condition("labels.topic", "eq", "a"),),
    (Condition("labels.price", "gt", 5), Condition("labels.topic", "exists", value=True)),
)

ORDERS: Final = tuple(
    Order(field, descending)
    for field in ("created_at", "id", "updated_at", "labels.topic")
    for descending in (False, True)
)
SPOT: Final = {
    "created_at": Cursor(40, "n1", "note", SPACE),
    "id": Cursor("n1", "n1", "note", SPACE),
    "updated_at": Cursor(40, "n1", "note", SPACE),
    "labels.topic": Cursor("a", "n1", "note", SPACE),
}

_SEARCH: Final = r"USING INDEX label_\w+ \((space=\?|ANY\(space\)) AND <expr>[=>]"

FOUND: Final = {
    "a text": (Condition("labels.topic", "eq", "a"), 1, True),
    "a bool": (Condition("labels.topic", "eq", value=True), 1, True),
    "an integer, which a float may equal": (Condition("labels.topic", "eq", 5), 2, True),
    "zero": (Condition("labels.topic", "eq", 0), 3, True),
    "some texts": (Condition("labels.topic", "in", ("a", "b", "c")), 1, False),
    "a beginning": (Condition("labels.topic", "prefix", "a"), 1, False),
    "texts from one on": (Condition("labels.topic", "ge", "a"), 1, False),
    "texts before one": (Condition("labels.topic", "lt", "b"), 1, False),
    "numbers from one on": (Condition("labels.topic", "gt", 5), 2, False),
    "numbers up to one": (Condition("labels.topic", "le", 5.5), 2, False),
}
"""Conditions on a declared label, in how many stretches, and whether these are in order of time."""


async def _fill(path: Path) -> None:
    backend = SqliteBackend(path, clock=FrozenClock())
    await backend.open()
    changes = [
        Put(
            key=Key(SPACE, ("note", "task", "file")[n % 3], f"n{n}"),
            labels={"topic": ("a", "b", 5, 5.5, True)[n % 5], "price": n},
            session_id=f"s{n // 100}",
            thread_id=f"t{n // 20}",
            created_at=n,
            expires_at=2**60 if n % 50 == 0 else None,
        )
        for n in range(2_500)
    ]
    await backend.apply(Batch(tuple(changes)))
    await backend.apply(Batch((DeclaredIndex("note", "topic").put(SPACE),)))
    await backend.close()


@pytest.fixture(scope="module", params=["a young store", "an analysed store"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """Open a store with one declared index, without and with statistics for the planner."""
    path = tmp_path_factory.mktemp("shapes") / "store.db"
    asyncio.run(_fill(path))
    with closing(Connection(str(path), Patience(1, threading.Event()))) as connection:
        functions.register(connection)
        if request.param == "an analysed store":
            connection.run("analyze")
        yield connection


def _plan(connection: Connection, statement: Sql, *more: int) -> list[str]:
    values = (*bound(statement.values, connection.names), *more)
    rows = connection.rows(f"explain query plan {statement.text}", values)
    return [str(row[3]) for row in rows]


def _is_analysed(connection: Connection) -> bool:
    """Tell whether somebody ran ANALYZE: then the planner may skip along an index, and sort."""
    return bool(connection.rows("select 1 from sqlite_schema where name = 'sqlite_stat1'"))


def _scans(plan: list[str]) -> list[str]:
    """Return the steps that look at all rows of a table.

    Neither a list that was bound is a table, nor what another statement found before.
    """
    return [step for step in plan if re.match(r"SCAN (?!\(subquery|json_each)", step)]


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("order", ORDERS, ids=lambda order: str(order.field))
def test_every_shape_follows_an_index(connection: Connection, order: Order) -> None:
    """No question within a space or a parent looks at all rows, whatever is asked how."""
    spot = SPOT[order.field]
    for place, conditions, cursors in product(PLACES, CONDITIONS, ((), ("after",), ("until",))):
        query = replace(place, where=conditions, order=order)
        query = replace(query, after=spot) if "after" in cursors else query
        query = replace(query, until=spot) if "until" in cursors else query
        listed = _plan(connection, select.sorted_rows(query, 0, lean=None), 50)
        assert [] == _scans(listed), query
        if paths.is_walked(query):
            walked = _plan(connection, select.page(query, 0), 50)
            assert [] == _scans(walked), query
            # One kind, or one parent, comes in order; kinds of a space are merged one by one.
            whole = len(query.kinds) == 1 or query.session_id or query.thread_id
            if whole and not _is_analysed(connection):
                assert [] == [step for step in walked if "TEMP B-TREE" in step], query


@pytest.mark.seed("6.3")
def test_every_tally_follows_an_index(connection: Connection) -> None:
    """Nothing that is counted or added up within a space or a parent looks at all rows."""
    for place, conditions in product(PLACES, CONDITIONS):
        query = replace(place, where=conditions)
        for groups in ((), ("kind",), ("labels.topic",), ("session_id", DAY)):
            plan = _plan(connection, tallies.statement(query, ("price",), groups, now=0))
            assert [] == _scans(plan), query


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("asked", FOUND)
def test_a_declared_index_finds(connection: Connection, asked: str) -> None:
    """Equality and ranges of a declared label search its index, for a scan and for a tally."""
    condition, number, walked = FOUND[asked]
    query = NOTES.only(condition)
    way = ways.way_of(connection, query)
    assert way is not None
    assert (number, walked) == (len(way.stretches), way.is_walked)
    for along in way.stretches:
        listed = _plan(connection, select.sorted_rows(query, 0, lean=None, alongs=(along,)), 50)
        summed = _plan(connection, tallies.statement(query, (), (), now=0, along=along))
        for plan in (listed, summed):
            assert re.search(_SEARCH, plan[0]), plan
        if walked and not _is_analysed(connection):
            (step,) = _plan(connection, select.page(query, 0, along=along), 50)
            assert step.endswith("(space=? AND <expr>=?)")
            spot = replace(query, after=Cursor(40, "n1", "note", SPACE))
            (step,) = _plan(connection, select.page(spot, 0, along=along), 50)
            assert step.endswith("(space=? AND <expr>=? AND created_at>?)")


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
def test_a_declared_index_has_the_order_of_its_label(
    connection: Connection, descending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of a long list are read alone: only what is of one value is sorted, by id."""
    query = replace(NOTES, order=Order("labels.topic", descending))
    index = ways.order_of(connection, query)
    assert index is not None
    asked: list[tuple[str, tuple[str | int | float | None, ...]]] = []
    walk = Connection.walk

    def watched(
        self: Connection, text: str, values: tuple[str | int | float | None, ...]
    ) -> Iterator[tuple[object, ...]]:
        asked.append((text, values))
        return walk(self, text, values)

    monkeypatch.setattr(Connection, "walk", watched)
    assert 3 == len(list(rows_by_label(connection, query, index, now=0, limit=3)))
    monkeypatch.undo()
    # Of 830 notes one in five is a text, a bool or none: who wants three reads one stretch.
    assert len(asked) <= 2
    for text, values in asked:
        plan = _plan(connection, Sql(text, values))
        assert re.search(_SEARCH, plan[0]), plan
        # Behind an equality all that is found has one value.
        ends = ("LAST TERM OF ORDER BY", "ORDER BY" if "<expr>=?" in plan[0] else "-")
        assert all(step.endswith(ends) for step in plan[1:]), plan


@pytest.mark.seed("6.3")
def test_what_has_no_declared_index_goes_its_old_way(connection: Connection) -> None:
    """Another kind, another label, a parent or named ids: no index of a label leads there."""
    topic = Condition("labels.topic", "eq", "a")
    for query in (
        Query(space=SPACE, kinds=("task",), where=(topic,)),
        Query(space=SPACE, kinds=("note", "task"), where=(topic,)),
        Query(space=SPACE, kinds=("note",), thread_id="t1", where=(topic,)),
        NOTES.only(topic, Condition("id", "eq", "n1")),
        NOTES.only(Condition("labels.price", "eq", 5)),
        NOTES.only(Condition("labels.topic", "ne", "a")),
        NOTES.only(Condition("labels.topic", "exists", value=False)),
    ):
        assert ways.way_of(connection, query) is None
