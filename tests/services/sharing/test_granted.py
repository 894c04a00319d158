"""A guest's view is a plain rule applied to every record, whatever is asked in whatever form."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import ABSENT, Applied, Batch, Check, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Denied
from ropewalk.domain.grant import Grant, Mode, Scope
from ropewalk.domain.moment import from_micros
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Condition, Order, Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.seen import Counted, Seen, sight
from ropewalk.domain.tally import tally_records
from ropewalk.layers.base import Layer
from ropewalk.services.sharing.granted import Shared
from ropewalk.stores.grants import GRANT, TO
from ropewalk.testing.strategies import FEW

pytestmark = [pytest.mark.seed("5.4"), pytest.mark.timeout(900)]

THOROUGH: Final = settings(FEW, max_examples=600 if os.environ.get("ROPEWALK_LONG") else 30)

IDS: Final = ("s1", "s2", "t1", "t2")
SESSIONS: Final = (None, "s1", "s2")
KINDS: Final = ("session", "thread", "message", "note", "write", "memory", "vector", "space")

scopes = st.sampled_from(
    [
        Scope(),
        Scope(kind="note"),
        Scope(kind="message"),
        Scope(kind="memory"),
        Scope(kind="checkpoint"),
        Scope(session_id="s1"),
        Scope(session_id="s2"),
    ]
)
grants = st.lists(st.tuples(scopes, st.sampled_from(Mode)), max_size=3, unique_by=lambda g: g[0])
puts = st.lists(
    st.builds(
        Put,
        key=st.builds(
            Key, st.sampled_from(["a", "b"]), st.sampled_from(KINDS), st.sampled_from(IDS)
        ),
        session_id=st.sampled_from(SESSIONS),
        thread_id=st.sampled_from([None, "t1", "t2"]),
        labels=st.dictionaries(st.just("n"), st.integers(0, 3), max_size=1),
        created_at=st.integers(1, 4),
    ),
    max_size=14,
    unique_by=lambda put: put.key,
)
queries = st.builds(
    Query,
    space=st.just("a"),
    kinds=st.lists(st.sampled_from([*KINDS, GRANT]), max_size=3, unique=True).map(tuple),
    session_id=st.sampled_from(SESSIONS),
    thread_id=st.sampled_from([None, None, "t1"]),
    where=st.lists(
        st.sampled_from(
            [
                Condition("labels.n", "ge", 1),
                Condition("id", "in", ("s1", "t1")),
                Condition("kind", "ne", "note"),
            ]
        ),
        max_size=1,
    ).map(tuple),
    order=st.builds(Order, st.sampled_from(["id", "created_at", "labels.n"]), st.booleans()),
    limit=st.one_of(st.none(), st.integers(0, 4)),
    bodies=st.booleans(),
)


async def filled(written: list[Put], given: list[tuple[Scope, Mode]]) -> MemoryBackend:
    """Return an open store with records and with grants of space `a` for space `me`."""
    store = MemoryBackend(clock=FrozenClock())
    await store.open()
    changes = list(written)
    for scope, mode in given:
        grant = Grant(space="a", to="me", scope=scope, mode=mode, created_at=from_micros(0))
        labels = {TO: "me", "mode": mode.value}
        if scope.kind is not None:
            labels["kind"] = scope.kind
        if scope.session_id is not None:
            labels["session"] = scope.session_id
        changes.append(Put(key=Key("a", GRANT, grant.id), labels=labels))
    if changes:
        await store.apply(Batch(tuple(changes)))
    return store


async def everything(store: Backend) -> dict[Key, Record]:
    """Return all records of all spaces."""
    return {record.key: record async for record in store.scan(Query(space=None))}


def is_covered(
    record: Record, given: list[tuple[Scope, Mode]], records: dict[Key, Record], mode: Mode
) -> bool:
    """Say by the plain rule whether somebody with these grants may read or write a record."""
    kind = record.key.kind
    if record.key.space != "a" or kind in (GRANT, "space"):
        return False
    for scope, allowed in given:
        if mode is Mode.WRITE and allowed is Mode.READ:
            continue
        if scope == Scope() or kind == scope.kind:
            return True
        if (scope.kind, kind) in (("memory", "vector"), ("checkpoint", "write")):
            return True
        if scope.session_id is not None and _is_of(scope.session_id, record, records):
            return True
    return False


def _is_of(session_id: str, record: Record, records: dict[Key, Record]) -> bool:
    kind = record.key.kind
    if kind in ("memory", "vector"):
        return False
    if kind == "session":
        return record.key.id == session_id
    if kind == "write":
        thread = records.get(Key("a", "thread", record.thread_id or "?"))
        return thread is not None and thread.session_id == session_id
    return record.session_id == session_id


@THOROUGH
@given(puts, grants, queries)
def test_lists_and_sums_are_what_is_covered(
    written: list[Put], given: list[tuple[Scope, Mode]], query: Query
) -> None:
    """Order, limit, cursor and groups are as of a store that holds nothing else."""

    async def check() -> None:
        store = await filled(written, given)
        shared = Shared(store, space="a", to="me")
        records = await everything(store)
        seen = [r for r in records.values() if is_covered(r, given, records, Mode.READ)]
        matching = sorted(
            (r for r in seen if query.matches(r, 9)),
            key=lambda record: query.cursor(record).key,
            reverse=query.order.descending,
        )
        try:
            found = [record.key async for record in shared.scan(query)]
            rows = await shared.tally(query, ("n",), ("kind",))
            pages = [record.key async for record in shared.scan(replace(query, limit=2))]
            while pages and len(pages) % 2 == 0:
                after = query.cursor(records[pages[-1]])
                more = replace(query, limit=2, after=after)
                following = [record.key async for record in shared.scan(more)]
                if not following:
                    break
                pages += following
        except Denied:
            assert [] == matching
        else:
            assert [r.key for r in matching][: query.limit] == found
            assert [r.key for r in matching] == pages
            assert tally_records(matching, ("n",), ("kind",)) == rows

    asyncio.run(check())


@THOROUGH
@given(puts, grants)
def test_looking_up_is_what_is_covered(written: list[Put], given: list[tuple[Scope, Mode]]) -> None:
    """A key gives the record if that is covered, and otherwise nothing or a refusal."""

    async def check() -> None:
        store = await filled(written, given)
        shared = Shared(store, space="a", to="me")
        records = await everything(store)
        for key, record in records.items():
            covered = is_covered(record, given, records, Mode.READ)
            try:
                found = await shared.get([key])
            except Denied:
                assert not covered
            else:
                assert [record if covered else None] == found

    asyncio.run(check())


@THOROUGH
@given(puts, grants, st.data())
def test_a_write_stays_inside(
    written: list[Put], given: list[tuple[Scope, Mode]], data: st.DataObject
) -> None:
    """Whatever goes through was covered before and after; all the rest is as it was."""

    async def check() -> None:
        store = await filled(written, given)
        before = await everything(store)
        ours = st.sampled_from([key for key in before if key.space == "a"] or [Key("a", "x", "y")])
        changes = data.draw(
            st.lists(
                st.one_of(
                    puts.filter(bool).map(lambda drawn: drawn[0]),
                    st.builds(Delete, key=ours),
                    st.builds(Check, key=ours, expect=st.integers(0, 1)),
                ),
                min_size=1,
                max_size=4,
                unique_by=lambda change: change.key,
            )
        )
        try:
            applied = await Shared(store, space="a", to="me").apply(Batch(tuple(changes)))
        except (Denied, Conflict):
            assert before == await everything(store)
            return
        after = await everything(store)
        assert len(changes) == len(applied.versions) == len(applied.previous)
        written_keys = {change.key for change in changes if not isinstance(change, Check)}
        # A thread of the batch itself may be what makes a write belong to a session.
        known = {**after, **before}
        for key in before.keys() | after.keys():
            if before.get(key) == after.get(key):
                continue
            assert key in written_keys
            for side, records in ((before, known), (after, after)):
                if key in side:
                    assert is_covered(side[key], given, records, Mode.WRITE)

    asyncio.run(check())


async def test_what_was_listed_is_found_again() -> None:
    """A commit expects lists and sums of what is covered, whatever comes beside it."""
    given = [(Scope(session_id="s1"), Mode.WRITE), (Scope(kind="note"), Mode.READ)]
    store = await filled(
        [
            Put(key=Key("a", "message", "m1"), session_id="s1"),
            Put(key=Key("a", "message", "m2"), session_id="s2"),
            Put(key=Key("a", "note", "n")),
        ],
        given,
    )
    shared = Shared(store, space="a", to="me")
    query = Query(space="a", kinds=("message", "note"), bodies=False)
    found = tuple([sight(record) async for record in shared.scan(query)])
    rows = tuple(await shared.tally(query, (), ("kind",)))
    seen = (Seen(query, found), Counted(query, (), ("kind",), rows))
    assert [("m1", "n"), (1, 1)] == [
        tuple(key.id for key, *_ in found),
        tuple(row.count for row in rows),
    ]

    def batch(n: int) -> Batch:
        put = Put(key=Key("a", "message", f"new{n}"), session_id="s1", expect=ABSENT)
        return Batch((put,), seen=seen)

    await store.apply(Batch((Put(key=Key("a", "message", "m3"), session_id="s2"),)))
    await shared.apply(batch(1))
    for part in seen:
        with pytest.raises(Conflict) as refused:
            await shared.apply(replace(batch(2), seen=(part,)))
        assert "phantom" == refused.value.code


async def test_what_is_hidden_can_be_expected_to_be_absent() -> None:
    """A guest that found nothing may say so in its batch, and learns nothing of what is there."""
    hidden = Key("a", "message", "m")
    store = await filled([Put(key=hidden, session_id="s2")], [(Scope(session_id="s1"), Mode.WRITE)])
    shared = Shared(store, space="a", to="me")
    put = Put(key=Key("a", "note", "n"), session_id="s1")

    assert [None] == await shared.get([hidden])
    await shared.apply(Batch((put, Check(key=hidden, expect=ABSENT))))
    for check in (Check(key=hidden, expect=1), Check(key=hidden, labels={"n": 1})):
        with pytest.raises(Conflict, match="is not there"):
            await shared.apply(Batch((put, check)))
    with pytest.raises(Denied, match="choose another id"):
        await shared.apply(Batch((Delete(key=hidden),)))


async def test_lists_of_several_scopes_are_one() -> None:
    """What is covered for different reasons comes in one order, in both directions."""
    sides = [("message", "s1"), ("note", None), ("session", None), ("message", "s2")]
    written = [
        Put(key=Key("a", kind, "s1" if kind == "session" else f"{n}{side}"), session_id=session_id,
            created_at=n * 4 + side)
        for n in range(5)
        for side, (kind, session_id) in enumerate(sides)
        if kind != "session" or n == 3
    ]  # fmt: skip
    store = await filled(
        written, [(Scope(session_id="s1"), Mode.READ), (Scope(kind="note"), Mode.READ)]
    )
    shared = Shared(store, space="a", to="me")
    expected = [put.created_at for put in written if put.session_id != "s2"]
    for order in (Order(), Order(descending=True)):
        query = Query(space="a", kinds=("message", "note", "session"), order=order)
        assert expected == [record.created_at async for record in shared.scan(query)]
        limited = shared.scan(replace(query, limit=4))
        assert expected[:4] == [record.created_at async for record in limited]
        expected.reverse()


async def test_pending_writes_go_by_their_thread() -> None:
    """They name no session; one of a thread that belongs to another session looks absent."""
    threads = [Put(key=Key("a", "thread", f"t{n}"), session_id=f"s{n}") for n in (1, 2)]
    writes = [Put(key=Key("a", "write", f"w{n}"), thread_id=f"t{n}") for n in (1, 2)]
    store = await filled([*threads, *writes], [(Scope(session_id="s1"), Mode.WRITE)])
    shared = Shared(store, space="a", to="me")
    keys = [put.key for put in writes]

    found = await shared.get(keys)

    assert [keys[0], None] == [record and record.key for record in found]
    listed = [record.key async for record in shared.scan(Query(space="a", kinds=("write",)))]
    assert [keys[0]] == listed
    new = Key("a", "write", "new")
    for change in (Put(key=keys[1]), Delete(key=keys[1]), Put(key=new, thread_id="t2"),
                   Put(key=new)):  # fmt: skip
        with pytest.raises(Denied):
            await shared.apply(Batch((change,)))
    await shared.apply(Batch((Put(key=new, thread_id="t1"), Delete(key=keys[0]))))
    assert [new] == [record.key async for record in shared.scan(Query(space="a", kinds=("write",)))]


class _Quick(Layer):
    """A store in which somebody is quicker, once, after a look and before the write."""

    def __init__(self, below: Backend, change: Put) -> None:
        super().__init__(below)
        self._change: Put | None = change

    async def apply(self, batch: Batch) -> Applied:
        """Write what the quicker one writes, and then the batch."""
        if self._change is not None:
            change, self._change = self._change, None
            await self.below.apply(Batch((change,)))
        return await self.below.apply(batch)


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("removes", [True, False])
async def test_nothing_is_taken_over_in_between(there: bool, removes: bool) -> None:
    """A record that came, or left the session, after it was looked at is not overwritten."""
    key = Key("a", "note", "n")
    before = [Put(key=key, session_id="s1")] if there else []
    store = await filled(before, [(Scope(session_id="s1"), Mode.WRITE)])
    theirs = Put(key=key, session_id="s2", body=b"theirs")
    shared = Shared(_Quick(store, theirs), space="a", to="me")
    change = Delete(key=key) if removes else Put(key=key, session_id="s1", body=b"mine")

    with pytest.raises(Denied, match="is taken by something that no grant covers"):
        await shared.apply(Batch((change,)))

    [kept] = await store.get([key])
    assert kept is not None
    assert ("s2", b"theirs") == (kept.session_id, kept.body)


async def test_a_long_scan_ends_with_its_grant() -> None:
    """Whoever reads on after a revocation is stopped within a few hundred records."""
    written = [Put(key=Key("a", "note", f"{n:04}")) for n in range(1_000)]
    store = await filled(written, [(Scope(kind="note"), Mode.READ)])
    count = 0
    with pytest.raises(Denied, match=r"has no grant|have changed"):
        async for _ in Shared(store, space="a", to="me").scan(Query(space="a", kinds=("note",))):
            count += 1
            if count == 1:
                [grant] = [key for key in await everything(store) if key.kind == GRANT]
                await store.apply(Batch((Delete(key=grant),)))
    assert 256 == count
