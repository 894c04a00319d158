"""Checkpoints and writes: exact values, first writes, errors that name the place."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

from .chains import Step, checkpoint, found_at, grow, id_of, ids, snapshot, thread, values_of
from .kinds import KINDS
from .test_values import Keystream

pytestmark = pytest.mark.seed("3.4")


@pytest.fixture
def saver(storage: Storage) -> RopewalkSaver:
    """Return a saver over each back end."""
    return RopewalkSaver(storage)


async def test_writes_may_come_before_their_checkpoint(saver: RopewalkSaver) -> None:
    """They wait for it, and belong to it alone."""
    at = thread("t", id="c2")
    await saver.aput_writes(at, [("ch", "early")], "task")
    assert await saver.aget_tuple(at) is None

    await saver.aput(thread("t"), checkpoint(Step(), id="c1"), {}, {})
    await saver.aput(thread("t", id="c1"), checkpoint(Step(), id="c2"), {}, {})

    assert [("task", "ch", "early")] == (await found_at(saver, at)).pending_writes
    assert [] == (await found_at(saver, thread("t", id="c1"))).pending_writes


async def test_first_writes_stay_and_special_ones_are_replaced(saver: RopewalkSaver) -> None:
    """A task that runs again does not overwrite what it did; its interrupts are the last ones."""
    [at] = await grow(saver, [Step()], parent=thread("t"))

    await saver.aput_writes(at, [("a", 1), ("b", 2)], "task")
    await saver.aput_writes(at, [("a", "again"), ("b", "again"), ("c", 3)], "task")
    await saver.aput_writes(at, [("__interrupt__", "old"), ("__error__", "old")], "task")
    await saver.aput_writes(at, [("__interrupt__", "new")], "task")
    await saver.aput_writes(at, [("__resume__", 1), ("__resume__", 2)], "task")
    await saver.aput_writes(at, [], "task")

    written = {
        channel: value for _, channel, value in (await found_at(saver, at)).pending_writes or []
    }
    assert {
        "a": 1,
        "b": 2,
        "c": 3,
        "__interrupt__": "new",
        "__error__": "old",
        "__resume__": 2,
    } == written


async def test_writes_may_hold_the_same(saver: RopewalkSaver) -> None:
    """What several values have in common is kept once and read from each, in a copy as well."""
    values = [{"k": ["same " * 40] * 20}, {"k": ["same " * 40] * 20, "other": 1}]
    writes = [("a", values[0]), ("b", values[1]), ("c", values[0])]
    [at] = await grow(saver, [Step({"a": values[0]}, writes)], parent=thread("t"))

    await saver.acopy_thread("t", "copy")

    for config in (at, thread("copy")):
        found = await found_at(saver, config)
        assert writes == [(channel, value) for _, channel, value in found.pending_writes or []]


async def test_a_checkpoint_can_be_put_again(saver: RopewalkSaver) -> None:
    """The later one counts, the writes stay, and nothing is there twice."""
    [at] = await grow(saver, [Step({"ch": 1}, [("ch", "w")])], parent=thread("t"))

    await saver.aput(thread("t"), checkpoint(Step({"ch": 2}), id=id_of(at)), {"step": 9}, {})

    found = await found_at(saver, at)
    assert {"ch": 2} == found.checkpoint["channel_values"]
    assert 9 == found.metadata.get("step")
    assert 1 == len(found.pending_writes or [])
    assert [id_of(at)] == await ids(saver, thread("t"))


async def test_what_cannot_be_saved_is_named_by_its_path(saver: RopewalkSaver) -> None:
    """Nothing is saved, and the error says where in the state the trouble lies."""
    bad = {"messages": ["fine", {"deep": [1, object()]}]}

    with pytest.raises(Invalid, match=r"messages\[1\]\.deep\[1\] is a object"):
        await grow(saver, [Step(bad)], parent=thread("t"))
    with pytest.raises(Invalid, match=r"ch\.x is a object"):
        await saver.aput_writes(thread("t", id="c"), [("ok", 1), ("ch", {"x": object()})], "task")

    await saver.aput(thread("t"), checkpoint(Step(), id="c"), {}, {})
    assert [] == (await found_at(saver, thread("t"))).pending_writes
    assert ["c"] == await ids(saver, thread("t"))


async def test_what_names_no_place_is_refused(saver: RopewalkSaver) -> None:
    """A configuration without a thread, or writes without a checkpoint, are the caller's slip."""
    with pytest.raises(Invalid, match="names no thread"):
        await saver.aget_tuple({"configurable": {}})
    with pytest.raises(Invalid, match="names none"):
        await saver.aput_writes(thread("t"), [("ch", 1)], "task")
    with pytest.raises(Invalid, match="max_id_bytes"):
        await saver.aput(thread("t" * 2_000), checkpoint(Step()), {}, {})


@pytest.mark.parametrize("encrypted", [False, True])
async def test_hundreds_of_channels_are_kept(storage: Storage, encrypted: bool) -> None:
    """As exactly as a few, with their history where they are deltas."""
    plain = JsonPlusSerializer()
    serde = EncryptedSerializer(Keystream(), plain) if encrypted else plain
    saver = RopewalkSaver(storage, serde=serde)
    buffer = b"b" if encrypted else bytearray(b"b")  # inside something else it becomes bytes
    values = {**KINDS, "bytearray": buffer, **{f"channel {n}": buffer for n in range(300)}}
    expected = {name: plain.loads_typed(plain.dumps_typed(values[name])) for name in values}
    steps = [Step({**values, "ch": snapshot(["s"])}), Step(values, [("ch", "w")]), Step(values)]

    chain = await grow(saver, steps, parent=thread("t"))
    await saver.aprune(["t"])

    assert repr(expected) == repr((await found_at(saver, chain[-1])).checkpoint["channel_values"])
    assert ["s", "w"] == await values_of(saver, chain[-1], "ch")


async def test_values_of_every_kind_come_back(saver: RopewalkSaver) -> None:
    """Channels and writes are given back as LangGraph's own serializer would."""
    serde = JsonPlusSerializer()
    expected = {kind: serde.loads_typed(serde.dumps_typed(KINDS[kind])) for kind in KINDS}

    [config] = await grow(saver, [Step(KINDS, list(KINDS.items()))], parent=thread("t"))
    found = await found_at(saver, config)

    written = {channel: value for _, channel, value in found.pending_writes or []}
    assert repr(expected) == repr(found.checkpoint["channel_values"])
    assert repr(expected) == repr(written)


async def test_writes_of_other_threads_hide_none(saver: RopewalkSaver) -> None:
    """Each checkpoint of a list has its own writes, however many others have between them."""
    for id_ in "1234":
        for name, count in (("t", 2), ("u", 60)):
            await saver.aput(thread(name), checkpoint(Step(), id=id_), {}, {})
            writes = [("ch", f"{name}{id_}{number}") for number in range(count)]
            await saver.aput_writes(thread(name, id=id_), writes, "task")

    found = [found async for found in saver.alist(thread("t"))]

    expected = [[f"t{id_}0", f"t{id_}1"] for id_ in "4321"]
    assert expected == [[value for _, _, value in each.pending_writes or []] for each in found]
