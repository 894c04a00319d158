"""The view of a unit: what is gathered over a store looks as if it were written into it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Check, Delete, Ensure, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import AnyOf, Condition, Query
from ropewalk.domain.record import Key, Record
from ropewalk.services.overlay.backend import Overlay
from ropewalk.testing.strategies import BEGIN, FEW, KEYS, PUTS, QUERIES, TALLIES

pytestmark = [pytest.mark.seed("4.3"), pytest.mark.seed("8.3")]

Step = tuple[Put | Delete, ...]


def _dated(put: Put, created_at: int) -> Put:
    # The two stores tell the time apart, so every time is given.
    return replace(put, created_at=created_at, updated_at=0, expires_at=None)


_PUTS: st.SearchStrategy[Put | Delete] = st.builds(_dated, PUTS, st.integers(0, 5))
_DELETES: st.SearchStrategy[Put | Delete] = st.builds(Delete, key=KEYS)


def _key(change: Put | Delete) -> Key:
    return change.key


def _step(changes: list[Put | Delete]) -> Step:
    return tuple(changes)


_STEPS: st.SearchStrategy[Step] = st.lists(
    st.one_of(_PUTS, _DELETES), min_size=1, max_size=5, unique_by=_key
).map(_step)


def _timeless(query: Query) -> bool:
    flat = [
        condition
        for part in query.where
        for condition in (part.conditions if isinstance(part, AnyOf) else (part,))
    ]
    names = {query.order.field, *(condition.field for condition in flat)}
    return not names & {"version", "updated_at"}


def _plain(records: list[Record]) -> list[Record]:
    return [replace(record, version=1, updated_at=0) for record in records]


async def _scan(backend: Backend, query: Query) -> list[Record]:
    return _plain([record async for record in backend.scan(query)])


@FEW
@given(
    before=st.lists(_STEPS, max_size=3),
    within=st.lists(_STEPS, min_size=1, max_size=3),
    queries=st.lists(QUERIES.filter(_timeless), min_size=1, max_size=4),
    tally=TALLIES,
)
async def test_reads_agree_with_a_store_that_was_written(
    before: list[Step], within: list[Step], queries: list[Query], tally: tuple[list[str], list[str]]
) -> None:
    """Scans, sums and lookups over gathered changes equal those of a store that has them."""
    clock = FrozenClock(BEGIN)
    below, plain = MemoryBackend(clock=clock), MemoryBackend(clock=clock)
    await below.open()
    await plain.open()
    for step in before:
        await below.apply(Batch(step))
        await plain.apply(Batch(step))
    overlay = Overlay(below, clock)
    for step in within:
        await overlay.apply(Batch(step))
        await plain.apply(Batch(step))

    for query in queries:
        expected = await _scan(plain, query)
        assert expected == await _scan(overlay, query)
        assert await plain.tally(query, *tally) == await overlay.tally(query, *tally)
    everything = Query(space=None)
    keys = [record.key for record in await _scan(plain, everything)]
    assert await _scan(plain, replace(everything, limit=0)) == []
    looked_up = [record for record in await overlay.get(keys) if record is not None]
    assert await _scan(plain, everything) == _plain(looked_up)

    await overlay.commit(id="unit", actor="")

    assert await _scan(plain, everything) == await _scan(below, everything)


async def _fresh() -> tuple[MemoryBackend, Overlay]:
    clock = FrozenClock(BEGIN)
    below = MemoryBackend(clock=clock)
    await below.open()
    return below, Overlay(below, clock)


KEY = Key("lab", "note", "a")


async def test_a_conflict_inside_gathers_nothing() -> None:
    """A batch that fails an expectation within the unit leaves the unit as it was."""
    below, overlay = await _fresh()
    await overlay.apply(Batch((Put(key=KEY, expect=0),)))

    other = Key("lab", "note", "b")
    with pytest.raises(Conflict):
        await overlay.apply(Batch((Put(key=other), Put(key=KEY, expect=0))))

    assert [None] == await overlay.get([other])
    assert [None] == await below.get([KEY])


async def test_a_retried_batch_is_gathered_once() -> None:
    """The same batch id answers as the first time."""
    _, overlay = await _fresh()
    batch = Batch((Put(key=KEY, expect=0),))

    first = await overlay.apply(batch)
    again = await overlay.apply(batch)

    assert replace(first, replayed=True) == again


async def test_a_checked_version_is_checked_again_at_the_end() -> None:
    """What a unit only checked must still hold when it commits."""
    below, overlay = await _fresh()
    await overlay.apply(Batch((Check(key=KEY, expect=0), Put(key=Key("lab", "note", "b")))))

    await below.apply(Batch((Put(key=KEY),)))

    with pytest.raises(Conflict):
        await overlay.commit(id="unit", actor="")
    assert 1 == (await below.tally(Query(space="lab")))[0].count


async def test_stamps_pass_through() -> None:
    """A content-addressed record raised within a unit takes the higher stamp below."""
    below, overlay = await _fresh()
    await below.apply(Batch((Ensure(key=KEY, stamp=3, body=b"x"),)))

    await overlay.apply(Batch((Ensure(key=KEY, stamp=5, body=b"x"),)))
    await overlay.apply(Batch((Ensure(key=KEY, stamp=7, body=b"x"),)))
    await overlay.commit(id="unit", actor="")

    [record] = await below.get([KEY])
    assert record is not None
    assert (7, b"x") == (record.version, record.body)


async def test_a_listed_record_counts_as_read() -> None:
    """A record that a list within the unit showed must be the same at the end."""
    below, overlay = await _fresh()
    await below.apply(Batch((Put(key=KEY),)))
    where = (Condition("id", "eq", "a"),)
    assert 1 == len([r async for r in overlay.scan(Query(space="lab", where=where, bodies=False))])
    await overlay.apply(Batch((Put(key=Key("lab", "note", "b")),)))

    await below.apply(Batch((Put(key=KEY),)))

    with pytest.raises(Conflict):
        await overlay.commit(id="unit", actor="")


async def test_nothing_reaches_the_feed_before_the_commit() -> None:
    """The feed below tells a unit as one commit, once it is done."""
    below, overlay = await _fresh()
    await overlay.apply(Batch((Put(key=KEY),)))
    assert [] == [commit async for commit in overlay.feed()]

    applied = await overlay.commit(id="unit", actor="me")

    assert applied is not None
    [commit] = [commit async for commit in below.feed()]
    assert ("unit", "me", applied.seq) == (commit.batch_id, commit.actor, commit.seq)


async def test_a_carried_version_is_carried_through() -> None:
    """A put that names its version keeps it, and a later change in the unit rises above it."""
    below, overlay = await _fresh()
    other = Key("lab", "note", "b")
    await overlay.apply(Batch((Put(key=KEY, version=7), Put(key=other, version=7))))
    await overlay.apply(Batch((Put(key=other, expect=7),)))

    await overlay.commit(id="unit", actor="")

    records = await below.get([KEY, other])
    assert [7, 8] == [record.version for record in records if record is not None]


@pytest.mark.seed("5.2")
async def test_a_check_of_labels_stands_whatever_the_version() -> None:
    """A fence is checked at the end: a renewed lease holds it, a new token does not."""
    for token, holds in ((1, True), (2, False)):
        below, overlay = await _fresh()
        await below.apply(Batch((Put(key=KEY, labels={"token": 1}),)))
        fence = Check(key=KEY, labels={"token": 1})
        await overlay.apply(Batch((fence, Put(key=Key("lab", "note", "b")))))
        await overlay.apply(Batch((fence, Put(key=Key("lab", "note", "c")))))
        await below.apply(Batch((Put(key=KEY, labels={"token": token}),)))
        if holds:
            await overlay.commit(id="unit", actor="")
        else:
            with pytest.raises(Conflict):
                await overlay.commit(id="unit", actor="")
        assert (3 if holds else 1) == (await below.tally(Query(space="lab")))[0].count


@pytest.mark.seed("5.2")
async def test_a_check_of_labels_meets_what_is_known() -> None:
    """A fence that what was read, written or fenced before contradicts is refused at once."""
    below, overlay = await _fresh()
    other = Key("lab", "note", "b")
    await below.apply(Batch((Put(key=KEY, labels={"token": 1}),)))
    await overlay.apply(Batch((Check(key=other, labels={"token": 1}),)))
    with pytest.raises(Conflict):
        await overlay.apply(Batch((Check(key=other, labels={"token": 2}),)))
    with pytest.raises(Conflict):
        await overlay.apply(Batch((Put(key=other),)))
    await overlay.get([KEY])
    with pytest.raises(Conflict):
        await overlay.apply(Batch((Check(key=KEY, labels={"token": 2}),)))
    await overlay.get([other])
    with pytest.raises(Conflict):
        await overlay.commit(id="unit", actor="")


async def test_the_log_is_not_trimmed_within_a_unit() -> None:
    """What could not be brought back is no part of a unit."""
    _, overlay = await _fresh()

    with pytest.raises(Invalid, match="within a unit of work"):
        await overlay.trim(1)


async def _made_anew(below: MemoryBackend) -> None:
    """Delete the record and make another one in its place, which has the same version."""
    await below.apply(Batch((Delete(key=KEY),)))
    await below.apply(Batch((Put(key=KEY, body=b"second", created_at=BEGIN - 1),)))


@pytest.mark.seed("5.1", "5.2")
@pytest.mark.parametrize("through", ["get", "scan", "put", "delete", "inner"])
async def test_a_record_made_anew_is_not_the_one_that_was_seen(through: str) -> None:
    """However a unit came to know a record, another one in its place breaks the unit."""
    below, overlay = await _fresh()
    await below.apply(Batch((Put(key=KEY, body=b"first"),)))
    if through == "scan":
        assert 1 == len([record async for record in overlay.scan(Query(space="lab"))])
    elif through == "put":
        await overlay.apply(Batch((Put(key=KEY, body=b"over"),)))
    elif through == "delete":
        await overlay.apply(Batch((Delete(key=KEY),)))
    elif through == "inner":
        inner = Overlay(overlay.within(), FrozenClock(BEGIN), is_inner=True)
        await inner.apply(Batch((Put(key=KEY, body=b"over", expect=1),)))
        await inner.commit(id="inner", actor="")
    else:
        await overlay.get([KEY])
    await overlay.apply(Batch((Put(key=Key("lab", "note", "b")),)))
    assert await overlay.holds()

    await _made_anew(below)

    assert not await overlay.holds()
    with pytest.raises(Conflict):
        await overlay.commit(id="unit", actor="")
    [record] = await below.get([KEY])
    assert record is not None
    assert (1, b"second") == (record.version, record.body)


@pytest.mark.seed("5.2")
async def test_a_record_made_anew_is_noticed_at_the_second_look() -> None:
    """A unit that comes to a record by a list, after it was read, sees the same one or stops."""
    below, overlay = await _fresh()
    await below.apply(Batch((Put(key=KEY, body=b"first"),)))
    await overlay.get([KEY])
    await _made_anew(below)
    with pytest.raises(Conflict, match="during this unit of work"):
        assert [] == [record async for record in overlay.scan(Query(space="lab"))]
