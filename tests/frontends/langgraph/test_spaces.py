"""Graphs in two spaces of one store do not meet; a granted one is carried on from elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig

from ropewalk.domain.errors import Denied
from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

from .graphs import steps

CONFIG: RunnableConfig = {"configurable": {"thread_id": "1"}}


async def _walked(storage: Storage, foo: str) -> dict[str, Any]:
    """Run a graph of two steps on the same thread id, and return its state."""
    graph = steps(RopewalkSaver(storage))
    await graph.ainvoke({"foo": foo, "bar": [foo]}, CONFIG)
    values: dict[str, Any] = (await graph.aget_state(CONFIG)).values
    return values


@pytest.mark.seed("5.3")
async def test_graphs_in_two_spaces(storage: Storage) -> None:
    """The same thread id in each: states, lists and deletions stay in their space."""
    one, two = storage.space("one"), storage.space("two")
    first = await _walked(one, "mine")
    assert await _walked(two, "theirs") != first

    savers = [RopewalkSaver(space) for space in (one, two)]
    counts = [len([found async for found in saver.alist(None)]) for saver in savers]
    assert counts[0] == counts[1] > 1
    for listed in [found async for found in savers[0].alist(None)]:
        assert "theirs" not in str(listed)
    await savers[1].adelete_thread("1")

    assert first == (await steps(savers[0]).aget_state(CONFIG)).values
    assert [] == [found async for found in savers[1].alist(None)]


@pytest.mark.seed("5.4")
async def test_a_granted_graph_is_carried_on(storage: Storage) -> None:
    """Whoever may write the space runs the graph on; whoever may read it looks at it."""
    owner = storage.space("owner")
    before = await _walked(owner, "mine")
    await owner.grants.give("reader", whole=True)
    await owner.grants.give("writer", whole=True, mode="write")

    reading = await storage.space("reader").shared("owner")
    assert before == (await steps(RopewalkSaver(reading)).aget_state(CONFIG)).values
    with pytest.raises(Denied, match="no grant to write"):
        await _walked(reading, "more")
    after = await _walked(await storage.space("writer").shared("owner"), "more")

    assert len(before["bar"]) < len(after["bar"])
    assert after == (await steps(RopewalkSaver(owner)).aget_state(CONFIG)).values
