"""How big a query may be, how long it may take, and what the SQLite behind it cannot do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import apsw
import pytest

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid
from ropewalk.domain.ports import Backend, Sealer
from ropewalk.domain.query import Query
from ropewalk.domain.record import Record
from ropewalk.layers.base import Layer
from ropewalk.stores.records import RecordStore
from ropewalk.stores.select.engine import run
from ropewalk.stores.select.halt import Halt
from ropewalk.stores.select.limits import DEFAULT_LIMITS, SelectLimits
from ropewalk.stores.select.parse import MAX_LEVELS
from ropewalk.stores.select.run import prepare
from ropewalk.stores.select.statement import Statement

pytestmark = [pytest.mark.seed("4.4")]


def select(item: str, condition: str = "TRUE") -> str:
    """Return a query over notes."""
    return f"SELECT {item} FROM note WHERE {condition}"  # noqa: S608 (written to be refused)


SLOW = select("id", " OR ".join(f"data.t LIKE '%{n}%b%'" for n in range(200)))
"""A query that keeps the machine busy where texts are long and nothing matches."""


def limit_of(text: str, limits: SelectLimits = DEFAULT_LIMITS) -> object:
    """Return the name of the limit that a text is refused by."""
    with pytest.raises(Invalid) as caught:
        prepare(text, {}, space="here", limits=limits)
    assert str(caught.value.facts["limit"]) in caught.value.message
    return caught.value.facts["limit"]


def test_a_long_text_is_not_even_read() -> None:
    """8,000 characters and 1,500 words are allowed, and no more."""
    fits = select("id", f"id = '{'x' * 7_900}'")
    assert prepare(fits, {}, space="here", limits=DEFAULT_LIMITS).statement.text
    assert "max_query_characters" == limit_of(select("id", f"id = '{'x' * 8_000}'"))
    assert "max_query_tokens" == limit_of(select("id", f"id IN ({'1,' * 800}1)"))


@pytest.mark.parametrize(
    "deep",
    [
        "(" * 41 + "1" + ")" * 41,
        "NOT " * 41 + "TRUE",
        "- " * 41 + "1",
        "lower(" * 41 + "id" + ")" * 41,
        "CASE WHEN " * 41 + "TRUE" + " END" * 41,
        "data" + "[1" * 41 + "]" * 41,
        "id IN (" * 41 + "'a'" + ")" * 41,
        "version" + " + 1" * MAX_LEVELS,
        "version" + " + 1" * 600,
        "version" + " = 1" * 600,
        "id" + " LIKE 'a'" * 600,
        "(" * 1_000,
    ],
)
def test_a_deep_text_never_reaches_a_recursion(deep: str) -> None:
    """Whatever nests too deep is refused by name, however the depth is made."""
    assert "max_query_nesting" == limit_of(select("id", deep))


def test_a_wide_condition_is_no_deep_one() -> None:
    """A long chain of AND or OR is flat, and so is a long list."""
    for word in ("AND", "OR"):
        chain = f" {word} ".join(["version = 1"] * 300)
        plan = prepare(select("id", chain), {}, space="s", limits=DEFAULT_LIMITS)
        assert [("x",)] == run(plan.statement, [("x", 1)], Halt(5))
    wide = ", ".join(f"id AS a{n}" for n in range(201))
    assert "max_query_columns" == limit_of(select(wide))


async def test_too_many_rows_are_an_error_and_no_half_answer(
    backend: Backend, sealer: Sealer, records: RecordStore, clock: FrozenClock
) -> None:
    """An answer is whole or refused; LIMIT and groups make it fit."""
    limits = SelectLimits(max_query_rows=10)
    small = RecordStore(backend, sealer, clock, space="here", limits=limits)
    await records.save_many({"id": f"n{n:02}", "type": "note"} for n in range(11))
    for text in ("SELECT id FROM note", "SELECT id FROM note LIMIT 11"):
        with pytest.raises(Invalid, match="max_query_rows") as caught:
            await small.query(text)
        assert "max_query_rows" == caught.value.facts["limit"]
    assert 10 == len(await small.query("SELECT id FROM note LIMIT 10"))
    assert [{"count": 11}] == await small.query("SELECT count(*) FROM note")


async def test_what_a_query_looks_at_is_bounded(
    backend: Backend, sealer: Sealer, records: RecordStore, clock: FrozenClock
) -> None:
    """Records and bytes are counted while they are read, before memory is gone."""
    await records.save_many(
        {"id": f"n{n}", "type": "note", "data": {"text": "x" * 1_000}} for n in range(20)
    )

    def store(**limits: Any) -> RecordStore:  # noqa: ANN401 (any bound)
        return RecordStore(backend, sealer, clock, space="here", limits=SelectLimits(**limits))

    with pytest.raises(Invalid, match="max_query_records"):
        await store(max_query_records=19).query("SELECT count(*) FROM note")
    assert [{"count": 20}] == await store(max_query_records=20).query("SELECT count(*) FROM note")
    for item in ("text(data.text)", "data", "data.text"):
        with pytest.raises(Invalid, match="max_query_bytes"):
            await store(max_query_bytes=15_000).query(select(item))
        assert await store(max_query_bytes=50_000).query(select(item))
    narrow = await store(max_query_records=2).query("SELECT id FROM note WHERE id = 'n3'")
    assert [{"id": "n3"}] == narrow


class Endless(Layer):
    """A back end whose scan never comes to an end."""

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Give the same record again and again."""
        found = [record async for record in self.below.scan(query)]
        while True:
            for record in found:
                yield record
            await asyncio.sleep(0)


async def test_time_is_bounded_while_reading(
    backend: Backend, sealer: Sealer, records: RecordStore, clock: FrozenClock
) -> None:
    """A query that reads for too long is stopped by its deadline."""
    await records.save({"id": "n", "type": "note"})
    limits = SelectLimits(max_query_seconds=0.2, max_query_records=10**9)
    slow = RecordStore(Endless(backend), sealer, clock, space="here", limits=limits)
    with pytest.raises(Invalid, match="max_query_seconds"):
        await slow.query("SELECT id FROM note")


def test_time_is_bounded_while_answering() -> None:
    """The machine is interrupted when the time is up, and not even begun when it was before."""
    plan = prepare(SLOW, {}, space="here", limits=DEFAULT_LIMITS)
    rows = [(f"n{n}", "0123456789" * 200) for n in range(2_000)]
    for seconds in (0.05, -1):
        with pytest.raises(Invalid, match="max_query_seconds"):
            run(plan.statement, rows, Halt(seconds))


@pytest.mark.seed("4.5")
async def test_a_cancelled_query_stops_its_thread(
    records: RecordStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves takes the work with him: the thread ends before the answer is found."""
    await records.save_many(
        {"id": f"n{n}", "type": "note", "data": {"t": "0123456789" * 200}} for n in range(2_000)
    )
    begun, stopped = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def watched(statement: Statement, rows: Any, halt: Halt) -> Any:  # noqa: ANN401 (as `run`)
        loop.call_soon_threadsafe(begun.set)
        try:
            return run(statement, rows, halt)
        except Invalid:
            stopped.set()
            raise

    monkeypatch.setattr("ropewalk.stores.select.engine.run", watched)
    task = asyncio.create_task(records.query(SLOW))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(stopped.wait, 20)


async def test_other_tasks_go_on_while_a_query_is_answered(records: RecordStore) -> None:
    """Parsing and answering leave the event loop to others."""
    await records.save_many({"id": f"n{n}", "type": "note"} for n in range(50))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count_turns())
    await records.query("SELECT count(*) FROM note")
    counter.cancel()
    assert turns > 5


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM records",
        "INSERT INTO records VALUES (9)",
        "CREATE TABLE x (a)",
        "ATTACH DATABASE ':memory:' AS x",
        "PRAGMA query_only = OFF",
        "PRAGMA table_info(records)",
        "SELECT * FROM sqlite_master",
        "SELECT load_extension('x')",
        "SELECT randomblob(10)",
        "SELECT char(1) FROM records",
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r",
        "SELECT * FROM pragma_table_info('records')",
        "SELECT * FROM json_each('[1]')",
        "BEGIN",
        "VACUUM",
    ],
)
def test_the_machine_can_do_nothing_but_answer(text: str) -> None:
    """Even a statement of somebody else's would find everything forbidden."""
    with pytest.raises(apsw.Error, match=r"not authorized|prohibited|readonly|denied"):
        run(Statement({}, text), [], Halt(5))


def test_a_sum_beyond_64_bits_is_refused() -> None:
    """No wrong total: integers overflow loudly, floats do not."""
    plan = prepare("SELECT sum(version) FROM n", {}, space="s", limits=DEFAULT_LIMITS)
    rows = [(2**63 - 1,), (1,)]
    with pytest.raises(Invalid, match="beyond 64 bits"):
        run(plan.statement, rows, Halt(5))
    plan = prepare("SELECT sum(1.0 * version) FROM n", {}, space="s", limits=DEFAULT_LIMITS)
    assert [(2.0**63,)] == run(plan.statement, rows, Halt(5))
