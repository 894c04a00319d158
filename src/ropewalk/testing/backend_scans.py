"""What every back end owes its readers: order, cursors, and a scan that can be left anywhere."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import cast

import pytest

from ..domain.change import Delete, Put
from ..domain.clock import FrozenClock
from ..domain.cursor import Cursor
from ..domain.labels import Label
from ..domain.ports import Backend
from ..domain.query import NEWEST_FIRST, Condition, Order, Query
from ..domain.record import Key, Record
from .samples import DEADLINE, SPACE, everything, ids, in_pages, key, put, soon, versions, write

ORDERS = tuple(
    Order(field, descending)
    for field in ("created_at", "updated_at", "id", "labels.rank", "labels.nobody")
    for descending in (False, True)
)

MOVING = (
    pytest.param(Order(), id="oldest"),
    pytest.param(Order("updated_at", descending=True), id="changed"),
    pytest.param(Order("labels.rank"), id="label"),
)
"""Orders in which a record stays, or moves ahead when it is written."""

RANKS: tuple[Label | None, ...] = (
    *(None, False, True),
    *(-(2**63), -1.5, 0, 0.5, 1, 2**53 + 1, 2**63 - 1),
    *("", "\0", "10", "9", "Z", "a"),
)
"""Label values in the order in which they sort, types among one another."""


class ScanContract:
    """`scan`: the right records, in the right order, from the right place on."""

    @pytest.mark.seed("1.3", "2.3")
    async def test_every_order_and_every_page(self, backend: Backend) -> None:
        """A scan is sorted by its field, then id, kind and space; pages of it join seamlessly."""
        written = await _write_the_ranked(backend)
        for order in ORDERS:
            query = Query(space=None, order=order)
            expected = [record.key for record in _sorted(written, query)]
            assert expected == [r.key for r in await everything(backend, query)], f"{order}"
            for size in (1, 3, 7):
                assert expected == await _paged(backend, replace(query, limit=size)), f"{order}"

    @pytest.mark.seed("6.3")
    async def test_pages_are_what_a_scan_gives(self, backend: Backend) -> None:
        """Read in pages, an answer has the same records in the same order, up to its limit."""
        written = await _write_the_ranked(backend)
        one = written[0].key
        queries = [
            *(Query(space=SPACE, order=order) for order in ORDERS),
            Query(space=one.space, where=(Condition("id", "eq", one.id),), order=Order("id")),
            Query(space=one.space, kinds=(one.kind,), where=(Condition("id", "eq", one.id),)),
            Query(space=SPACE, where=(Condition("id", "eq", "nobody"),)),
        ]
        for query in (replace(q, limit=limit) for q in queries for limit in (None, 0, 1, 7)):
            expected = await everything(backend, query)
            assert expected == await in_pages(backend, query), f"{query}"

    @pytest.mark.seed("2.3")
    async def test_a_scan_lies_between_its_cursors(self, backend: Backend) -> None:
        """`after` and `until` are both exclusive, in the direction of the order."""
        written = await _write_the_ranked(backend)
        inside = [record for record in written if record.key.space == SPACE]
        for order in ORDERS:
            query = Query(space=SPACE, order=order)
            line = _sorted(inside, query)
            for low, high in ((0, 5), (3, 4), (2, 19), (7, 3)):
                between = replace(
                    query, after=query.cursor(line[low]), until=query.cursor(line[high])
                )
                expected = [record.key for record in line[low + 1 : high]]
                answer = await everything(backend, between)
                assert expected == [record.key for record in answer], f"{between}"

    @pytest.mark.seed("2.3")
    async def test_a_cursor_need_not_be_a_record(self, backend: Backend) -> None:
        """Any value of any type is a position, as are an empty id and an id followed by NUL."""
        written = await _write_the_ranked(backend)
        inside = [record for record in written if record.key.space == SPACE]
        values: list[Label | None] = [None, True, 4.5, -(2**63), 1e300, "", "rank", "\U0010ffff"]
        for order, value, id in itertools.product(ORDERS, values, ("", "r05", "r05\0")):
            cursor = Cursor(value, id)
            for query in (
                Query(space=SPACE, order=order, after=cursor, bodies=False),
                Query(space=SPACE, order=order, until=cursor, bodies=False),
            ):
                expected = {record.key for record in inside if query.within(record)}
                answer = await everything(backend, query)
                assert expected == {record.key for record in answer}, f"{query}"

    @pytest.mark.seed("1.3")
    async def test_limit(self, backend: Backend) -> None:
        """`limit` counts matching records; 0 asks for none, more than there are for all."""
        await write(backend, *[put(f"n{n}", labels={"odd": n % 2 == 1}) for n in range(10)])
        odd = Query(space=SPACE, where=(Condition("labels.odd", "eq", value=True),))
        assert await ids(backend, replace(odd, limit=0)) == []
        assert await ids(backend, replace(odd, limit=2)) == ["n1", "n3"]
        assert await ids(backend, replace(odd, limit=99)) == ["n1", "n3", "n5", "n7", "n9"]

    @pytest.mark.seed("6.3")
    async def test_headers_alone(self, backend: Backend) -> None:
        """Without bodies a scan gives the same headers in the same order, and `None` for bodies."""
        written = await _write_the_ranked(backend)
        query = Query(space=None)
        whole = await everything(backend, query)
        headers = await everything(backend, replace(query, bodies=False))
        assert {r.body for r in written} == {r.body for r in whole}
        assert [replace(record, body=None) for record in whole] == headers

    @pytest.mark.seed("1.3")
    async def test_parents_and_kinds_narrow(self, backend: Backend) -> None:
        """Session, thread and kinds narrow a scan, alone and together; a kind twice is once."""
        changes = [
            Put(
                key=key(f"{kind}-{session}-{thread}", kind=kind),
                session_id=session,
                thread_id=thread,
            )
            for kind in ("message", "cost", "tool_call")
            for session in ("s1", "s2", None)
            for thread in ("t1", "t2", None)
        ]
        await write(backend, *changes)
        for kinds in ((), ("message",), ("cost", "message", "cost"), ("nothing",)):
            for session in ("s1", "s3", None):
                for thread in ("t2", "t3", None):
                    query = Query(space=SPACE, kinds=kinds, session_id=session, thread_id=thread)
                    expected = sorted(
                        change.key.id
                        for change in changes
                        if (not kinds or change.key.kind in kinds)
                        and session in (None, change.session_id)
                        and thread in (None, change.thread_id)
                    )
                    assert expected == await ids(backend, query)

    @pytest.mark.seed("1.3")
    async def test_a_rewritten_record_moves(self, backend: Backend) -> None:
        """A record that changes parents, label or time is found where it is now, and only there."""
        await write(backend, put("a", session_id="s1", created_at=1, labels={"n": 1}))
        await write(backend, put("b", session_id="s1", created_at=2, labels={"n": 2}))
        await write(backend, put("a", session_id="s2", created_at=3, labels={"n": 3}))
        assert await ids(backend, Query(space=SPACE)) == ["b", "a"]
        assert await ids(backend, Query(space=SPACE, session_id="s1")) == ["b"]
        assert await ids(backend, Query(space=SPACE, session_id="s2")) == ["a"]
        by_label = Query(space=SPACE, where=(Condition("labels.n", "lt", 3),))
        assert await ids(backend, by_label) == ["b"]

    @pytest.mark.seed("4.1")
    async def test_a_long_scan_is_whole(self, backend: Backend) -> None:
        """Thousands of records come once each, in order, both ways, however they are fetched."""
        names = [f"n{n:04}" for n in range(2_500)]
        for begin in range(0, 2_500, 500):
            await write(backend, *[put(name, session_id="s") for name in names[begin:][:500]])
        query = Query(space=SPACE, session_id="s", bodies=False)
        assert names == sorted(await ids(backend, query))
        by_id = replace(query, order=Order("id"))
        assert names == await ids(backend, by_id)
        assert names[::-1] == await ids(backend, replace(by_id, order=Order("id", descending=True)))
        newest = await ids(backend, replace(query, order=NEWEST_FIRST))
        assert newest == (await ids(backend, query))[::-1]


class OpenScanContract:
    """A scan holds no lock while it is suspended and may be left at any point."""

    @pytest.mark.seed("4.4", "5.2")
    @pytest.mark.parametrize("order", MOVING)
    async def test_writes_go_on_during_a_scan(self, backend: Backend, *, order: Order) -> None:
        """While a scan is suspended others write, and what stays is seen exactly once."""
        await write(backend, *[put(f"n{n:03}", labels={"rank": n}) for n in range(0, 600, 2)])
        seen: list[str] = []
        scan = backend.scan(Query(space=SPACE, order=order))
        seen.append((await anext(scan)).key.id)
        gone = [f"n{n:03}" for n in range(100, 500, 4)]
        await soon(write(backend, *[Delete(key=key(id)) for id in gone]))
        await soon(write(backend, *[put(f"n{n:03}", labels={"rank": n}) for n in range(1, 600, 2)]))
        async for record in scan:
            seen.append(record.key.id)  # noqa: PERF401 (the point is one at a time)
        stayed = {f"n{n:03}" for n in range(0, 600, 2)} - set(gone)
        assert len(seen) == len(set(seen))
        assert stayed <= set(seen)

    @pytest.mark.seed("4.4")
    async def test_a_scan_left_by_break(self, backend: Backend) -> None:
        """After `break` the next write goes on at once."""
        await write(backend, *[put(f"n{n:03}") for n in range(300)])
        async for _ in backend.scan(Query(space=SPACE)):
            break
        await soon(write(backend, put("n000"), Delete(key=key("n299"))))
        assert len(await everything(backend, Query(space=SPACE))) == 299

    @pytest.mark.seed("4.4")
    async def test_a_scan_that_is_closed(self, backend: Backend) -> None:
        """A scan that is closed before, during and after its run ends, and writes go on."""
        await write(backend, *[put(f"n{n:03}") for n in range(300)])
        for steps in (0, 1, 299, 300):
            scan = cast("AsyncGenerator[Record, None]", backend.scan(Query(space=SPACE)))
            for _ in range(steps):
                await anext(scan)
            await soon(scan.aclose())
            with pytest.raises(StopAsyncIteration):
                await anext(scan)
            await soon(write(backend, put("n000")))

    @pytest.mark.seed("4.5")
    async def test_a_scan_whose_reader_is_cancelled(self, backend: Backend) -> None:
        """A reader cancelled between two records leaves no lock behind."""
        await write(backend, *[put(f"n{n:03}") for n in range(300)])
        for wanted in (1, 64, 200):
            reached = asyncio.Event()

            async def crawl(wanted: int, reached: asyncio.Event) -> None:
                count = 0
                async for _ in backend.scan(Query(space=SPACE)):
                    count += 1
                    if count == wanted:
                        reached.set()
                        await asyncio.Event().wait()

            task = asyncio.ensure_future(crawl(wanted, reached))
            await soon(reached.wait())
            task.cancel()
            done, _ = await asyncio.wait([task], timeout=DEADLINE)
            assert done == {task}
            assert task.cancelled()
            await soon(write(backend, put("n000")))

    @pytest.mark.seed("4.4")
    async def test_a_scan_that_is_forgotten(self, backend: Backend) -> None:
        """A scan that nobody holds any more keeps no write waiting."""
        await write(backend, *[put(f"n{n:03}") for n in range(300)])
        scans = [backend.scan(Query(space=SPACE)) for _ in range(20)]
        await asyncio.gather(*map(anext, scans))
        scans.clear()
        gc.collect()
        await soon(write(backend, put("n000")))
        assert len(await soon(everything(backend, Query(space=SPACE)))) == 300

    @pytest.mark.seed("4.2", "5.1")
    async def test_many_scans_at_once(self, backend: Backend) -> None:
        """Fifty scans taken in turns, a step each, all see everything, with writes in between."""
        names = [f"n{n:03}" for n in range(100)]
        await write(backend, *[put(name) for name in names])
        scans = [backend.scan(Query(space=SPACE, order=Order("id"))) for _ in range(50)]
        seen: list[list[str]] = [[] for _ in scans]
        for step in range(100):
            for scan, so_far in zip(scans, seen, strict=True):
                so_far.append((await soon(anext(scan))).key.id)
            if step % 20 == 0:
                await soon(write(backend, put(names[step])))
        assert [names] * 50 == seen
        for scan in scans:
            with pytest.raises(StopAsyncIteration):
                await anext(scan)

    @pytest.mark.seed("4.2")
    async def test_what_a_scan_finds_may_be_written_at_once(
        self, backend: Backend, clock: FrozenClock
    ) -> None:
        """A loop over a scan may rewrite and delete the very records it is given."""
        await write(backend, *[put(f"n{n:03}") for n in range(200)])
        count = 0
        async for record in backend.scan(Query(space=SPACE)):
            clock.advance(1)
            change = (
                put(record.key.id, b"seen", expect=record.version)
                if count % 2
                else Delete(key=record.key, expect=record.version)
            )
            await soon(write(backend, change))
            count += 1
        assert count == 200
        left = await everything(backend, Query(space=SPACE))
        assert [b"seen"] * 100 == [record.body for record in left]

    @pytest.mark.seed("4.4", "5.2")
    @pytest.mark.parametrize("order", MOVING)
    async def test_what_moves_ahead_is_not_seen_again(
        self, backend: Backend, clock: FrozenClock, *, order: Order
    ) -> None:
        """A record rewritten so that it sorts behind the scan comes once, and the scan ends."""
        await write(backend, *[put(f"n{n:03}", labels={"rank": n}) for n in range(120)])
        seen: list[str] = []
        rank = -1_000 if order.descending else 1_000
        async for record in backend.scan(Query(space=SPACE, order=order)):
            seen.append(record.key.id)
            clock.advance(-1 if order.descending else 1)
            await soon(write(backend, put(record.key.id, labels={"rank": rank + len(seen)})))
            assert len(seen) <= 120, f"{record.key} was seen again"
        assert sorted(set(seen)) == sorted(seen)
        assert [2 if f"n{n:03}" in seen else 1 for n in range(120)] == await versions(
            backend, *[f"n{n:03}" for n in range(120)]
        )


def _sorted(records: list[Record], query: Query) -> list[Record]:
    """Return the records in the query's order."""
    return sorted(
        records, key=lambda record: query.cursor(record).key, reverse=query.order.descending
    )


async def _paged(backend: Backend, page: Query) -> list[Key]:
    """Return the keys of all pages, each begun behind the one before."""
    keys: list[Key] = []
    while records := await everything(backend, page):
        assert len(records) <= (page.limit or 0)
        keys += [record.key for record in records]
        page = replace(page, after=page.cursor(records[-1]))
    return keys


async def _write_the_ranked(backend: Backend) -> list[Record]:
    """Write records that tie in time, in id and in label, in two spaces and two kinds."""
    changes = [
        Put(
            key=Key(space, kind, f"r{n:02}"),
            body=f"{space}-{kind}-{n}".encode(),
            labels={} if value is None else {"rank": value},
            created_at=n % 4 - 2,
            updated_at=n % 3,
        )
        for space, kind in ((SPACE, "note"), (SPACE, "memo"), ("other", "note"))
        for n, value in enumerate(RANKS)
    ]
    await write(backend, *changes[::2])
    await write(backend, *changes[1::2][::-1])
    records = await backend.get([change.key for change in changes])
    return [record for record in records if record is not None]
