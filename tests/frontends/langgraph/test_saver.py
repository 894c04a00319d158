"""The saver's own promises: any thread, any loop, any caller; exact values; clear errors."""

from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import ropewalk
from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkSaver, opened
from ropewalk.services.storage import Storage

from .chains import Step, checkpoint, grow, id_of, ids, named, snapshot, thread, values_of
from .graphs import fan, started, steps
from .kinds import KINDS, Order
from .test_values import Keystream

pytestmark = pytest.mark.seed("3.4")


@pytest.fixture
def saver(storage: Storage) -> RopewalkSaver:
    """Return a saver over each back end."""
    return RopewalkSaver(storage)


async def _get(saver: BaseCheckpointSaver[str], config: RunnableConfig) -> CheckpointTuple:
    found = await saver.aget_tuple(config)
    assert found is not None
    return found


async def test_values_of_every_kind_come_back(saver: RopewalkSaver) -> None:
    """Channels and writes are given back as LangGraph's own serializer would."""
    serde = JsonPlusSerializer()
    expected = {kind: serde.loads_typed(serde.dumps_typed(KINDS[kind])) for kind in KINDS}

    [config] = await grow(saver, [Step(KINDS, list(KINDS.items()))], parent=thread("t"))
    found = await _get(saver, config)

    written = {channel: value for _, channel, value in found.pending_writes or []}
    assert repr(expected) == repr(found.checkpoint["channel_values"])
    assert repr(expected) == repr(written)


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

    assert repr(expected) == repr((await _get(saver, chain[-1])).checkpoint["channel_values"])
    assert ["s", "w"] == await values_of(saver, chain[-1], "ch")


async def test_a_checkpoint_is_a_checkpoint_of_the_house(storage: Storage) -> None:
    """Its thread, its time and LangGraph's metadata are seen by every other part of the store."""
    saver = RopewalkSaver(storage)
    new = {**checkpoint(Step({"messages": ["a"]})), "ts": "2026-11-22T01:02:03.5+01:00"}

    await saver.aput(thread("t"), new, {"source": "input", "step": -1, "run_id": "r"}, {})  # type: ignore[arg-type]

    page = await storage.checkpoints.list("t")
    [header] = page.items
    assert "t" == (await storage.threads.get("t")).id
    assert "r" == header.metadata["run_id"]
    assert datetime(2026, 11, 22, 0, 2, 3, 500_000, tzinfo=UTC) == header.created_at
    assert str(new["id"]) == header.id.split("+")[0]


@pytest.mark.parametrize("given", [7, UUID(int=7), "seven"])
async def test_a_thread_is_called_as_the_caller_calls_it(saver: RopewalkSaver, given: Any) -> None:  # noqa: ANN401
    """A number or a UUID comes back as such to who gave it, and as text to who did not."""
    config: RunnableConfig = {"configurable": {"thread_id": given}}

    stored = await saver.aput(config, checkpoint(Step(), id="c"), {}, {})
    child = await saver.aput(stored, checkpoint(Step(), id="d"), {}, {})
    found = await _get(saver, config)
    [newest, _] = [each async for each in saver.alist(config)]
    [anyone, _] = [each async for each in saver.alist(None)]

    assert child == found.config == newest.config
    assert stored == found.parent_config
    assert given == named(child)["thread_id"]
    assert str(given) == named(anyone.config)["thread_id"]


async def test_writes_may_come_before_their_checkpoint(saver: RopewalkSaver) -> None:
    """They wait for it, and belong to it alone."""
    at = thread("t", id="c2")
    await saver.aput_writes(at, [("ch", "early")], "task")
    assert await saver.aget_tuple(at) is None

    await saver.aput(thread("t"), checkpoint(Step(), id="c1"), {}, {})
    await saver.aput(thread("t", id="c1"), checkpoint(Step(), id="c2"), {}, {})

    assert [("task", "ch", "early")] == (await _get(saver, at)).pending_writes
    assert [] == (await _get(saver, thread("t", id="c1"))).pending_writes


async def test_first_writes_stay_and_special_ones_are_replaced(saver: RopewalkSaver) -> None:
    """A task that runs again does not overwrite what it did; its interrupts are the last ones."""
    [at] = await grow(saver, [Step()], parent=thread("t"))

    await saver.aput_writes(at, [("a", 1), ("b", 2)], "task")
    await saver.aput_writes(at, [("a", "again"), ("b", "again"), ("c", 3)], "task")
    await saver.aput_writes(at, [("__interrupt__", "old"), ("__error__", "old")], "task")
    await saver.aput_writes(at, [("__interrupt__", "new")], "task")
    await saver.aput_writes(at, [("__resume__", 1), ("__resume__", 2)], "task")
    await saver.aput_writes(at, [], "task")

    written = {channel: value for _, channel, value in (await _get(saver, at)).pending_writes or []}
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
        found = await _get(saver, config)
        assert writes == [(channel, value) for _, channel, value in found.pending_writes or []]


async def test_a_checkpoint_can_be_put_again(saver: RopewalkSaver) -> None:
    """The later one counts, the writes stay, and nothing is there twice."""
    [at] = await grow(saver, [Step({"ch": 1}, [("ch", "w")])], parent=thread("t"))

    await saver.aput(thread("t"), checkpoint(Step({"ch": 2}), id=id_of(at)), {"step": 9}, {})

    found = await _get(saver, at)
    assert {"ch": 2} == found.checkpoint["channel_values"]
    assert 9 == found.metadata.get("step")
    assert 1 == len(found.pending_writes or [])
    assert [id_of(at)] == await ids(saver, thread("t"))


async def test_lists_go_through_all_threads_in_the_order_of_ids(saver: RopewalkSaver) -> None:
    """Without a thread, ids alone decide; copies of a thread stand side by side."""
    for number in range(1, 31):
        config = thread(f"t{number % 3}", "child" if number % 2 else "")
        await saver.aput(config, checkpoint(Step(), id=f"{number}"), {"step": number}, {})
    await saver.acopy_thread("t0", "copy")

    everything = await _listed(saver, None)
    below = await _listed(saver, None, before=thread("any", id="28"))
    one = await _listed(saver, thread("t1", "child", "19"))
    anywhere = await _listed(saver, {"configurable": {"thread_id": "t0", "checkpoint_id": "3"}})

    numbers = sorted([*range(1, 31), *range(3, 31, 3)], key=str, reverse=True)
    assert [str(number) for number in numbers] == everything
    assert [str(number) for number in numbers if str(number) < "28"] == below
    assert (["19"], ["3"]) == (one, anywhere)
    assert ["9", "8"] == (await _listed(saver, None, filter={"step": 9}, limit=1)) + ["8"]
    assert [] == await _listed(saver, None, limit=0)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"größe": "ü"}, ["2"]),
        ({"user": {"id": 7}}, ["3", "2"]),
        ({"user.id": 7, "user.name": "n"}, ["3"]),
        ({"odd": None}, ["3", "2"]),
        ({"odd": {1, 2}}, ["1"]),
        ({"a.b": "dot"}, ["3"]),
        ({"x' OR 1=1 --": "y"}, []),
        ({"parents": {}}, ["3", "2", "1"]),
    ],
)
async def test_lists_can_be_filtered(
    saver: RopewalkSaver, wanted: dict[str, Any], expected: list[str]
) -> None:
    """By nested values, by names in any script, by values that no header can hold."""
    metadata: list[dict[str, Any]] = [
        {"odd": {1, 2}, "parents": {}},
        {"größe": "ü", "user": {"id": 7}, "parents": {}},
        {"user": {"id": 7, "name": "n"}, "a.b": "dot", "parents": {}},
    ]
    for number, each in enumerate(metadata, 1):
        await saver.aput(thread("t"), checkpoint(Step(), id=str(number)), each, {})  # type: ignore[arg-type]

    assert expected == await _listed(saver, thread("t"), filter=wanted)


async def test_a_wrong_filter_is_refused(saver: RopewalkSaver) -> None:
    """Before anything is read."""
    with pytest.raises(Invalid, match="filter"):
        await _listed(saver, None, filter=[("source", "loop")])


async def test_iterators_may_be_left_in_the_middle(saver: RopewalkSaver) -> None:
    """Whoever stops looking holds nothing up: others write meanwhile, from this loop or not."""
    await grow(saver, [Step({"n": n}) for n in range(20)], parent=thread("t"))

    left = saver.list(thread("t"))
    next(left)
    waiting = saver.alist(thread("t"))
    await anext(waiting)
    [new] = await grow(saver, [Step()], parent=thread("t"))
    assert id_of(new) == id_of((await _get(saver, thread("t"))).config)
    await saver.adelete_thread("t")

    assert len([each for each in left]) < 20  # noqa: C416 (it has begun)
    assert len([each async for each in waiting]) < 20
    assert [] == await ids(saver, thread("t"))


def test_a_program_may_end_in_the_middle_of_a_list() -> None:
    """An iterator that is still there when a program ends does not keep it from ending."""
    program = """
        from langgraph.checkpoint.base import empty_checkpoint
        from ropewalk.frontends.langgraph import RopewalkSaver, opened

        with opened("memory://") as storage:
            saver = RopewalkSaver(storage)
            for _ in range(3):
                config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
                saver.put(config, empty_checkpoint(), {}, {})
            left = saver.list(None)
            print(len(next(left).config))
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert ("1\n", "", 0) == (done.stdout, done.stderr, done.returncode)


async def test_synchronous_calls_work_inside_a_running_loop(saver: RopewalkSaver) -> None:
    """Every synchronous method can be called from asynchronous code, on its very thread."""
    config = started(saver, "t")
    [first, *_] = saver.list(config, limit=1)
    graph = steps(saver)
    saver.put_writes(first.config, [("bar", ["w"])], "task")
    history = saver.get_delta_channel_history(config=first.config, channels=["bar"])
    saver.copy_thread("t", "copy")
    saver.prune(["t"])
    saver.delete_for_runs(["none"])

    assert {"foo": "b", "bar": ["a", "b"]} == graph.get_state(config).values
    assert {"foo": "b", "bar": ["a", "b"]} == (await graph.aget_state(config)).values
    assert "seed" in history["bar"]
    assert 1 == len(list(saver.list(config)))
    assert 4 == len(list(saver.list(thread("copy"))))
    saver.delete_thread("copy")
    assert saver.get_tuple(thread("copy")) is None
    assert saver.get(config) is not None


def test_a_program_without_a_loop_is_served(url: str) -> None:
    """Opened for a synchronous program, the store serves graphs in many threads."""
    with opened(url) as storage:
        saver = RopewalkSaver(storage)
        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(partial(_ran, saver), map(str, range(12))))

        assert [{"foo": "b", "bar": ["a", "b"]}] * 12 == results
        assert 48 == len(list(saver.list(None)))


async def test_loops_and_threads_meet_on_one_store(saver: RopewalkSaver) -> None:
    """Asynchronous graphs on this loop, others on other loops, synchronous ones: all at once."""

    async def awaited(name: str) -> Any:  # noqa: ANN401 (a state)
        return await steps(saver).ainvoke({"foo": "", "bar": []}, thread(name))

    def on_another_loop(name: str) -> Any:  # noqa: ANN401 (a state)
        return asyncio.run(awaited(name))

    results = await asyncio.gather(
        *(awaited(f"a{n}") for n in range(4)),
        *(asyncio.to_thread(_ran, saver, f"s{n}") for n in range(4)),
        *(asyncio.to_thread(on_another_loop, f"l{n}") for n in range(4)),
    )

    assert [{"foo": "b", "bar": ["a", "b"]}] * 12 == results


async def test_two_graphs_may_run_on_one_thread(saver: RopewalkSaver) -> None:
    """Each goes its own way from where it began, and neither loses a checkpoint."""
    subjects = {"subjects": ["x", "y"], "found": []}

    results = await asyncio.gather(*(fan(saver).ainvoke(subjects, thread("t")) for _ in range(5)))

    assert all("about x" in result["found"] for result in results)
    found = [each async for each in saver.alist(thread("t"))]
    known = {id_of(each.config) for each in found}
    assert 5 * 4 == len(known)
    assert all(each.parent_config is None or id_of(each.parent_config) in known for each in found)


async def test_copies_of_a_saver_are_savers(saver: RopewalkSaver) -> None:
    """LangGraph copies a saver to give it another serializer; both go on working."""
    twin = copy.copy(saver)
    twin.serde = JsonPlusSerializer(allowed_msgpack_modules=[])
    allowing = twin.with_allowlist([(Order.__module__, "Order")])
    step = Step({"order": Order(name="n")})

    [config] = await grow(saver, [step], parent=thread("t"))

    plain: dict[str, Any] = {"name": "n", "amount": 0.5, "tags": []}
    values = [
        (await _get(each, config)).checkpoint["channel_values"]["order"]
        for each in (saver, twin, allowing)
    ]
    assert [Order(name="n"), plain, Order(name="n")] == values
    assert saver.with_allowlist([]) is saver


async def test_encrypted_values_cannot_be_seen_in_the_file(tmp_path: Path) -> None:
    """Channels, writes and what LangGraph notes of them are hidden, and come back with the key."""
    serde = EncryptedSerializer(Keystream(), JsonPlusSerializer())
    path = tmp_path / "store.db"
    async with ropewalk.open(f"sqlite:///{path}") as storage:
        saver = RopewalkSaver(storage, serde=serde)
        step = Step({"secret": ["hush-hush"] * 99}, [("secret", "pssst-pssst")])
        [config] = await grow(saver, [step], parent=thread("t"))
        found = await _get(saver, config)
        with pytest.raises(Invalid, match="serializer that wrote it"):
            await RopewalkSaver(storage).aget_tuple(config)

    assert ["hush-hush"] * 99 == found.checkpoint["channel_values"]["secret"]
    assert ["pssst-pssst"] == [value for _, _, value in found.pending_writes or []]
    stored = path.read_bytes()
    assert b"hush" not in stored
    assert b"pssst" not in stored


async def test_what_cannot_be_saved_is_named_by_its_path(saver: RopewalkSaver) -> None:
    """Nothing is saved, and the error says where in the state the trouble lies."""
    bad = {"messages": ["fine", {"deep": [1, object()]}]}

    with pytest.raises(Invalid, match=r"messages\[1\]\.deep\[1\] is a object"):
        await grow(saver, [Step(bad)], parent=thread("t"))
    with pytest.raises(Invalid, match=r"ch\.x is a object"):
        await saver.aput_writes(thread("t", id="c"), [("ok", 1), ("ch", {"x": object()})], "task")

    await saver.aput(thread("t"), checkpoint(Step(), id="c"), {}, {})
    assert [] == (await _get(saver, thread("t"))).pending_writes
    assert ["c"] == await ids(saver, thread("t"))


async def test_what_names_no_place_is_refused(saver: RopewalkSaver) -> None:
    """A configuration without a thread, or writes without a checkpoint, are the caller's slip."""
    with pytest.raises(Invalid, match="names no thread"):
        await saver.aget_tuple({"configurable": {}})
    with pytest.raises(Invalid, match="names none"):
        await saver.aput_writes(thread("t"), [("ch", 1)], "task")
    with pytest.raises(Invalid, match="max_id_bytes"):
        await saver.aput(thread("t" * 2_000), checkpoint(Step()), {}, {})


async def test_big_snapshots_share_what_they_have_in_common(storage: Storage) -> None:
    """A snapshot of a delta channel that grew by one item costs about that item."""
    saver = RopewalkSaver(storage)
    items = [f"item {number} " * 20 for number in range(400)]
    [first] = await grow(saver, [Step({"ch": snapshot(items)})], parent=thread("t"))

    [second] = await grow(saver, [Step({"ch": snapshot([*items, "new"])})], parent=first)

    page = await storage.checkpoints.list("t")
    assert page.items[0].size < page.items[1].size / 10
    assert (
        snapshot([*items, "new"]) == (await _get(saver, second)).checkpoint["channel_values"]["ch"]
    )


def test_versions_grow_and_are_never_the_same() -> None:
    """Two branches that go on from one version get different ones, greater than it."""
    saver = RopewalkSaver.__new__(RopewalkSaver)
    first = saver.get_next_version(None, None)

    left, right = (saver.get_next_version(first, None) for _ in range(2))

    assert first < left != right > first
    assert f"{1:032}." == first[:33]
    assert f"{10:032}." == saver.get_next_version(9, None)[:33]  # type: ignore[arg-type]


async def _listed(
    saver: RopewalkSaver,
    config: RunnableConfig | None,
    **options: Any,  # noqa: ANN401
) -> list[str]:
    return [id_of(found.config) async for found in saver.alist(config, **options)]


def _ran(saver: RopewalkSaver, name: str) -> Any:  # noqa: ANN401 (a state)
    return steps(saver).invoke({"foo": "", "bar": []}, thread(name))
