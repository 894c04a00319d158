"""`RopewalkCache` is a complete cache for LangGraph, on every back end, however it is called."""

from __future__ import annotations

import asyncio
from typing import Any, TypedDict

import pytest
from langgraph.cache.base import FullKey
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.types import CachePolicy

from ropewalk.domain.errors import Corrupt
from ropewalk.frontends.langgraph import RopewalkCache
from ropewalk.frontends.langgraph.cache import KIND
from ropewalk.services.storage import Storage

from .calling import WAYS, Caller

pytestmark = pytest.mark.seed("6.4")

ONE: FullKey = (("graph", "node.a"), "one")
TWO: FullKey = (("graph", "node.a"), "two")
OTHER: FullKey = (("graph", "node.b"), "one")


@pytest.fixture(params=WAYS)
def call(request: pytest.FixtureRequest, storage: Storage) -> Caller:
    """Return a way to call a cache."""
    return Caller(RopewalkCache[Any](storage), request.param)


async def test_what_is_set_is_got(call: Caller) -> None:
    """Values come back as they were; keys that are not there are left out."""
    value = [["messages", {"text": "größe", "n": [1, None]}], ["done", True]]
    await call("set", {ONE: (value, None), OTHER: ("b", 60)})
    assert {ONE: value, OTHER: "b"} == await call("get", [ONE, TWO, OTHER])
    await call("set", {ONE: ("new", None)})
    assert {ONE: "new"} == await call("get", [ONE, ONE])
    await call("set", {})
    assert {} == await call("get", [])


async def test_namespaces_are_cleared(call: Caller) -> None:
    """Clearing forgets the namespaces named, and no other; without names, all."""
    await call("set", {ONE: (1, None), TWO: (2, None), OTHER: (3, None)})
    await call("clear", [("graph",), ("graph", "node.a")])
    assert {OTHER: 3} == await call("get", [ONE, TWO, OTHER])
    await call("set", {ONE: (1, None)})
    await call("clear")
    assert {} == await call("get", [ONE, TWO, OTHER])


async def test_labels_are_not_taken_for_others(call: Caller) -> None:
    """No label can be written so that it reads as two, and length does not matter."""
    keys: list[FullKey] = [
        (("a", "b"), "k"),
        (("a1:b",), "k"),
        (("ab",), "k"),
        (("a/b",), "k"),
        (("x" * 5_000,), "y" * 5_000),
        (("lone \ud800",), "k"),
    ]
    await call("set", {key: (n, None) for n, key in enumerate(keys)})
    assert {key: n for n, key in enumerate(keys)} == await call("get", keys)
    await call("clear", [("a", "b")])
    assert keys[1:] == list(await call("get", keys))


async def test_an_entry_ends_with_its_time(storage: Storage) -> None:
    """Beyond its seconds an entry is not seen any more; the others are."""
    cache: RopewalkCache[int] = RopewalkCache(storage)
    await cache.aset({ONE: (1, 0), TWO: (2, 3_600)})
    assert {TWO: 2} == await cache.aget([ONE, TWO])


async def test_many_entries_are_cleared(storage: Storage) -> None:
    """More than fit into one page go, too."""
    cache: RopewalkCache[int] = RopewalkCache(storage)
    await cache.aset({(("many",), str(n)): (n, None) for n in range(1_200)})
    await cache.aclear([("many",)])
    assert 0 == await storage.records.count({"type": KIND})


async def test_a_damaged_entry_is_named(storage: Storage) -> None:
    """What is no cached value raises `Corrupt`, with the key."""
    cache: RopewalkCache[int] = RopewalkCache(storage)
    await cache.aset({ONE: (1, None)})
    [row] = await storage.records.list({"type": KIND})
    await storage.records.save({**row, "data": {"value": "none"}})
    with pytest.raises(Corrupt, match="one"):
        await cache.aget([ONE])


class Count(TypedDict):
    """The state of a graph that counts how often its node ran."""

    n: int


async def test_a_graph_computes_once(storage: Storage) -> None:
    """A compiled graph takes from the cache what its node has computed before."""
    runs: list[int] = []

    def slow(state: Count) -> Count:
        runs.append(state["n"])
        return {"n": state["n"] * 2}

    graph: Any = StateGraph(Count)
    graph.add_node("slow", slow, cache_policy=CachePolicy(ttl=60))
    graph.add_edge(START, "slow")
    graph.add_edge("slow", END)
    cache: RopewalkCache[Any] = RopewalkCache(storage)
    compiled = graph.compile(cache=cache)
    assert {"n": 6} == await compiled.ainvoke({"n": 3})
    assert {"n": 6} == compiled.invoke({"n": 3})
    assert {"n": 6} == await asyncio.to_thread(compiled.invoke, {"n": 3})
    assert [3] == runs
    await compiled.aclear_cache()
    assert {"n": 6} == await compiled.ainvoke({"n": 3})
    assert [3, 3] == runs
