"""What a search finds: filters, namespaces by whole labels, pages, and listings of namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from langgraph.store.base import Item, ListNamespacesOp, MatchCondition, PutOp

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkStore
from ropewalk.services.storage import Storage

from .calling import WAYS, Caller

pytestmark = pytest.mark.seed("6.4")

DOCS: dict[str, dict[str, Any]] = {
    "one": {"author": "ada", "pages": 10, "tags": ["a", "b"], "meta": {"lang": "en", "year": 2024}},
    "two": {"author": "bob", "pages": 20, "tags": ["a"], "meta": {"lang": "de", "year": 2025}},
    "three": {"author": "ada", "pages": 30.5, "draft": True, "meta": {"lang": "en"}},
    "four": {"author": None, "pages": "40"},
}

PLACES = [
    ("a", "b", "c"),
    ("a", "b", "d", "e"),
    ("a", "b", "d", "i"),
    ("a", "b", "f"),
    ("a", "c", "f"),
    ("b", "a", "f"),
    ("users", "1"),
    ("users", "10"),
]


@pytest.fixture
async def store(storage: Storage) -> RopewalkStore:
    """Return a store with documents."""
    store = RopewalkStore(storage)
    for key, value in DOCS.items():
        await store.aput(("docs",), key, value)
    return store


@pytest.fixture
async def places(storage: Storage) -> RopewalkStore:
    """Return a store with a memory in each of several namespaces."""
    store = RopewalkStore(storage)
    for namespace in PLACES:
        await store.aput(namespace, "k", {"at": "/".join(namespace)})
    return store


def _keys(items: Iterable[Item]) -> list[str]:
    return [item.key for item in items]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (None, "four three two one"),
        ({}, "four three two one"),
        ({"author": "ada"}, "three one"),
        ({"author": None}, "four"),
        ({"draft": True}, "three"),
        ({"author": "ada", "pages": 10}, "one"),
        ({"author": {"$eq": "bob"}}, "two"),
        ({"author": {"$ne": "ada"}}, "four two"),
        ({"draft": {"$ne": True}}, "four two one"),
        ({"pages": {"$gt": 20}}, "four three"),
        ({"pages": {"$gte": 20}}, "four three two"),
        ({"pages": {"$lt": 20}}, "one"),
        ({"pages": {"$lte": 20}}, "two one"),
        ({"pages": {"$gt": 10, "$lt": 40}}, "three two"),
        ({"author": {"$gt": "ada"}}, "two"),
        ({"missing": {"$gt": 0}}, ""),
        ({"author": {"$lt": 7}}, ""),
        ({"meta": {"lang": "en"}}, "three one"),
        ({"meta": {"lang": "en", "year": {"$lt": 2025}}}, "one"),
        ({"meta.lang": "de"}, "two"),
        ({"meta.year": {"$gte": 2024}}, "two one"),
        ({"meta.lang.deeper": "x"}, ""),
        ({"tags": ["a", "b"]}, "one"),
        ({"tags": ["a"]}, "two"),
        ({"tags": "a"}, ""),
        ({"author": {"lang": "en"}}, ""),
    ],
)
async def test_filters(store: RopewalkStore, filters: dict[str, Any] | None, expected: str) -> None:
    """Every filter must hold; found memories come latest change first."""
    assert expected.split() == _keys(await store.asearch(("docs",), filter=filters))


async def test_an_unknown_operator_is_named(store: RopewalkStore) -> None:
    """A misspelt operator is refused with the one that is meant, also deep in a filter."""
    for filters in ({"pages": {"$gtt": 3}}, {"meta": {"year": {"$gtt": 3}}}):
        with pytest.raises(Invalid, match=r"Unsupported operator.*\$gt"):
            await store.asearch(("docs",), filter=filters)


@pytest.mark.seed("6.3")
async def test_pages_do_not_overlap(store: RopewalkStore) -> None:
    """Limit and offset cut the one order, with a filter and without."""
    assert "four three" == " ".join(_keys(await store.asearch(("docs",), limit=2)))
    assert ["two", "one"] == _keys(await store.asearch(("docs",), limit=2, offset=2))
    assert ["one"] == _keys(await store.asearch(("docs",), filter={"author": "ada"}, offset=1))
    assert [] == await store.asearch(("docs",), limit=0)
    assert [] == await store.asearch(("docs",), offset=9)


async def test_a_change_comes_to_the_front(store: RopewalkStore) -> None:
    """A memory that is put anew is the latest."""
    await store.aput(("docs",), "two", {"author": "bob"})
    assert ["two", "four", "three", "one"] == _keys(await store.asearch(("docs",)))


async def test_a_search_keeps_to_whole_labels(places: RopewalkStore) -> None:
    """`users/1` contains nothing of `users/10`, and the empty prefix contains all."""
    assert ["users/1"] == [i.value["at"] for i in await places.asearch(("users", "1"))]
    assert 2 == len(await places.asearch(("users",)))
    assert [] == await places.asearch(("user",))
    assert ["a/b/d/i", "a/b/d/e"] == [i.value["at"] for i in places.search(("a", "b", "d"))]
    assert len(PLACES) == len(places.search(()))


@pytest.fixture(params=WAYS)
def call(request: pytest.FixtureRequest, places: RopewalkStore) -> Caller:
    """Return a way to call the store with namespaces."""
    return Caller(places, request.param)


async def test_namespaces_are_listed(call: Caller) -> None:
    """By prefix, by suffix, both, with wildcards, down to a depth, sorted, in pages."""

    async def listed(**given: tuple[str, ...] | int) -> Sequence[tuple[str, ...]]:
        return list(await call("list_namespaces", **given))

    assert sorted(PLACES) == await listed()
    assert PLACES[:4] == await listed(prefix=("a", "b"))
    assert [p for p in sorted(PLACES) if p[-1] == "f"] == await listed(suffix=("f",))
    assert [("a", "b", "f"), ("a", "c", "f")] == await listed(prefix=("a",), suffix=("f",))
    assert [("a", "c", "f")] == await listed(prefix=("*", "c"))
    assert [("a", "b", "d", "e")] == await listed(suffix=("d", "e"))
    assert [("a", "b", "d", "e"), ("a", "b", "d", "i")] == await listed(suffix=("d", "*"))
    assert [("users", "1")] == await listed(prefix=("users", "1"))
    assert [("a", "b"), ("a", "c"), ("b", "a")] == (await listed(max_depth=2))[:3]
    assert [("a", "b"), ("a", "c")] == await listed(prefix=("a", "*", "*"), max_depth=2)
    assert [("a", "b", "c"), ("a", "b", "d")] == await listed(
        prefix=("a", "b"), max_depth=3, limit=2
    )
    assert [("a", "b", "f")] == await listed(prefix=("a", "b"), max_depth=3, limit=2, offset=2)
    assert [] == await listed(prefix=("nobody",))
    assert [] == await listed(suffix=("x", "a", "b", "c"))


async def test_an_emptied_namespace_is_not_listed(places: RopewalkStore) -> None:
    """A namespace is there as long as something is in it."""
    await places.adelete(("users", "1"), "k")
    assert [("users", "10")] == await places.alist_namespaces(prefix=("users",))


async def test_several_conditions_must_all_hold(places: RopewalkStore) -> None:
    """An operation given straight to `batch` may have many conditions; unknown ones are refused."""
    both = (MatchCondition("prefix", ("a", "*")), MatchCondition("prefix", ("*", "b", "d")))
    [found] = await places.abatch([ListNamespacesOp(match_conditions=both)])
    assert [("a", "b", "d", "e"), ("a", "b", "d", "i")] == found
    odd = MatchCondition("infix", ("a",))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(Invalid, match="infix"):
        await places.abatch([ListNamespacesOp(match_conditions=(odd,))])


async def test_the_empty_namespace_is_one(storage: Storage) -> None:
    """What is put straight by `batch` without labels is found, and listed by its empty name."""
    store = RopewalkStore(storage)
    await store.abatch([PutOp((), "k", {"n": 1}), PutOp(("a",), "k", {"n": 2})])
    assert 2 == len(await store.asearch(()))
    assert [(), ("a",)] == await store.alist_namespaces()
