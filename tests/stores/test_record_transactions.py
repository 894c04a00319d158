"""Transactions of the seeds: all operations in order, or none of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, NotFound
from ropewalk.domain.limits import MAX_BATCH_CHANGES
from ropewalk.domain.ports import Backend, Sealer
from ropewalk.domain.record import Key
from ropewalk.layers.base import Layer
from ropewalk.stores.records import RecordStore

pytestmark = [pytest.mark.seed("1.1"), pytest.mark.seed("4.3"), pytest.mark.seed("8.3")]


async def data_of(records: RecordStore) -> dict[str, Any]:
    """Return id and data of everything there is."""
    return {row["id"]: row["data"] for row in await records.list()}


async def test_all_operations_happen_in_one_commit(records: RecordStore, backend: Backend) -> None:
    """Save, update and delete together are one row of the feed."""
    await records.save({"id": "a", "type": "note", "data": {"n": 1}})
    await records.save({"id": "b", "type": "note"})
    assert await records.transaction(
        [
            {"op": "save", "data": {"id": "c", "type": "note", "data": {"n": 3}}},
            {"op": "update", "id": "a", "data": {"data": {"m": 2}}},
            {"op": "delete", "id": "b"},
        ]
    )
    assert {"a": {"n": 1, "m": 2}, "c": {"n": 3}} == await data_of(records)
    *_, last = [commit async for commit in backend.feed()]
    assert 3 == len(last.changes)


async def test_both_spellings_of_an_operation_work(records: RecordStore) -> None:
    """`op` leaves `type` to the record; without it `type` says what to do, as in the seeds."""
    await records.transaction(
        [
            {"op": "save", "id": "a", "type": "note", "data": {"data": {"n": 1}}},
            {"type": "save", "data": {"id": "b", "type": "note", "data": {"n": 2}}},
            {"type": "save", "id": "c", "data": {"type": "note"}},
        ]
    )
    await records.transaction(
        [
            {"op": "update", "id": "a", "type": "note", "data": {"data": {"n": 9}}},
            {"type": "update", "data": {"id": "b", "data": {"n": 8}}},
            {"type": "delete", "id": "c"},
        ]
    )
    assert {"a": {"n": 9}, "b": {"n": 8}} == await data_of(records)


@pytest.mark.parametrize(
    ("last", "error", "says"),
    [
        ({"op": "update", "id": "gone", "data": {"data": {}}}, NotFound, "no record 'gone'"),
        ({"op": "update", "id": "gone", "type": "note", "data": {}}, NotFound, "no record 'gone'"),
        ({"op": "delete", "id": "a", "expected_version": 9}, Conflict, "expected at version 9"),
        ({"op": "delete", "id": "gone", "expected_version": 1}, Conflict, "not there"),
        (
            {"op": "save", "data": {"id": "a", "type": "note"}, "expected_version": 0},
            Conflict,
            "exists already",
        ),
        ({"op": "save", "data": {"id": "x"}}, Invalid, "operation 1: a record needs a type"),
        ({"op": "save", "data": {"id": "x", "type": "message"}}, Invalid, "history"),
        ({"op": "svae", "data": {}}, Invalid, "operation 1: .*did you mean 'save'"),
        ({"op": "save", "dta": {}}, Invalid, "did you mean 'data'"),
        ({"op": "update", "data": {}}, Invalid, "update needs the id"),
        ({"op": "update", "id": "a", "data": {"dat": 1}}, Invalid, "did you mean 'data'"),
        ({"op": "delete", "id": "a", "data": {"n": 1}}, Invalid, "delete takes no data"),
        ({"op": "delete", "id": "a", "data": {"id": "b"}}, Invalid, "two values of id"),
        ({"op": "delete", "id": "a", "expected_version": -1}, Invalid, "expected_version"),
        ("save", Invalid, "an operation must be a dict"),
    ],
)
async def test_one_failure_leaves_everything_as_it_was(
    records: RecordStore, last: Mapping[str, Any], error: type[Exception], says: str
) -> None:
    """The error of any operation is raised, and none of the others has happened."""
    await records.save({"id": "a", "type": "note", "data": {"n": 1}})
    before = await records.list()
    first = {"op": "save", "data": {"id": "new", "type": "note"}}
    with pytest.raises(error, match=says):
        await records.transaction([first, last])
    assert before == await records.list()


async def test_operations_on_one_record_are_folded_in_order(records: RecordStore) -> None:
    """Each sees what the ones before it did, and the record changes its version once."""
    await records.save({"id": "a", "type": "note", "data": {"n": 1}})
    await records.transaction(
        [
            {"op": "update", "id": "a", "data": {"data": {"m": 2}}},
            {"op": "update", "id": "a", "data": {"data": {"n": 3}, "metadata": {"k": "v"}}},
            {"op": "save", "data": {"id": "b", "type": "note", "data": {"x": 1}}},
            {"op": "update", "id": "b", "data": {"data": {"y": 2}}},
            {"op": "save", "data": {"id": "c", "type": "note"}},
            {"op": "delete", "id": "c"},
            {"op": "delete", "id": "gone"},
        ]
    )
    assert {"a": {"n": 3, "m": 2}, "b": {"x": 1, "y": 2}} == await data_of(records)
    loaded = await records.load("a")
    assert loaded is not None
    assert (2, {"k": "v"}) == (loaded["version"], loaded["metadata"])
    with pytest.raises(NotFound):
        await records.transaction(
            [{"op": "delete", "id": "a"}, {"op": "update", "id": "a", "data": {"data": {}}}]
        )
    assert await records.exists("a")


async def test_what_the_caller_handed_in_stays_as_it_is(records: RecordStore) -> None:
    """Merging into a record that the same transaction saves makes a new one."""
    given = {"id": "b", "type": "note", "data": {"x": {"y": 1}}, "metadata": {"m": {"n": 1}}}
    updates = {"data": {"x": {"z": 2}}, "metadata": {"m": {"o": 2}}}
    await records.transaction(
        [{"op": "save", "data": given}, {"op": "update", "id": "b", "data": updates}] * 2
    )
    assert {"b": {"x": {"y": 1, "z": 2}}} == await data_of(records)
    assert ({"x": {"y": 1}}, {"m": {"n": 1}}) == (given["data"], given["metadata"])
    assert {"data": {"x": {"z": 2}}, "metadata": {"m": {"o": 2}}} == updates


async def test_deleted_and_saved_again_is_a_new_record(records: RecordStore) -> None:
    """It begins now; its version goes on, as the record was never gone for others."""
    await records.save({"id": "a", "type": "note", "data": {"n": 1}})
    before = await records.load("a")
    save = {"op": "save", "data": {"id": "a", "type": "note", "data": {"n": 2}}}
    await records.transaction([{"op": "delete", "id": "a", "type": "note"}, save])
    after = await records.load("a")
    assert before is not None
    assert after is not None
    assert (2, {"n": 2}) == (after["version"], after["data"])
    assert after["created_at"] > before["created_at"]
    # A save alone leaves the record as old as it is.
    await records.transaction([save, save])
    again = await records.load("a")
    assert after["created_at"] == (again or {})["created_at"]


async def test_expected_versions_mean_before_the_transaction(records: RecordStore) -> None:
    """One expectation holds for all operations on a record; two different ones cannot."""
    await records.save({"id": "a", "type": "note"})
    update = {"op": "update", "id": "a", "data": {"data": {"n": 1}}, "expected_version": 1}
    assert await records.transaction([update, update])
    with pytest.raises(Conflict):
        await records.transaction([update])
    delete = {"op": "delete", "id": "a", "type": "note"}
    with pytest.raises(Invalid, match="versions 2 and 3"):
        await records.transaction(
            [{**delete, "expected_version": 2}, {**delete, "expected_version": 3}]
        )
    assert await records.transaction([{**delete, "expected_version": 2}])


async def test_an_ambiguous_id_stops_a_transaction(records: RecordStore) -> None:
    """Two types with one id, stored or saved on the way, need the type to be said."""
    await records.save({"id": "a", "type": "note"})
    save = {"op": "save", "data": {"id": "a", "type": "todo"}}
    with pytest.raises(Invalid, match="note, todo"):
        await records.transaction([save, {"op": "delete", "id": "a"}])
    assert await records.transaction([save, {"op": "delete", "id": "a", "type": "note"}])
    assert ["todo"] == [row["type"] for row in await records.list()]


async def test_a_transaction_of_nothing_does_nothing(
    records: RecordStore, backend: Backend
) -> None:
    """It is true, and no commit tells of it."""
    assert await records.transaction([])
    assert await records.transaction([{"op": "delete", "id": "gone"}])
    assert [] == [commit async for commit in backend.feed()]


async def test_a_transaction_has_a_size(records: RecordStore) -> None:
    """More operations than a batch holds are refused before anything is read."""
    delete = {"op": "delete", "id": "a"}
    with pytest.raises(Invalid, match="max_batch_changes"):
        await records.transaction([delete] * (MAX_BATCH_CHANGES + 1))


@pytest.mark.seed("5.2")
async def test_money_is_moved_and_never_made(records: RecordStore) -> None:
    """Transfers between accounts at the same time keep the sum, seen at every moment."""
    names = [f"account{n}" for n in range(4)]
    await records.save_many({"id": n, "type": "account", "data": {"held": 100}} for n in names)

    async def transfer(seed: int) -> None:
        source, target = names[seed % 4], names[(seed + 1 + seed % 3) % 4]
        while True:
            rows = await records.load_many([source, target], type="account")
            held = [row["data"]["held"] for row in rows if row is not None]
            versions = [row["version"] for row in rows if row is not None]
            try:
                await records.transaction(
                    [
                        {
                            "op": "update",
                            "id": name,
                            "type": "account",
                            "data": {"data": {"held": amount}},
                            "expected_version": version,
                        }
                        for name, amount, version in zip(
                            (source, target), (held[0] - 7, held[1] + 7), versions, strict=True
                        )
                    ]
                )
            except Conflict:
                continue
            return

    async def watch() -> None:
        for _ in range(10):
            rows = await records.load_many(names, type="account")
            assert 400 == sum(row["data"]["held"] for row in rows if row is not None)

    await asyncio.gather(*(transfer(seed) for seed in range(12)), watch())
    assert 400 == sum(row["data"]["held"] for row in await records.list({"type": "account"}))


class Meddling(Layer):
    """Somebody who writes one record before each of our batches, for a number of times."""

    times = 2

    async def apply(self, batch: Batch) -> Any:  # noqa: ANN401 (what the back end answers)
        """Write the record once more, then go on."""
        if self.times:
            self.times -= 1
            [record] = await self.below.get([Key("here", "note", "a")])
            assert record is not None
            again = Put(key=record.key, body=record.body or b"", seal=record.seal)
            await self.below.apply(Batch((again,)))
        return await self.below.apply(batch)


async def test_a_transaction_merges_into_what_others_wrote(
    records: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """Without an expected version it begins again, as a whole, until nobody came between."""
    await records.save({"id": "a", "type": "note", "data": {"n": 1}})
    meddled = RecordStore(Meddling(backend), sealer, FrozenClock(), space="here")
    await meddled.transaction(
        [
            {"op": "save", "data": {"id": "b", "type": "note"}},
            {"op": "update", "id": "a", "data": {"data": {"m": 2}}},
        ]
    )
    assert {"a": {"n": 1, "m": 2}, "b": {}} == await data_of(records)
    loaded = await records.load_many(["a", "b"])
    assert [4, 1] == [row["version"] for row in loaded if row is not None]
