"""`RopewalkStore` keeps, gives and forgets memories, on every back end, however it is called."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

import pytest
from langgraph.config import get_store  # pyright: ignore[reportMissingTypeStubs]
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    SearchOp,
)

from ropewalk.domain.errors import Invalid, RopewalkError
from ropewalk.frontends.langgraph import RopewalkStore
from ropewalk.services.storage import Storage

from .calling import WAYS, Caller

pytestmark = pytest.mark.seed("6.4")

ADA = ("users", "ada")
BOB = ("users", "bob")


@pytest.fixture
def store(storage: Storage) -> RopewalkStore:
    """Return a store for LangGraph over each back end."""
    return RopewalkStore(storage)


@pytest.fixture(params=WAYS)
def call(request: pytest.FixtureRequest, store: RopewalkStore) -> Caller:
    """Return a way to call the store."""
    return Caller(store, request.param)


async def test_what_is_put_is_got(call: Caller) -> None:
    """A value comes back whole, with its name and its times; what is not there is `None`."""
    value = {"theme": "dark", "depth": {"list": [1, 2.5, None, True], "größe": "日本"}}
    before = datetime.now(UTC)
    await call("put", ADA, "prefs", value)
    item: Item = await call("get", ADA, "prefs")
    assert ("prefs", ADA, value) == (item.key, item.namespace, item.value)
    assert before <= item.created_at == item.updated_at <= datetime.now(UTC)
    assert None is await call("get", ADA, "other")
    assert None is await call("get", BOB, "prefs")


async def test_a_put_replaces_the_value(call: Caller) -> None:
    """The new value stands alone; the memory keeps when it was made."""
    await call("put", ADA, "k", {"a": 1, "b": 2})
    old: Item = await call("get", ADA, "k")
    await call("put", ADA, "k", {"a": 3})
    new: Item = await call("get", ADA, "k")
    assert {"a": 3} == new.value
    assert old.created_at == new.created_at
    assert old.updated_at < new.updated_at


async def test_what_is_deleted_is_gone(call: Caller) -> None:
    """Deleting forgets one memory, and is no error where there is none."""
    await call("put", ADA, "k", {"a": 1})
    await call("put", BOB, "k", {"b": 2})
    await call("delete", ADA, "k")
    await call("delete", ADA, "k")
    assert None is await call("get", ADA, "k")
    assert {"b": 2} == (await call("get", BOB, "k")).value


async def test_a_batch_answers_in_order(call: Caller) -> None:
    """Each operation is answered at its place; reads see the store as it was before the batch."""
    await call("put", ("test", "foo"), "one", {"data": "v1"})
    await call("put", ("test", "bar"), "two", {"data": "v2"})
    ops: list[Op] = [
        SearchOp(("test",), filter={"data": "v1"}),
        PutOp(("test",), "three", {"data": "v3"}),
        GetOp(("test", "foo"), "one"),
        ListNamespacesOp(),
        GetOp(("test",), "three"),
        PutOp(("test", "bar"), "two", None),
        GetOp(("test", "bar"), "two"),
    ]
    found, put, one, names, three, deleted, two = await call("batch", ops)
    assert ["one"] == [item.key for item in found]
    assert (None, None, None) == (put, three, deleted)
    assert ({"data": "v1"}, {"data": "v2"}) == (one.value, two.value)
    assert [("test", "bar"), ("test", "foo")] == names
    assert {"data": "v3"} == (await call("get", ("test",), "three")).value
    assert None is await call("get", ("test", "bar"), "two")
    assert [] == await call("batch", [])


async def test_the_last_put_of_a_batch_counts(call: Caller) -> None:
    """Of several puts under one name only the last one happens; equal reads are one."""
    ops: list[Op] = [PutOp(ADA, "k", {"n": n}) for n in range(3)]
    assert [None] * 3 == await call("batch", ops)
    reads: list[Op] = [GetOp(ADA, "k"), SearchOp(ADA, filter={"n": 2}), GetOp(ADA, "k")]
    one, found, two = await call("batch", reads)
    assert {"n": 2} == one.value == two.value == found[0].value
    again = await call("batch", [SearchOp(ADA, filter={"n": 2})] * 3)
    assert [["k"]] * 3 == [[item.key for item in items] for items in again]


async def test_a_wrong_batch_does_nothing(call: Caller) -> None:
    """An operation that is wrong is `Invalid`, and those beside it do not happen."""
    fine = PutOp(ADA, "k", {"a": 1})
    wrong: list[object] = [
        "get",
        GetOp(("a.b",), "k"),
        GetOp(("", "b"), "k"),
        PutOp(("a\0",), "k", {}),
        PutOp(cast("tuple[str, ...]", (1,)), "k", {}),
        SearchOp(ADA, limit=-1),
        SearchOp(ADA, offset=-1),
        SearchOp(ADA, filter={"n": {"$near": 3}}),
        PutOp(ADA, "k2", {"a": object()}),
        PutOp(ADA, "k2", {"a": 1}, ttl=cast("float", "soon")),
        PutOp(ADA, "x" * 2_000, {}),
    ]
    for op in wrong:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 (the next line says which)
            await call("batch", [fine, op])
        assert isinstance(caught.value, Invalid), op
    assert None is await call("get", ADA, "k")


async def test_labels_are_checked_as_langgraph_does(call: Caller) -> None:
    """A bad namespace is LangGraph's error and ours."""
    with pytest.raises(InvalidNamespaceError) as caught:
        await call("batch", [GetOp(("a.b",), "k")])
    assert isinstance(caught.value, RopewalkError)
    for bad in ((), ("langgraph", "x"), ("a.b",)):
        with pytest.raises(InvalidNamespaceError):
            await call("put", bad, "k", {})


async def test_namespaces_may_be_lists(call: Caller) -> None:
    """A list of labels is as good as a tuple."""
    await call("put", ["a", "b"], "k", {"n": 1})
    item = await call("get", ["a", "b"], "k")
    assert ("a", "b") == item.namespace
    assert ["k"] == [item.key for item in await call("search", ["a"])]
    assert [("a", "b")] == await call("list_namespaces", prefix=["a"])


async def test_names_hold_any_text(call: Caller) -> None:
    """Keys and labels may have any characters that are no separator, and never mix."""
    names = [
        (("a",), "b"),
        (("a", "b"), ""),
        (("ab",), ""),
        (("größe", "日本 %_*?["), "x.y\0z"),
        (("a\x01",), "k" * 500),
    ]
    for n, (namespace, key) in enumerate(names):
        await call("put", namespace, key, {"n": n})
    got = [(await call("get", namespace, key)).value["n"] for namespace, key in names]
    assert list(range(len(names))) == got
    assert {0, 1} == {item.value["n"] for item in await call("search", ("a",))}


async def test_many_writes_in_one_batch(store: RopewalkStore) -> None:
    """Hundreds of memories are written at once and searched in pages."""
    await store.abatch([PutOp(ADA, str(n), {"n": n}) for n in range(700)])
    seen = [
        item.value["n"]
        for start in range(0, 800, 100)
        for item in await store.asearch(ADA, limit=100, offset=start)
    ]
    assert list(range(700)) == sorted(seen)
    await store.abatch([PutOp(ADA, str(n), None) for n in range(700)])
    assert [] == await store.asearch(ADA)


@pytest.mark.seed("5.1", "5.2")
async def test_everybody_at_once(store: RopewalkStore) -> None:
    """Tasks, calls on the loop and threads write side by side, and nothing is lost."""

    def work(n: int) -> None:
        for m in range(5):
            store.put(("threads", str(n)), str(m), {"n": n})
            assert store.get(("threads", str(n)), str(m)) is not None

    async def task(n: int) -> None:
        for m in range(5):
            await store.aput(("tasks", str(n)), str(m), {"n": n})
            store.put(("loop", str(n)), str(m), {"n": n})

    await asyncio.gather(
        *[asyncio.to_thread(work, n) for n in range(4)], *[task(n) for n in range(4)]
    )
    for name in ("threads", "tasks", "loop"):
        assert 20 == len(await store.asearch((name,), limit=100))


async def test_spaces_are_apart(storage: Storage) -> None:
    """Two spaces of one store have memories of their own."""
    one, two = RopewalkStore(storage), RopewalkStore(storage.space("other"))
    await one.aput(ADA, "k", {"n": 1})
    await two.aput(ADA, "k", {"n": 2})
    assert [{"n": 1}] == [item.value for item in one.search(())]
    assert [{"n": 2}] == [item.value for item in two.search(())]


class Talk(TypedDict):
    """The state of a graph that remembers its user."""

    user: str
    seen: int


async def test_a_graph_remembers(store: RopewalkStore) -> None:
    """Nodes reach the store by `get_store`, synchronous and asynchronous ones in one graph."""

    def remember(state: Talk) -> dict[str, Any]:
        memory = get_store()
        item = memory.get(("visits",), state["user"])
        visits = (item.value["n"] if item else 0) + 1
        memory.put(("visits",), state["user"], {"n": visits})
        return {"seen": visits}

    async def note(state: Talk) -> dict[str, Any]:
        memory = get_store()
        await memory.aput(("notes", state["user"]), str(state["seen"]), {"text": "came"})
        memory.put(("notes", state["user"]), "last", {"n": state["seen"]})
        return {}

    graph: Any = StateGraph(Talk)
    graph.add_node("remember", remember)
    graph.add_node("note", note)
    graph.add_edge(START, "remember")
    graph.add_edge("remember", "note")
    compiled = graph.compile(store=store)
    for visit in range(1, 4):
        state = await compiled.ainvoke({"user": "ada", "seen": 0})
        assert visit == state["seen"]
    notes = await store.asearch(("notes", "ada"))
    assert {"1", "2", "3", "last"} == {item.key for item in notes}
    visits = store.get(("visits",), "ada")
    assert visits is not None
    assert {"n": 3} == visits.value
