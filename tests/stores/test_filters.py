"""Filters: what each operator means, and that engines and bodies agree about it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid
from ropewalk.domain.ports import Backend, Sealer
from ropewalk.domain.query import Query
from ropewalk.domain.record import Record
from ropewalk.layers.base import Layer
from ropewalk.stores.filters import MAX_FILTER_KEYS, MAX_FILTER_VALUES, read_filters
from ropewalk.stores.records import RecordStore

from .meaning import meant
from .trio import THOROUGH, Trio
from .wishes import FILTERS, HOUR, NOON, RECORDS

pytestmark = [pytest.mark.seed("1.1"), pytest.mark.seed("2.3")]

NOTES: list[dict[str, Any]] = [
    {"id": "a", "data": {"n": 1, "who": {"name": "Ada"}, "at": NOON}, "metadata": {"k": "v"}},
    {"id": "b", "data": {"n": 1.0, "tags": ["x", "y"]}, "metadata": {"k": "va", "deep": {"x": 1}}},
    {"id": "c", "data": {"n": True}, "metadata": {"k": 3, "flag": True}, "session_id": "s"},
    {"id": "d", "data": {"n": "1"}, "metadata": {"k": None, "flag": False}, "thread_id": "t"},
    {"id": "e", "data": {"n": None}, "metadata": {"k": ["v"], "big": 2**70}, "session_id": "s"},
    {"id": "f", "metadata": {"k": {"v": 1}, "long": "x" * 5_000, "a.b": 1}},
]


@pytest.fixture
async def notes(records: RecordStore) -> RecordStore:
    """Six notes, an hour from each to the next, and a todo."""
    for place, note in enumerate(NOTES):
        await records.save({**note, "type": "note", "created_at": NOON + place * HOUR})
    await records.save({"id": "z", "type": "todo", "created_at": NOON + 9 * HOUR})
    return records


FOUND: list[tuple[dict[str, Any] | None, str]] = [
    (None, "abcdefz"),
    ({}, "abcdefz"),
    ({"type": "note"}, "abcdef"),
    ({"type": ["todo", "note"]}, "abcdefz"),
    ({"type": {"$in": ["todo"]}}, "z"),
    ({"type": []}, ""),
    ({"type": {"$ne": "note"}}, "z"),
    ({"type": {"$prefix": "n"}}, "abcdef"),
    ({"id": "c"}, "c"),
    ({"id": {"$in": ["a", "z", "gone"]}}, "az"),
    ({"id": {"$gt": "b", "$lte": "d"}}, "cd"),
    ({"session_id": "s"}, "ce"),
    ({"session_id": None, "type": "note"}, "abdf"),
    ({"session_id": {"$in": ["s", None]}, "thread_id": None}, "abcefz"),
    ({"session_id": {"$nin": ["s"]}}, "abdfz"),
    ({"session_id": ""}, ""),
    ({"thread_id": {"$exists": True}}, "d"),
    ({"version": 1}, "abcdefz"),
    ({"version": {"$gt": 1}}, ""),
    ({"expires_at": None}, "abcdefz"),
    ({"created_at": {"$gte": NOON + HOUR, "$lt": NOON + 3 * HOUR}}, "bc"),
    ({"created_at": NOON}, "a"),
    ({"metadata.k": "v"}, "a"),
    ({"metadata.k": {"$ne": "v"}}, "bcdefz"),
    ({"metadata.k": {"$prefix": "v"}}, "ab"),
    ({"metadata.k": 3}, "c"),
    ({"metadata.k": 3.0}, "c"),
    ({"metadata.k": {"$gt": 2}}, "c"),
    ({"metadata.k": None}, "dz"),
    ({"metadata.k": {"$exists": False}}, "dz"),
    ({"metadata.k": {"$exists": True}}, "abcef"),
    ({"metadata.k": {"$ne": None}}, "abcef"),
    ({"metadata.k": {"$in": ["v", 3, None]}}, "acdz"),
    ({"metadata.k": {"$nin": ["v", None]}}, "bcef"),
    ({"metadata.flag": True}, "c"),
    ({"metadata.flag": 1}, ""),
    ({"metadata.flag": {"$in": [False]}}, "d"),
    ({"metadata.deep.x": 1}, "b"),
    ({"metadata.k.v": 1}, "f"),
    ({"metadata.k.0": "v"}, "e"),
    ({"metadata.big": 2**70}, "e"),
    ({"metadata.big": {"$gt": 2**69}}, "e"),
    ({"metadata.big": {"$gt": 5, "$lt": float("inf")}}, "e"),
    ({"metadata.long": "x" * 5_000}, "f"),
    ({"metadata.a.b": 1}, ""),
    ({"metadata." + "n" * 300: None}, "abcdefz"),
    ({"data.n": 1}, "ab"),
    ({"data.n": True}, "c"),
    ({"data.n": "1"}, "d"),
    ({"data.n": None, "type": "note"}, "ef"),
    ({"data.n": {"$gte": 1, "$lt": 2}}, "ab"),
    ({"data.who.name": {"$prefix": "A"}}, "a"),
    ({"data.who": {"$exists": True}}, "a"),
    ({"data.tags.1": "y"}, "b"),
    ({"data.at": NOON}, "a"),
    ({"data.at": {"$lt": NOON + HOUR}}, "a"),
    ({"data.at": {"$gt": NOON + HOUR}}, ""),
    ({"metadata.k": "v", "data.n": 1, "id": {"$lt": "b"}}, "a"),
]


async def test_a_filter_finds_what_it_says(notes: RecordStore) -> None:
    """List, count and stream agree, whoever decides."""
    for filters, expected in FOUND:
        listed = await notes.list(filters)
        assert (filters, expected) == (filters, "".join(row["id"] for row in listed))
        assert (filters, len(expected)) == (filters, await notes.count(filters))
        assert listed == [row async for row in notes.stream(filters, batch_size=2)]


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        ([], "filters must be a dict"),
        ({"sesion_id": "s"}, "did you mean 'session_id'"),
        ({"k": "v"}, r"unknown key 'k'"),
        ({"metadata": {"k": "v"}}, r"metadata\.name"),
        ({"metadata.": 1}, "is no path"),
        ({"data.a..b": 1}, "is no path"),
        ({"data." + ".".join("a" * 41): 1}, "is no path"),
        ({3: 1}, "keys of filters must be text"),
        ({"metadata.k": {"$gte3": 1}}, r"did you mean '\$gte'"),
        ({"metadata.k": {"k": 1}}, "unknown operator"),
        ({"metadata.k": {}}, "at least one operator"),
        ({"metadata.k": ["v"]}, r"\$in"),
        ({"metadata.k": {"$in": "v"}}, "needs a list"),
        ({"metadata.k": {"$in": [["v"]]}}, "not list"),
        ({"metadata.k": {"$exists": 1}}, "True or False"),
        ({"metadata.k": {"$prefix": 1}}, "needs a text"),
        ({"metadata.k": {"$gt": None}}, r"\$exists"),
        ({"metadata.k": float("nan")}, "nothing equals nan"),
        ({"metadata.k": "\ud800"}, "lone surrogate"),
        ({"metadata.k": {"$in": ["a"] * (MAX_FILTER_VALUES + 1)}}, "max_filter_values"),
        ({f"data.k{n}": n for n in range(MAX_FILTER_KEYS + 1)}, "max_filter_keys"),
        ({"data.at": datetime(2026, 1, 1)}, "without a time zone"),
        ({"created_at": datetime(2026, 1, 1)}, "without a time zone"),
        ({"created_at": {"$gt": 5}}, "must be a datetime"),
        ({"created_at": {"$prefix": "2"}}, "for texts only"),
        ({"version": True}, "must be an integer"),
        ({"version": {"$gt": 1.5}}, "must be an integer"),
        ({"id": 5}, "id must be compared with text"),
        ({"id": {"$in": ["a", 5]}}, "id must be compared with text"),
        ({"type": ["note", ""]}, "type must not be empty"),
        ({"type": None}, "type must be text"),
        ({"type": ["note", None]}, "type must be text"),
        ({"session_id": "s" * 2_000}, "max_id_bytes"),
    ],
)
async def test_a_wrong_filter_is_refused_by_name(
    filters: Any,  # noqa: ANN401 (some are no dictionaries)
    says: str,
    sealer: Sealer,
) -> None:
    """Unknown keys and operators, and values without a meaning, are `Invalid` and say why."""
    from ropewalk.backends.memory import MemoryBackend

    backend = MemoryBackend(clock=FrozenClock())
    await backend.open()
    records = RecordStore(backend, sealer, FrozenClock(), space="here")
    with pytest.raises(Invalid, match=says):
        await records.list(filters)
    with pytest.raises(Invalid, match=says):
        await records.count(filters)
    with pytest.raises(Invalid, match=says):
        records.stream(filters)


class Watched(Layer):
    """Counts how many bodies leave the back end."""

    bodies = 0

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Pass records on and count their bodies."""
        async for record in self.below.scan(query):
            self.bodies += record.body is not None
            yield record


COUNTED: list[tuple[dict[str, Any], int, int]] = [
    ({"type": "note"}, 6, 0),
    ({"session_id": "s", "version": 1}, 2, 0),
    ({"metadata.k": "v"}, 1, 2),  # e and f have metadata that no label can hold
    ({"metadata.k": {"$nin": ["v", "va"]}, "type": "note"}, 4, 2),
    ({"metadata.k": None}, 2, 4),  # a dictionary is no label either
    ({"data.n": 1, "session_id": "s"}, 0, 2),
]


@pytest.mark.seed("6.3")
async def test_counting_opens_only_what_labels_do_not_tell(
    notes: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """Header and labels are counted in the engine; bodies are read where they alone know."""
    for filters, count, bodies in COUNTED:
        watched = Watched(backend)
        records = RecordStore(watched, sealer, FrozenClock(), space="here")
        assert (filters, count) == (filters, await records.count(filters))
        assert (filters, bodies) == (filters, watched.bodies)
        assert count == len(await notes.list(filters))


@pytest.mark.seed("6.3")
async def test_a_list_reads_only_what_labels_let_through(
    notes: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """A filter on metadata is decided before bodies are read, save for what labels cannot hold."""
    watched = Watched(backend)
    records = RecordStore(watched, sealer, FrozenClock(), space="here")
    assert ["a"] == [row["id"] for row in await records.list({"metadata.k": "v"})]
    assert 3 == watched.bodies
    assert 6 == await notes.count({"type": "note"})


def test_nothing_asked_is_everything() -> None:
    """No filters and empty filters are the same search."""
    assert read_filters(None) == read_filters({})


@THOROUGH
@given(saved=RECORDS, searches=st.lists(FILTERS, min_size=1, max_size=4))
def test_every_back_end_finds_what_is_meant(
    trio: Trio, saved: list[dict[str, Any]], searches: list[dict[str, Any]]
) -> None:
    """Memory, SQLite and file list and count exactly what plain Python picks from all records."""
    for records in trio.stores():
        trio.run(records.save_many([{**one, "id": f"{n}"} for n, one in enumerate(saved)]))
        rows = trio.run(records.list())
        assert [f"{n}" for n in range(len(saved))] == [row["id"] for row in rows]
        for filters in searches:
            expected = [row for row in rows if meant(row, filters)]
            assert expected == trio.run(records.list(filters))
            assert len(expected) == trio.run(records.count(filters))
