"""Every common question is answered along the index meant for it, and sorted by that index."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from ropewalk.backends.sqlite import SqliteBackend, functions, lean, select, tallies
from ropewalk.backends.sqlite.connection import Connection
from ropewalk.backends.sqlite.fragments import Sql
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.cursor import Cursor
from ropewalk.domain.query import NEWEST_FIRST, Condition, Order, Query
from ropewalk.domain.record import Key

KINDS: Final = ("message", "tool_call", "token_usage", "cost")
SPACE: Final = "default"

THREAD: Final = Query(space=SPACE, thread_id="t3")
SESSION: Final = Query(space=SPACE, session_id="s3")
SPOT: Final = Cursor(40_000, f"{40:032x}", "message", SPACE)

PAGES: Final = {
    "a thread": (THREAD, "record_thread (thread_id=? AND space=?)"),
    "one kind of a thread": (
        Query(space=SPACE, thread_id="t3", kinds=("message",)),
        "record_thread (thread_id=? AND space=?)",
    ),
    "several kinds of a thread": (
        Query(space=SPACE, thread_id="t3", kinds=("message", "cost")),
        "record_thread (thread_id=? AND space=?)",
    ),
    "the next page of a thread": (
        Query(space=SPACE, thread_id="t3", kinds=("message",), after=SPOT),
        "record_thread (thread_id=? AND space=? AND created_at>?)",
    ),
    "a stretch of a thread": (
        Query(space=SPACE, thread_id="t3", after=SPOT, until=Cursor(50_000)),
        ("record_thread (thread_id=? AND space=? AND created_at>? AND created_at<?)"),
    ),
    "the latest of a thread": (
        Query(space=SPACE, thread_id="t3", kinds=("message",), order=NEWEST_FIRST, limit=1),
        "record_thread (thread_id=? AND space=?)",
    ),
    "a time range of a thread": (
        Query(
            space=SPACE,
            thread_id="t3",
            where=(Condition("created_at", "ge", 5), Condition("created_at", "lt", 900_000)),
        ),
        "record_thread (thread_id=? AND space=? AND created_at>? AND created_at<?)",
    ),
    "a label within a thread": (
        Query(space=SPACE, thread_id="t3", where=(Condition("labels.role", "eq", "user"),)),
        "record_thread (thread_id=? AND space=?)",
    ),
    "a session": (SESSION, "record_session (session_id=? AND space=?)"),
    "one kind of a session": (
        Query(space=SPACE, session_id="s3", kinds=("thread",), order=NEWEST_FIRST),
        "record_session (session_id=? AND space=?)",
    ),
    "a thread of a session": (
        Query(space=SPACE, session_id="s3", thread_id="t3", kinds=("message",)),
        "record_thread (thread_id=? AND space=?)",
    ),
    "one kind": (
        Query(space=SPACE, kinds=("session",)),
        "record_kind (space=? AND kind=?)",
    ),
    "the next page of one kind": (
        Query(space=SPACE, kinds=("session",), after=SPOT),
        "record_kind (space=? AND kind=? AND created_at>?)",
    ),
    "by id": (Query(space=SPACE, order=Order("id")), "record_key (space=?)"),
    "the next page by id": (
        Query(space=SPACE, order=Order("id"), after=Cursor("m", "m", "message", SPACE)),
        "record_key (space=? AND id>?)",
    ),
    "one id and kind": (
        Query(space=SPACE, kinds=("thread",), where=(Condition("id", "eq", "t3"),)),
        "record_key (space=? AND id=? AND kind=?)",
    ),
}
"""What is asked for page by page, and the end of the plan that answers it without sorting."""

SORTED: Final = {
    "an id of any kind": (
        Query(space=SPACE, where=(Condition("id", "eq", "t3"),)),
        "record_key (space=? AND id=?)",
    ),
    "some ids": (
        Query(space=SPACE, kinds=("thread",), where=(Condition("id", "in", ("t3", "t4", "t5")),)),
        "record_key (space=? AND id=? AND kind=?)",
    ),
    "the beginning of an id": (
        Query(space=SPACE, where=(Condition("id", "prefix", "t3"),)),
        "record_key (space=? AND id>? AND id<?)",
    ),
    "a thread by last change": (
        Query(space=SPACE, thread_id="t3", order=Order("updated_at")),
        "record_thread (thread_id=? AND space=?)",
    ),
    "sessions by a label": (
        Query(space=SPACE, kinds=("session",), order=Order("labels.title")),
        "record_kind (space=? AND kind=?)",
    ),
    "what has expired": (
        Query(space=SPACE, expired=True, where=(Condition("expires_at", "le", 5),)),
        "record_expiry (expires_at<?)",
    ),
    "a thread in every space": (
        Query(space=None, thread_id="t3"),
        "record_thread (thread_id=?)",
    ),
}
"""What is few, or is sorted by what no index has: found by an index and then sorted once."""

NODE: Final = f"t3.{'0a' * 12}"

LEAN: Final = {
    "a family": (
        Query(space=SPACE, kinds=("node",), where=(Condition("id", "prefix", "t3."),)),
        "SEARCH node USING INDEX node_digest (place=?)",
    ),
    "some nodes": (
        Query(space=SPACE, kinds=("node",), where=(Condition("id", "in", (NODE, "x")),)),
        "SEARCH node USING INDEX node_digest (place=? AND <expr>=?)",
    ),
}
"""What is asked for by names or beginnings of ids, and how lean rows are found for it."""

TALLIES: Final = {
    "a session": (SESSION, "record_session (session_id=? AND space=?)"),
    "a thread": (THREAD, "record_thread (thread_id=? AND space=?)"),
    "two kinds": (
        Query(space=SPACE, kinds=("message", "cost")),
        "record_kind (space=? AND kind=?)",
    ),
}


async def _fill(path: Path) -> None:
    """Write 40 sessions of 5 threads of 40 entries, and many records of another space."""
    backend = SqliteBackend(path, clock=FrozenClock())
    await backend.open()
    changes = [
        Put(
            key=Key(SPACE, KINDS[n % 4], f"{n:032x}"),
            labels={"role": "user", "tokens": n},
            session_id=f"s{n // 200}",
            thread_id=f"t{n // 40}",
            created_at=n * 1_000,
        )
        for n in range(8_000)
    ]
    changes += [
        Put(key=Key(SPACE, "thread", f"t{n}"), session_id=f"s{n // 5}", thread_id=f"t{n}")
        for n in range(200)
    ]
    changes += [Put(key=Key(SPACE, "session", f"s{n}"), created_at=n) for n in range(40)]
    changes.append(Put(key=Key(SPACE, "session", "late"), expires_at=2**62))
    changes += [Put(key=Key("nodes", "node", f"{n * 7919:x}")) for n in range(1_500)]
    await backend.apply(Batch(tuple(changes)))
    await backend.close()


@pytest.fixture(scope="module", params=["a young store", "an analysed store"])
def connection(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """Open a store of ten thousand records, without and with statistics for the planner."""
    path = tmp_path_factory.mktemp("plans") / "store.db"
    asyncio.run(_fill(path))
    with closing(Connection(str(path), Patience(1, threading.Event()))) as connection:
        functions.register(connection)
        if request.param == "an analysed store":
            connection.run("analyze")
        yield connection


def _plan(connection: Connection, statement: Sql) -> list[str]:
    rows = connection.rows(f"explain query plan {statement.text}", statement.values)
    return [str(row[3]) for row in rows]


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("asked", PAGES)
def test_a_page_follows_its_index(connection: Connection, asked: str) -> None:
    """A page is read along one index that has its order: nothing is sorted, nothing is passed."""
    query, expected = PAGES[asked]
    whole = select.page(query, 0)
    for statement in (select.places(query, 0), Sql(whole.text, (*whole.values, 50))):
        step, *named = _plan(connection, statement)
        assert step.endswith(expected)
        assert all(map(_is_a_name, named))


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("asked", SORTED)
def test_what_must_be_sorted_is_first_found(connection: Connection, asked: str) -> None:
    """Where sorting is needed, an index finds what is sorted, and it is done once."""
    query, expected = SORTED[asked]
    search, *named, sort = _plan(connection, Sql(*_listing(query)))
    assert search.endswith(expected)
    assert "TEMP B-TREE" in sort
    assert all(map(_is_a_name, named))


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("asked", LEAN)
def test_lean_rows_are_found_by_their_ids(connection: Connection, asked: str) -> None:
    """Whoever names ids, or how they begin, looks at no lean row of another family."""
    query, expected = LEAN[asked]
    statement = select.sorted_rows(query, 0, lean=lean.source(query))
    assert expected in _plan(connection, Sql(statement.text, (*statement.values, -1)))


def _is_a_name(step: str) -> bool:
    """Tell whether a step only looks for the text of a number, one row of its table."""
    return bool(re.fullmatch(r"(CORRELATED )?SCALAR SUBQUERY \d+|SEARCH name .*rowid=\?\)", step))


def _listing(query: Query) -> tuple[str, tuple[str | int | float | None, ...]]:
    statement = select.sorted_rows(query, 0, lean=None)
    return statement.text, (*statement.values, -1)


@pytest.mark.seed("6.3")
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("asked", TALLIES)
def test_a_tally_follows_its_index(connection: Connection, asked: str, *, plain: bool) -> None:
    """Counting and summing touches the records of its session, thread or kinds alone."""
    query, expected = TALLIES[asked]
    (counting,) = _plan(connection, tallies.statement(query, (), (), now=0))
    _, summing, _ = _plan(connection, tallies.statement(query, ("tokens",), (), now=0, plain=plain))
    assert counting.endswith(expected)
    assert summing.endswith(expected)


@pytest.mark.seed("3.3", "6.3")
@pytest.mark.parametrize("plain", [True, False])
def test_a_tally_looks_for_each_label_once(connection: Connection, *, plain: bool) -> None:
    """However often a statement names a label, it is looked for once in the labels of a row."""
    query, sums, groups = Query(space=SPACE), ("prompt", "completion"), ("kind", "labels.model")
    statement = tallies.statement(query, sums, groups, now=0, plain=plain)
    program = connection.rows(f"explain {statement.text}", statement.values)
    called = [str(step[5]) for step in program if step[1] in ("Function", "PureFunc")]
    assert 3 == sum("json_extract" in function for function in called)


@pytest.mark.seed("6.3")
def test_a_key_is_looked_up(connection: Connection) -> None:
    """A record is found by its key in one step."""
    statement = Sql(select.point(bodies=True), (SPACE, "s3", "session", 0))
    (step,) = _plan(connection, statement)
    assert step.endswith("record_key (space=? AND id=? AND kind=?)")


@pytest.mark.seed("6.3")
def test_merging_kinds_reads_no_more_than_it_shows(connection: Connection) -> None:
    """For a space as a whole, each kind's next entries come out of the index without the table."""
    query = Query(space=SPACE, kinds=("message",))
    (step,) = _plan(connection, select.places(query, 0))
    assert step.endswith("record_kind (space=? AND kind=?)")
