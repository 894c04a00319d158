"""The nine verbs: what each does, on every back end alike."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.ports import Backend, Sealer
from ropewalk.domain.record import Key
from ropewalk.layers.base import Layer
from ropewalk.stores.kinds import DOORS
from ropewalk.stores.letter import Letter
from ropewalk.stores.records import MAX_ATTEMPTS, RecordStore

pytestmark = [pytest.mark.seed("1.1"), pytest.mark.seed("2.3"), pytest.mark.seed("4.1")]

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


async def put_raw(backend: Backend, sealer: Sealer, kind: str, id_: str) -> None:
    """Write a record of any kind, past the doors."""
    key = Key("here", kind, id_)
    sealed = await Letter({"from": kind}, {}).seal(sealer, key)
    await backend.apply(Batch((Put(key=key, body=sealed.body, seal=sealed.seal),)))


async def test_a_record_comes_back_as_it_was_saved(records: RecordStore) -> None:
    """Every key of the storage data survives, with types and times."""
    given = {
        "id": "n1",
        "type": "note",
        "data": {"text": "caffè\0", "list": [1, 2.5, None], "big": 2**80, "when": NOON},
        "session_id": "s",
        "thread_id": "t",
        "metadata": {"lang": "it", "deep": {"x": 1}, "tags": ["a"]},
        "created_at": NOON,
        "updated_at": NOON + timedelta(hours=1),
        "expires_at": NOON.replace(year=2090),
    }
    assert "n1" == await records.save(given)
    assert {**given, "version": 1} == await records.load("n1")


async def test_what_is_not_given_is_empty(records: RecordStore) -> None:
    """A type alone is a record; it gets an id, and the store's time."""
    id_ = await records.save({"type": "note"})
    loaded = await records.load(id_)
    assert loaded is not None
    assert loaded["created_at"] == loaded["updated_at"]
    expected: dict[str, Any] = {
        "id": id_,
        "type": "note",
        "data": {},
        "session_id": None,
        "thread_id": None,
        "metadata": {},
        "created_at": loaded["created_at"],
        "updated_at": loaded["created_at"],
        "expires_at": None,
        "version": 1,
    }
    assert expected == loaded
    assert UTC == loaded["created_at"].tzinfo


async def test_what_was_loaded_can_be_saved(records: RecordStore) -> None:
    """`save(load(x))` writes the same record again, one version on."""
    id_ = await records.save({"type": "note", "data": {"a": [1]}, "metadata": {"k": "v"}})
    loaded = await records.load(id_)
    assert loaded is not None
    assert id_ == await records.save(loaded)
    assert {**loaded, "version": 2} == await records.load(id_)


async def test_saving_again_replaces_the_whole_record(records: RecordStore) -> None:
    """What the second save does not say is gone, but the record stays as old as it is."""
    await records.save(
        {"id": "n", "type": "note", "data": {"a": 1}, "session_id": "s", "metadata": {"k": 1}}
    )
    before = await records.load("n")
    await records.save({"id": "n", "type": "note", "data": {"b": 2}})
    after = await records.load("n")
    assert before is not None
    assert after is not None
    assert ({"b": 2}, {}, None) == (after["data"], after["metadata"], after["session_id"])
    assert (2, before["created_at"]) == (after["version"], after["created_at"])
    assert after["updated_at"] > before["updated_at"]


async def test_an_expected_version_locks(records: RecordStore) -> None:
    """0 means new, another number the version there is; anything else is a conflict."""
    note = {"id": "n", "type": "note"}
    await records.save(note, expected_version=0)
    await records.save({**note, "data": {"a": 1}}, expected_version=1)
    for expected in (0, 1, 7):
        with pytest.raises(Conflict):
            await records.save({**note, "data": {"a": 2}}, expected_version=expected)
        with pytest.raises(Conflict):
            await records.update("n", {"data": {"a": 2}}, expected_version=expected)
        with pytest.raises(Conflict):
            await records.delete("n", expected_version=expected)
        with pytest.raises(Conflict):
            await records.delete("n", type="note", expected_version=expected)
    with pytest.raises(Conflict, match="not there"):
        await records.update("gone", {"data": {}}, expected_version=3)
    loaded = await records.load("n")
    assert loaded is not None
    assert (2, {"a": 1}) == (loaded["version"], loaded["data"])
    assert await records.update("n", {"data": {"a": 2}}, expected_version=2)
    assert await records.delete("n", expected_version=3)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({}, "needs a type"),
        ({"type": ""}, "type must not be empty"),
        ({"type": "note", "id": 3}, "id must be text"),
        ({"type": "note", "sesion_id": "s"}, "did you mean 'session_id'"),
        ({"type": "note", "data": [1]}, "data must be a dict, not list"),
        ({"type": "note", "data": None}, "data must be a dict, not NoneType"),
        ({"type": "note", "data": {"f": object()}}, "data.f"),
        ({"type": "note", "metadata": {1: 2}}, "metadata must be text"),
        ({"type": "note", "session_id": ""}, "session_id must not be empty"),
        ({"type": "note", "created_at": datetime(2026, 1, 1)}, "created_at .* without a time zone"),
        ({"type": "note", "expires_at": 17}, "expires_at must be a datetime"),
        ({"type": "note", "version": "1"}, "version must be an integer"),
        ("note", "a record must be a dict, not str"),
    ],
)
async def test_a_wrong_record_is_refused_by_name(
    records: RecordStore, wrong: Mapping[str, Any], says: str
) -> None:
    """`Invalid` names the key that is wrong, and nothing is written."""
    with pytest.raises(Invalid, match=says):
        await records.save(wrong)
    assert 0 == await records.count()


@pytest.mark.seed("3.5")
@pytest.mark.parametrize("kind", sorted(DOORS))
async def test_a_kind_of_the_house_is_written_by_its_own_door(
    records: RecordStore, backend: Backend, sealer: Sealer, kind: str
) -> None:
    """Whatever would write it is refused and names the module that may."""
    await put_raw(backend, sealer, kind, "x")
    for attempt in (
        records.save({"type": kind, "id": "x"}),
        records.save_many([{"type": kind, "id": "x"}]),
        records.update("x", {"data": {"a": 1}}, type=kind),
        records.delete("x", type=kind),
        records.delete_many(["x"], type=kind),
        records.transaction([{"op": "save", "data": {"type": kind, "id": "x"}}]),
        records.transaction([{"op": "delete", "id": "x", "type": kind}]),
    ):
        with pytest.raises(Invalid, match=DOORS[kind].replace(".", r"\.")):
            await attempt
    loaded = await records.load("x", type=kind)
    assert loaded is not None
    assert (1, {"from": kind}) == (loaded["version"], loaded["data"])


@pytest.mark.seed("3.5")
async def test_an_id_alone_does_not_get_past_the_doors(
    records: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """Without a type, too, what belongs to a module is only read here."""
    await put_raw(backend, sealer, "thread", "t")
    for attempt in (
        records.update("t", {"data": {}}),
        records.delete("t"),
        records.delete_many(["t"]),
        records.transaction([{"op": "update", "id": "t", "data": {}}]),
    ):
        with pytest.raises(Invalid, match=r"storage\.threads"):
            await attempt
    assert await records.exists("t")


@pytest.mark.seed("3.6")
async def test_every_kind_can_be_read(
    records: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """Modules share what they keep: it is one store for reading."""
    for kind in ("session", "message", "note"):
        await put_raw(backend, sealer, kind, f"a {kind}")
    assert ["session", "message", "note"] == [row["type"] for row in await records.list()]
    assert ["a message"] == [row["id"] for row in await records.query("SELECT id FROM message")]


async def test_a_store_without_doors_writes_everything(backend: Backend, sealer: Sealer) -> None:
    """Who builds a store may leave the doors away: a restore does."""
    records = RecordStore(backend, sealer, FrozenClock(), space="here", doors={})
    assert "s" == await records.save({"type": "session", "id": "s"})


async def test_the_state_of_a_checkpoint_is_seen_only_by_name(
    records: RecordStore, backend: Backend, sealer: Sealer
) -> None:
    """A part of another record with the same id is in nobody's way."""
    for kind in ("checkpoint", "write"):
        await put_raw(backend, sealer, kind, "cp")
    loaded = await records.load("cp")
    assert loaded is not None
    assert "checkpoint" == loaded["type"]
    assert (1, ["checkpoint"]) == (
        await records.count(),
        [row["type"] for row in await records.list()],
    )
    assert {"from": "write"} == (await records.load("cp", type="write") or {})["data"]
    assert 1 == await records.count({"type": "write"})


async def test_an_update_merges(records: RecordStore) -> None:
    """Dictionaries merge at any depth, other values replace, None is a value."""
    await records.save(
        {
            "id": "n",
            "type": "note",
            "data": {"a": {"b": {"c": 1, "d": 2}}, "l": [1, 2], "x": 1},
            "metadata": {"k": "v", "w": 1},
            "session_id": "s",
            "thread_id": "t",
            "expires_at": NOON.replace(year=2090),
        }
    )
    assert await records.update(
        "n",
        {
            "data": {"a": {"b": {"c": 9}}, "l": [3], "x": None, "new": {"y": 1}},
            "metadata": {"w": None},
            "session_id": None,
            "expires_at": None,
        },
    )
    loaded = await records.load("n")
    assert loaded is not None
    assert {"a": {"b": {"c": 9, "d": 2}}, "l": [3], "x": None, "new": {"y": 1}} == loaded["data"]
    assert {"k": "v", "w": None} == loaded["metadata"]
    assert (None, "t", None) == (loaded["session_id"], loaded["thread_id"], loaded["expires_at"])
    assert 2 == loaded["version"]
    assert loaded["updated_at"] > loaded["created_at"]


async def test_an_update_reaches_labels(records: RecordStore) -> None:
    """Changed metadata is found by its new value and no longer by the old one."""
    await records.save({"id": "n", "type": "note", "metadata": {"k": "old"}})
    await records.update("n", {"metadata": {"k": "new"}})
    assert (0, 1) == (
        await records.count({"metadata.k": "old"}),
        await records.count({"metadata.k": "new"}),
    )
    await records.update("n", {"metadata": None})
    assert {} == (await records.load("n") or {})["metadata"]


async def test_an_update_of_nothing_says_so(records: RecordStore) -> None:
    """Where there is no record nothing is made."""
    assert not await records.update("n", {"data": {"a": 1}})
    assert not await records.update("n", {"data": {"a": 1}}, type="note")
    assert not await records.delete("n")
    assert not await records.delete("n", type="note")
    assert (None, False, 0) == (
        await records.load("n"),
        await records.exists("n"),
        await records.count(),
    )


@pytest.mark.parametrize("name", ["id", "type", "version", "created_at", "updated_at"])
async def test_an_update_cannot_change_what_a_record_is(records: RecordStore, name: str) -> None:
    """Identity and times of a record are not merged."""
    with pytest.raises(Invalid, match=f"cannot change '{name}'"):
        await records.update("n", {name: "x"})


@pytest.mark.seed("5.2")
async def test_updates_at_the_same_time_all_count(records: RecordStore) -> None:
    """Forty tasks that merge into one record lose nothing, without a lock."""
    await records.save({"id": "n", "type": "note"})
    await asyncio.gather(
        *(records.update("n", {"data": {f"k{n}": n}}, type="note") for n in range(40))
    )
    loaded = await records.load("n")
    assert loaded is not None
    assert {f"k{n}": n for n in range(40)} == loaded["data"]
    assert 41 == loaded["version"]


class Meddling(Layer):
    """Somebody who changes the record before each of our writes, for a number of times."""

    def __init__(self, below: Backend, times: int) -> None:
        super().__init__(below)
        self.times = times

    async def apply(self, batch: Batch) -> Any:  # noqa: ANN401 (what the back end answers)
        """Write the record once more, then go on."""
        if self.times:
            self.times -= 1
            [record] = await self.below.get([Key("here", "note", "n")])
            assert record is not None
            again = Put(key=record.key, body=record.body or b"", seal=record.seal)
            await self.below.apply(Batch((again,)))
        return await self.below.apply(batch)


@pytest.mark.seed("5.2")
@pytest.mark.parametrize("type_", [None, "note"])
async def test_an_update_tries_again_but_not_for_ever(
    backend: Backend,
    sealer: Sealer,
    records: RecordStore,
    type_: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Others may be faster some times; who never wins is told so."""
    monkeypatch.setattr("ropewalk.stores.records.LONGEST_PAUSE", 0.0)
    await records.save({"id": "n", "type": "note", "data": {"a": 1}})
    patient = RecordStore(Meddling(backend, 3), sealer, FrozenClock(), space="here")
    assert await patient.update("n", {"data": {"b": 2}}, type=type_)
    assert {"a": 1, "b": 2} == (await records.load("n") or {})["data"]
    meddling = Meddling(backend, MAX_ATTEMPTS)
    beaten = RecordStore(meddling, sealer, FrozenClock(), space="here")
    with pytest.raises(Conflict, match="somebody changed it"):
        await beaten.update("n", {"data": {"c": 3}}, type=type_)
    assert 0 == meddling.times
    expecting = RecordStore(Meddling(backend, 1), sealer, FrozenClock(), space="here")
    version = (await records.load("n") or {})["version"]
    with pytest.raises(Conflict):
        await expecting.update("n", {"data": {"c": 3}}, type=type_, expected_version=version)


async def test_an_id_of_several_types_needs_its_type(records: RecordStore) -> None:
    """An ambiguous id is refused and names the types; with a type it works."""
    for kind in ("note", "todo", "idea"):
        await records.save({"id": "x", "type": kind, "data": {"of": kind}})
    for attempt in (
        records.load("x"),
        records.exists("x"),
        records.update("x", {"data": {}}),
        records.delete("x"),
        records.load_many(["x"]),
    ):
        with pytest.raises(Invalid, match="idea, note, todo") as caught:
            await attempt
        assert "ambiguous" == caught.value.code
    assert await records.update("x", {"data": {"a": 1}}, type="todo")
    assert await records.delete("x", type="note")
    assert await records.delete("x", type="idea")
    assert {"of": "todo", "a": 1} == (await records.load("x") or {})["data"]
