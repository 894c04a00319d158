"""Threads pruned, copied and cleared of runs; a delta channel never loses what it is made of."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

from .chains import Step, checkpoint, grow, id_of, ids, named, snapshot, thread, values_of
from .graphs import chat
from .kinds import KINDS, Order

pytestmark = pytest.mark.seed("3.4")

PLAIN: dict[str, Any] = {"version": 4, "versions": ("__start__", "branch:to:node", "ch")}


@pytest.fixture
def saver(storage: Storage) -> RopewalkSaver:
    """Return a saver over each back end."""
    return RopewalkSaver(storage)


async def test_pruning_keeps_the_newest_of_each_namespace(saver: RopewalkSaver) -> None:
    """The newest checkpoint stays with its writes, everything else goes, other threads stay."""
    root = await grow(saver, [Step(), Step(), Step(writes=[("ch", 1)])], parent=thread("t"))
    child = await grow(saver, [Step(), Step()], parent=thread("t", "child:1"))
    other = await grow(saver, [Step(), Step()], parent=thread("other"))

    await saver.aprune(["t", "absent", "t"], strategy="keep_latest")

    assert [id_of(root[-1])] == await ids(saver, thread("t"))
    assert [id_of(child[-1])] == await ids(saver, thread("t", "child:1"))
    assert 2 == len(await ids(saver, other[0] | thread("other")))
    newest = await saver.aget_tuple(thread("t"))
    assert newest is not None
    assert [("ch", 1)] == [(c, v) for _, c, v in newest.pending_writes or []]


async def test_pruning_can_delete_all(saver: RopewalkSaver) -> None:
    """The other strategy leaves nothing of a thread, not even writes without a checkpoint."""
    await grow(saver, [Step(), Step(writes=[("ch", 1)])], parent=thread("t"))
    late = thread("t", id="1f0")
    await saver.aput_writes(late, [("ch", "early")], "task")

    await saver.aprune(["t"], strategy="delete")
    await saver.aput(thread("t"), checkpoint(Step(), id="1f0"), {}, {})

    assert ["1f0"] == await ids(saver, thread("t"))
    found = await saver.aget_tuple(late)
    assert found is not None
    assert [] == found.pending_writes


async def test_another_strategy_is_refused(saver: RopewalkSaver) -> None:
    """And nothing is deleted."""
    await grow(saver, [Step(), Step()], parent=thread("t"))

    with pytest.raises(Invalid, match="keep_latest"):
        await saver.aprune(["t"], strategy="keep_all")

    assert 2 == len(await ids(saver, thread("t")))


DELTA = [
    Step({"ch": snapshot(["old"])}, [("ch", "hidden")]),
    Step({"ch": snapshot(["seed"])}, [("ch", "a")]),
    Step(writes=[("ch", "b")]),
    Step(writes=[("other", "o")]),
    Step(writes=[("ch", "pending")]),
]


@pytest.mark.parametrize("version", [1, 4])
async def test_pruning_keeps_what_a_delta_channel_is_made_of(
    saver: RopewalkSaver, version: int
) -> None:
    """Ancestors down to the nearest stored value stay, and nothing that is older."""
    named = ("ch", "other") if version == 4 else ()
    steps = [Step(s.values, s.writes, version=version, versions=named) for s in DELTA]
    chain = await grow(saver, steps, parent=thread("t"))

    await saver.aprune(["t"])

    assert ["seed", "a", "b"] == await values_of(saver, thread("t"), "ch")
    assert [id_of(config) for config in reversed(chain[1:])] == await ids(saver, thread("t"))


async def test_a_seed_without_writes_behind_it_is_kept(saver: RopewalkSaver) -> None:
    """A snapshot is all that a channel has which nobody wrote to since."""
    steps = [Step({"ch": snapshot(["only"])}), Step(), Step()]
    await grow(saver, steps, parent=thread("t"))

    await saver.aprune(["t"])

    assert ["only"] == await values_of(saver, thread("t"), "ch")


async def test_a_plain_seed_is_kept_where_the_metadata_count_on_it(saver: RopewalkSaver) -> None:
    """A channel that was plain before is known as a delta by LangGraph's own counters."""
    counters = {"counters_since_delta_snapshot": {"ch": (0, 2)}}
    steps = [Step({"ch": ["plain"]}), Step(), Step(version=4, versions=["ch"], metadata=counters)]
    await grow(saver, steps, parent=thread("t"))

    await saver.aprune(["t"])

    assert ["plain"] == await values_of(saver, thread("t"), "ch")


async def test_a_chain_without_a_seed_is_kept_whole(saver: RopewalkSaver) -> None:
    """Where nothing was ever stored, the value is made of all that was written."""
    steps = [Step(), *(Step(writes=[("ch", n)]) for n in range(5)), Step()]
    chain = await grow(saver, steps, parent=thread("t"))

    await saver.aprune(["t"])

    assert [0, 1, 2, 3, 4] == await values_of(saver, thread("t"), "ch")
    assert [id_of(config) for config in reversed(chain[1:])] == await ids(saver, thread("t"))


async def test_channels_that_pass_keep_nothing(saver: RopewalkSaver) -> None:
    """LangGraph's own channels are written at every step and are no reason to keep one."""
    writes = [("branch:to:node", None), ("ch", 1), ("__pregel_tasks", "send")]
    first = Step({"__start__": {}, "ch": 0}, writes, **PLAIN)
    steps = [first, *(Step({"ch": 1}, writes, **PLAIN) for _ in range(3))]
    chain = await grow(saver, steps, parent=thread("t"))

    await saver.aprune(["t"])

    assert [id_of(chain[-1])] == await ids(saver, thread("t"))


async def test_the_checkpoints_of_runs_are_deleted(saver: RopewalkSaver) -> None:
    """In every thread and namespace, with what was written; those of other runs stay."""
    at_a = await grow(saver, [Step(run="a", writes=[("ch", 1)])], parent=thread("t"))
    await grow(saver, [Step({"ch": 1}, run="b")], parent=at_a[0])
    await grow(saver, [Step(run="a"), Step(run="c")], parent=thread("u", "child:1"))

    await saver.adelete_for_runs(["a", "c", "absent"])
    await saver.adelete_for_runs([])

    left = [found async for found in saver.alist(None)]
    assert [("t", "b")] == [
        (named(found.config)["thread_id"], found.metadata.get("run_id")) for found in left
    ]
    assert await saver.aget_tuple(at_a[0]) is None


async def test_a_run_that_others_are_made_of_is_kept(saver: RopewalkSaver) -> None:
    """What a later run's delta channel needs stays; what nobody needs goes."""
    runs = [Step(s.values, s.writes, run="a") for s in DELTA[:3]]
    chain = await grow(saver, [*runs, Step(run="b"), Step(run="b")], parent=thread("t"))

    await saver.adelete_for_runs(["a"])

    assert ["seed", "a", "b"] == await values_of(saver, thread("t"), "ch")
    assert [id_of(config) for config in reversed(chain[1:])] == await ids(saver, thread("t"))


async def test_the_last_run_of_a_delta_thread_can_go(saver: RopewalkSaver) -> None:
    """Nobody behind it needs it, and the state before it is as it was."""
    runs = [Step(s.values, s.writes, run="a") for s in DELTA[:3]]
    chain = await grow(saver, [*runs, Step(run="b"), Step(run="b")], parent=thread("t"))

    await saver.adelete_for_runs(["b"])

    assert ["seed", "a"] == await values_of(saver, chain[2], "ch")
    assert [id_of(config) for config in reversed(chain[:3])] == await ids(saver, thread("t"))


async def test_a_copy_has_everything_under_the_same_ids(saver: RopewalkSaver) -> None:
    """Namespaces, parents, values, metadata and writes come along; the source stays."""
    await grow(saver, [Step(s.values, s.writes) for s in DELTA], parent=thread("t"))
    await grow(
        saver, [Step({"ch": 1}, metadata={"odd": {1}})], parent=thread("t", "child:1|leaf:2")
    )
    before = [found async for found in saver.alist({"configurable": {"thread_id": "t"}})]

    await saver.acopy_thread("t", "copy")
    await saver.acopy_thread("t", "t")
    await saver.acopy_thread("absent", "nothing")

    copied = [found async for found in saver.alist({"configurable": {"thread_id": "copy"}})]
    after = [found async for found in saver.alist({"configurable": {"thread_id": "t"}})]
    assert before == after
    assert before == [_renamed(found, "t") for found in copied]
    assert {"copy"} == {named(found.config)["thread_id"] for found in copied}
    assert ["seed", "a", "b"] == await values_of(saver, thread("copy"), "ch")
    assert [] == [found async for found in saver.alist(thread("nothing"))]


async def test_a_copy_lives_on_its_own(saver: RopewalkSaver) -> None:
    """Deleting the source, or writing to it, changes nothing in the copy."""
    chain = await grow(saver, [Step(s.values, s.writes) for s in DELTA], parent=thread("t"))

    await saver.acopy_thread("t", "copy")
    await grow(saver, [Step(writes=[("ch", "later")]), Step()], parent=chain[-1])
    await saver.adelete_thread("t")

    assert [] == await ids(saver, thread("t"))
    assert ["seed", "a", "b"] == await values_of(saver, thread("copy"), "ch")


async def test_a_copy_is_exact_where_values_cannot_be_read(storage: Storage) -> None:
    """A saver that may not rebuild a type copies what is stored, not what it would read."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    strict = RopewalkSaver(storage, serde=JsonPlusSerializer(allowed_msgpack_modules=[]))
    free = RopewalkSaver(storage)
    kinds = {kind.replace(" ", "-"): value for kind, value in KINDS.items()}
    step = Step({**kinds, "order": Order(name="n")}, [("order", Order(name="written"))])
    await grow(free, [step], parent=thread("t"))

    await strict.acopy_thread("t", "copy")

    found, source = [await free.aget_tuple(thread(name)) for name in ("copy", "t")]
    assert found is not None
    assert source is not None
    assert repr(source.checkpoint) == repr(found.checkpoint)
    assert Order(name="n") == found.checkpoint["channel_values"]["order"]
    assert [Order(name="written")] == [value for _, _, value in found.pending_writes or []]


async def test_what_is_kept_survives_the_collector(storage: Storage) -> None:
    """Pruned, cleared of runs and collected, what stays reads as before, its writes as well."""
    saver = RopewalkSaver(storage)
    big = [f"message {number} " * 30 for number in range(40)]
    steps = [
        Step(
            {**step.values, "big": big[: 20 + place]}, [*step.writes, ("big", big)], run=f"r{place}"
        )
        for place, step in enumerate(DELTA)
    ]
    await grow(saver, steps, parent=thread("t"))
    await saver.acopy_thread("t", "pruned")
    await saver.acopy_thread("t", "gone")
    whole = [found async for found in saver.alist(thread("t"))]

    await saver.aprune(["pruned"])
    await saver.adelete_thread("gone")
    await storage.checkpoints.collect()
    await storage.checkpoints.collect()

    assert whole == [found async for found in saver.alist(thread("t"))]
    kept = [_renamed(found, "t") async for found in saver.alist(thread("pruned"))]
    assert whole[:4] == kept
    assert ["seed", "a", "b"] == await values_of(saver, thread("pruned"), "ch")


async def test_graphs_go_on_while_others_clear_up(storage: Storage) -> None:
    """Conversations lose nothing to pruning and collecting beside them."""
    saver = RopewalkSaver(storage)
    graph = chat(saver)

    async def talk(name: str) -> list[str]:
        result: dict[str, list[BaseMessage]] = {}
        for number in range(8):
            said = HumanMessage(f"{name} {number} " * 20)
            result = await graph.ainvoke({"messages": [said]}, thread(name))
        return [str(message.content) for message in result["messages"]]

    async def clear_up(talks: asyncio.Future[list[list[str]]]) -> int:
        rounds = 0
        while not talks.done():
            await saver.aprune(["a", "b", "c"])
            await storage.checkpoints.collect()
            rounds += 1
            await asyncio.sleep(0)
        return rounds

    talks = asyncio.gather(*map(talk, "abc"))
    rounds, said = await asyncio.gather(clear_up(talks), talks)

    assert rounds > 0
    for name, texts in zip("abc", said, strict=True):
        heard = [f"{name} {number} " * 20 for number in range(8)]
        assert heard == texts[::2]
        state = await graph.aget_state(thread(name))
        messages: list[BaseMessage] = state.values["messages"]
        assert texts == [str(message.content) for message in messages]


def _renamed(found: Any, name: str) -> Any:  # noqa: ANN401 (a tuple of LangGraph)
    def as_named(config: RunnableConfig | None) -> RunnableConfig | None:
        if config is None:
            return None
        return {"configurable": {**named(config), "thread_id": name}}

    return found._replace(
        config=as_named(found.config), parent_config=as_named(found.parent_config)
    )
