"""What the back end is asked for: as little as can be proved, and never too little."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend, Sealer
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.layers.base import Layer
from ropewalk.stores.records import RecordStore
from ropewalk.stores.select.limits import DEFAULT_LIMITS
from ropewalk.stores.select.params import read_params
from ropewalk.stores.select.run import prepare

from ..trio import THOROUGH, Trio
from .oracle import Node, evaluate
from .questions import CONDITION, RECORDS
from .wording import Text

pytestmark = [pytest.mark.seed("6.3")]


class Watched(Layer):
    """Remembers what was asked, and counts what came."""

    def __init__(self, below: Backend) -> None:
        super().__init__(below)
        self.queries: list[Query] = []
        self.records = 0
        self.bodies = 0

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Pass records on and count them."""
        self.queries.append(query)
        async for record in self.below.scan(query):
            self.records += 1
            self.bodies += record.body is not None
            yield record

    async def get(self, keys: Any, *, bodies: bool = True) -> Any:  # noqa: ANN401 (as below)
        """Pass records on and count their bodies."""
        found = await self.below.get(keys, bodies=bodies)
        self.bodies += sum(record is not None and record.body is not None for record in found)
        return found


# Query, records that leave the back end, bodies that do. The note d has metadata beyond labels.
ASKED: list[tuple[str, int, int]] = [
    ("SELECT id FROM note", 5, 0),
    ("SELECT count(*) FROM note WHERE session_id = 's1'", 2, 0),
    ("SELECT id FROM note WHERE session_id = 's1' AND thread_id = :t", 1, 0),
    ("SELECT id FROM note WHERE thread_id IS NULL", 4, 0),
    ("SELECT id FROM note WHERE thread_id IS NOT NULL", 1, 0),
    ("SELECT id FROM note WHERE id IN ('a', 'b') AND version = 1", 2, 0),
    ("SELECT id FROM note WHERE 'b' <= id AND id < 'd'", 2, 0),
    ("SELECT id FROM note WHERE 'b' < id", 3, 0),
    ("SELECT id FROM note WHERE 'b' > id", 1, 0),
    ("SELECT id FROM note WHERE 'b' >= id", 2, 0),
    ("SELECT id FROM note WHERE 'b' = id", 1, 0),
    ("SELECT id FROM note WHERE id BETWEEN 'b' AND 'c'", 2, 0),
    ("SELECT id FROM note WHERE created_at >= 1767445200000000", 4, 0),
    ("SELECT id FROM note WHERE type = 'todo'", 0, 0),
    ("SELECT id FROM note WHERE (session_id = 's1') OR version = 2", 5, 0),
    ("SELECT id FROM note WHERE metadata.lang = 'it'", 2, 1),
    ("SELECT text(metadata.lang) FROM note", 5, 1),
    ("SELECT id FROM note WHERE metadata.lang IN ('it', 'de')", 3, 1),
    ("SELECT id FROM note WHERE num(metadata.p) > 1", 2, 1),
    ("SELECT id FROM note WHERE metadata.lang IS NULL", 5, 5),
    ("SELECT metadata.lang FROM note WHERE id = 'a'", 1, 1),
    ("SELECT id FROM note WHERE data.n = 3 AND session_id = 's1'", 2, 2),
    ("SELECT * FROM note LIMIT 1", 5, 5),
]


async def test_only_what_may_matter_leaves_the_back_end(
    notes: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """Parents, ids, times and labels are looked for in the engine; bodies come where needed."""
    for text, records, bodies in ASKED:
        watched = Watched(backend)
        store = RecordStore(watched, sealer, FrozenClock(), space="here")
        params = {"t": "t1"} if ":t" in text else {}
        rows = await store.query(text, params)
        assert (text, records, bodies) == (text, watched.records, watched.bodies)
        assert rows == await notes.query(text, params)


@pytest.mark.seed("5.3")
async def test_every_query_asks_for_one_space_and_one_type(
    notes: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """The space is ours to say: no text reaches another one."""
    other = RecordStore(backend, sealer, FrozenClock(), space="there")
    await other.save({"id": "a", "type": "note", "data": {"n": 99}, "session_id": "s1"})
    watched = Watched(backend)
    store = RecordStore(watched, sealer, FrozenClock(), space="there")
    for text in (
        "SELECT id FROM note",
        "SELECT id FROM note WHERE session_id = 's1' OR TRUE",
        "SELECT id FROM note WHERE NOT FALSE ORDER BY num(data.n)",
        "SELECT max(id) AS id FROM note WHERE id >= ''",
    ):
        assert [{"id": "a"}] == await store.query(text)
        assert 5 >= len(await notes.query(text))
    assert {("there", ("note",))} == {(query.space, query.kinds) for query in watched.queries}
    assert [{"sum": 99}] == await store.query("SELECT sum(data.n) FROM note")
    assert [{"sum": 0.5}] == await notes.query("SELECT sum(data.n) FROM note")


async def test_a_record_that_goes_while_it_is_read_is_left_out(
    backend: Backend, sealer: Sealer, records: RecordStore
) -> None:
    """Metadata that only a body tells is read a little later; what is gone by then is gone."""

    class Deleting(Watched):
        async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> Any:  # noqa: ANN401
            await records.delete("gone")
            await records.update("new", {"metadata": {"k": "now"}})
            return await super().get(keys, bodies=bodies)

    for id_ in ("gone", "kept", "new"):
        await records.save({"id": id_, "type": "note", "metadata": {"k": id_, "l": [1]}})
    store = RecordStore(Deleting(backend), sealer, FrozenClock(), space="here")
    rows = await store.query("SELECT id, text(metadata.k) AS k FROM note")
    assert [{"id": "kept", "k": "kept"}, {"id": "new", "k": "now"}] == rows


BOTH = st.tuples(st.just("AND"), st.lists(CONDITION, min_size=2, max_size=2))


@THOROUGH
@given(saved=RECORDS, where=CONDITION | BOTH)
def test_nothing_that_matches_is_left_behind(
    trio: Trio, saved: list[dict[str, Any]], where: Node
) -> None:
    """Whatever fulfils a condition is among the records that the back end is asked for."""
    text = Text()
    condition = text.write(where)
    records = trio.stores()[0]
    trio.run(records.save_many([{**one, "id": f"{n}"} for n, one in enumerate(saved)]))
    shelf = records._shelf  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    plan = prepare(
        f"SELECT id FROM note WHERE {condition}",  # noqa: S608 (of a tree of our own)
        read_params(text.params),
        space=shelf.space,
        limits=DEFAULT_LIMITS,
    )

    async def asked() -> set[str]:
        return {r.key.id async for page in shelf.scan(plan.query) for r in page}

    matching = {
        row["id"]
        for row in trio.run(records.list())
        if row["type"] == "note" and evaluate(where, row)
    }
    assert matching <= trio.run(asked())
