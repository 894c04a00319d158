"""The history of delta channels, as LangGraph asks for it to rebuild their values."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.memory import InMemorySaver

from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

from .chains import Step, checkpoint, grow, id_of, snapshot, thread, values_of

pytestmark = pytest.mark.seed("3.4")

FIRST_BY_NAME = "00000000-0000-0000-0000-000000000000"
LAST_BY_NAME = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@pytest.fixture
def saver(storage: Storage) -> RopewalkSaver:
    """Return a saver over each back end."""
    return RopewalkSaver(storage)


async def test_writes_come_oldest_first_behind_their_seed(saver: RopewalkSaver) -> None:
    """The seed is the nearest stored value, and the writes are those since, in their order."""
    steps = [
        Step({"ch": snapshot(["s0"])}),
        Step(writes=[("ch", "w1")]),
        Step(writes=[("ch", "w2"), ("other", "o"), ("ch", "w2b")]),
        Step(writes=[("ch", "w3")]),
        Step(writes=[("ch", "pending")]),
    ]

    chain = await grow(saver, steps, parent=thread("t"))
    found = await saver.aget_delta_channel_history(config=chain[-1], channels=["ch"])

    assert snapshot(["s0"]) == found["ch"].get("seed")
    assert ["w1", "w2", "w2b", "w3"] == [value for _, _, value in found["ch"]["writes"]]
    assert {"ch"} == {channel for _, channel, _ in found["ch"]["writes"]}


async def test_the_nearest_value_is_the_seed(saver: RopewalkSaver) -> None:
    """A newer snapshot hides an older one and what was written before it."""
    steps = [
        Step({"ch": snapshot(["old"])}, [("ch", "hidden")]),
        Step(writes=[("ch", "hidden too")]),
        Step({"ch": snapshot(["new"])}),
        Step(writes=[("ch", "seen")]),
        Step(),
    ]

    chain = await grow(saver, steps, parent=thread("t"))

    assert ["new", "seen"] == await values_of(saver, chain[-1], "ch")
    assert ["old", "hidden", "hidden too"] == await values_of(saver, chain[2], "ch")


async def test_the_targets_own_value_and_writes_do_not_count(saver: RopewalkSaver) -> None:
    """What is written at a checkpoint makes its child; its own value is not what led to it."""
    steps = [Step(writes=[("ch", "a")]), Step({"ch": snapshot(["own"])}, [("ch", "pending")])]

    chain = await grow(saver, steps, parent=thread("t"))

    assert ["a"] == await values_of(saver, chain[-1], "ch")


async def test_what_was_written_at_the_seed_counts(saver: RopewalkSaver) -> None:
    """A plain value from before the channel was a delta is a seed; its own writes follow it."""
    steps = [
        Step({"ch": [10]}, [("ch", "hidden")]),
        Step({"ch": [10, 20]}, [("ch", "at the seed")]),
        Step(writes=[("ch", "behind it")]),
        Step(writes=[("ch", "pending")]),
    ]

    chain = await grow(saver, steps, parent=thread("t"))

    assert [10, 20, "at the seed", "behind it"] == await values_of(saver, chain[-1], "ch")


async def test_each_channel_ends_at_its_own_seed(saver: RopewalkSaver) -> None:
    """Channels are gathered in one walk, and each stops where it finds a value."""
    steps = [
        Step(writes=[("a", 0), ("b", 0)]),
        Step({"a": snapshot([])}, [("a", 1), ("b", 1)]),
        Step(writes=[("a", 2), ("b", 2)]),
        Step({"b": snapshot([])}, [("a", 3), ("b", 3)]),
        Step(writes=[("a", 4), ("b", 4)]),
    ]

    chain = await grow(saver, steps, parent=thread("t"))

    assert [1, 2, 3] == await values_of(saver, chain[-1], "a")
    assert [3] == await values_of(saver, chain[-1], "b")


async def test_without_a_stored_value_there_is_no_seed(saver: RopewalkSaver) -> None:
    """The walk ends at the first checkpoint, or where there is none at all."""
    chain = await grow(saver, [Step(writes=[("ch", n)]) for n in range(4)], parent=thread("t"))

    found = await saver.aget_delta_channel_history(config=chain[-1], channels=["ch", "no"])
    nowhere = await saver.aget_delta_channel_history(config=thread("none"), channels=["ch"])

    assert ([0, 1, 2], False) == ([v for _, _, v in found["ch"]["writes"]], "seed" in found["ch"])
    assert {"writes": []} == found["no"] == nowhere["ch"]
    assert {} == await saver.aget_delta_channel_history(config=chain[-1], channels=[])


async def test_parallel_tasks_keep_the_order_of_their_paths(saver: RopewalkSaver) -> None:
    """Tasks count in the order in which they ran, and writes without a path before all."""
    chain = await grow(saver, [Step(), Step()], parent=thread("t"))
    at = chain[0]
    await saver.aput_writes(at, [("ch", "third")], FIRST_BY_NAME, "~pull, 02")
    await saver.aput_writes(at, [("ch", "second"), ("ch", "second b")], LAST_BY_NAME, "~pull, 01")
    await saver.aput_writes(at, [("ch", "first")], LAST_BY_NAME[:-1])

    assert ["first", "second", "second b", "third"] == await values_of(saver, chain[-1], "ch")


async def test_a_branch_follows_its_own_ancestors(saver: RopewalkSaver) -> None:
    """What an abandoned branch wrote belongs to nobody else, whatever the ids are."""
    chain = await grow(saver, [Step(writes=[("ch", n)]) for n in range(3)], parent=thread("t"))
    fork = await grow(
        saver, [Step(writes=[("ch", "x")]), Step(writes=[("ch", "y")])], parent=chain[0]
    )

    assert [0, "x"] == await values_of(saver, fork[-1], "ch")
    assert [0, 1] == await values_of(saver, chain[-1], "ch")


async def test_parents_may_have_greater_ids(saver: RopewalkSaver) -> None:
    """Ids of several processes need not rise: only the parent tells who comes first."""
    parent = thread("t")
    for id_ in ("9", "5", "7", "1"):
        parent = await saver.aput(parent, checkpoint(Step(), id=id_), {}, {})
        await saver.aput_writes(parent, [("ch", id_)], "task")

    assert ["9", "5", "7"] == await values_of(saver, parent, "ch")


async def test_a_circle_of_parents_ends(saver: RopewalkSaver) -> None:
    """A checkpoint put again below its own child makes a circle, which is walked once."""
    first, second = await grow(
        saver, [Step(writes=[("ch", n)]) for n in range(2)], parent=thread("t")
    )
    again = {**empty_checkpoint(), "id": id_of(first)}
    await saver.aput(second, again, {}, {})  # type: ignore[arg-type]

    assert [0] == await values_of(saver, second, "ch")


async def test_the_newest_is_meant_where_none_is_named(saver: RopewalkSaver) -> None:
    """A configuration without a checkpoint asks for the newest; namespaces stay apart."""
    await grow(saver, [Step(writes=[("ch", "root")]), Step()], parent=thread("t"))
    await grow(saver, [Step(writes=[("ch", "child")]), Step()], parent=thread("t", "child:1"))

    assert ["root"] == await values_of(saver, thread("t"), "ch")
    assert ["child"] == await values_of(saver, thread("t", "child:1"), "ch")


async def test_long_chains_are_walked_to_their_end(saver: RopewalkSaver) -> None:
    """More ancestors than are read at once give the same as LangGraph's own walk."""
    memory = InMemorySaver()
    steps = [Step({"ch": snapshot([0])}), *(Step(writes=[("ch", n)]) for n in range(1, 30)), Step()]
    savers: tuple[BaseCheckpointSaver[str], ...] = (saver, memory)

    [ours, theirs] = [
        await values_of(each, (await grow(each, steps, parent=thread("t")))[-1], "ch")
        for each in savers
    ]

    assert list(range(30)) == ours == theirs
