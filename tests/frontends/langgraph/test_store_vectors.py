"""Memories are found by likeness: each by the best of its vectors, with filters, in pages."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import pytest
from langchain_core.embeddings import Embeddings
from langgraph.store.base import IndexConfig, PutOp, SearchOp

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkStore
from ropewalk.frontends.langgraph.memory import likeness
from ropewalk.services.storage import Storage

from .calling import WAYS, Caller

pytestmark = pytest.mark.seed("6.4")

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def letters(texts: Sequence[str]) -> list[list[float]]:
    """Embed texts by how often each letter is in them: a model that can be checked by hand."""
    return [[float(text.lower().count(letter)) for letter in LETTERS] for text in texts]


def alike(texts: Sequence[str]) -> list[list[float]]:
    """Embed every text into one and the same vector of two dimensions."""
    return [[1.0, 0.0]] * len(texts)


def too_few(texts: Sequence[str]) -> list[list[float]]:
    """Embed all texts but the first."""
    return letters(texts)[1:]


async def aletters(texts: Sequence[str]) -> list[list[float]]:
    """Embed texts by their letters, asynchronously."""
    await asyncio.sleep(0)
    return letters(texts)


class Counting(Embeddings):
    """A model that notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts."""
        self.asked += texts
        return letters(texts)

    def embed_query(self, text: str) -> list[float]:
        """Embed one text."""
        self.asked.append(text)
        return letters([text])[0]


def _index(**given: object) -> IndexConfig:
    config: dict[str, object] = {"dims": len(LETTERS), "embed": letters, **given}
    return config  # type: ignore[return-value] # pyright: ignore[reportReturnType]


@pytest.fixture(params=["with numpy", "without numpy"])
def store(
    request: pytest.FixtureRequest, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> RopewalkStore:
    """Return a store with an index over one field, with numpy and without."""
    monkeypatch.setattr(likeness, "_has_numpy", lambda: request.param == "with numpy")
    return RopewalkStore(storage, index=_index(fields=["text"]))


@pytest.fixture(params=WAYS)
def call(request: pytest.FixtureRequest, store: RopewalkStore) -> Caller:
    """Return a way to call the store."""
    return Caller(store, request.param)


async def test_the_likest_comes_first(call: Caller) -> None:
    """Scores are cosines, sorted from the best; those without vectors come last, unscored."""
    await call("put", ("d",), "cab", {"text": "cab"})
    await call("put", ("d",), "aa", {"text": "aa"})
    await call("put", ("d",), "xyz", {"text": "xyz"})
    await call("put", ("d",), "none", {"other": "aaa"})
    found = await call("search", ("d",), query="a")
    assert ["aa", "cab", "xyz", "none"] == [item.key for item in found]
    assert [1.0, 3**-0.5, 0.0] == pytest.approx([item.score for item in found[:3]])
    assert None is found[3].score
    assert ["aa"] == [item.key for item in await call("search", ("d",), query="a", limit=1)]
    unasked = await call("search", ("d",))
    assert [None] * 4 == [item.score for item in unasked]


async def test_pages_of_likeness(store: RopewalkStore) -> None:
    """Pages follow each other, through the scored memories into those without vectors."""
    for n in range(6):
        await store.aput(("d",), f"s{n}", {"text": "a" + "b" * n})
    for n in range(3):
        await store.aput(("d",), f"u{n}", {"n": n})
    pages = [await store.asearch(("d",), query="a", limit=4, offset=o) for o in (0, 4, 8, 12)]
    keys = [[item.key for item in page] for page in pages]
    assert [["s0", "s1", "s2", "s3"], ["s4", "s5", "u2", "u1"], ["u0"], []] == keys


async def test_likeness_with_filters_and_namespaces(store: RopewalkStore) -> None:
    """Only what passes the filter, within whole labels, is ranked."""
    for n in range(5):
        await store.aput(("d", "1"), f"k{n}", {"text": "a" * (n + 1) + "b", "n": n})
    await store.aput(("d", "10"), "far", {"text": "a", "n": 4})
    found = await store.asearch(("d", "1"), query="a", filter={"n": {"$lt": 3}})
    assert ["k2", "k1", "k0"] == [item.key for item in found]
    assert ["far"] == [i.key for i in await store.asearch(("d",), query="a", limit=1)]


async def test_a_change_is_found_anew(store: RopewalkStore) -> None:
    """New text replaces the vectors, text taken away removes them, deleting too."""
    await store.aput(("d",), "k", {"text": "aaa"})
    await store.aput(("d",), "k", {"text": "bbb"})
    [item] = await store.asearch(("d",), query="b")
    assert 1.0 == pytest.approx(item.score)
    await store.aput(("d",), "k", {"other": 1})
    [item] = await store.asearch(("d",), query="b")
    assert None is item.score
    await store.aput(("d",), "k", {"text": "bbb"})
    await store.aput(("d",), "k", {"text": "bbb"}, index=False)
    [item] = await store.asearch(("d",), query="b")
    assert None is item.score
    await store.aput(("d",), "k", {"text": "bbb"})
    await store.adelete(("d",), "k")
    assert [] == await store.asearch(("d",), query="b")


async def test_the_best_vector_of_a_memory_counts(storage: Storage) -> None:
    """With several fields, or several texts in one, a memory has one place: its best."""
    store = RopewalkStore(storage, index=_index(fields=["title", "parts[*].text"]))
    both = {"title": "zzz", "parts": [{"text": "aab"}, {"text": "a"}, {"text": "q"}]}
    await store.aput(("d",), "both", both)
    await store.aput(("d",), "title", {"title": "ab"})
    found = await store.asearch(("d",), query="a")
    assert ["both", "title"] == [item.key for item in found]
    assert [1.0, 2**-0.5] == pytest.approx([item.score for item in found])


async def test_fields_chosen_for_one_memory(storage: Storage) -> None:
    """`index` of a put names other fields than the configuration; the default is all of it."""
    store = RopewalkStore(storage, index=_index())
    await store.aput(("d",), "whole", {"x": "aaaa"})
    await store.aput(("d",), "chosen", {"x": "bbbb", "y": {"z": "aaaa"}}, index=["y.z"])
    found = await store.asearch(("d",), query="a")
    assert ["chosen", "whole"] == [item.key for item in found]
    assert 1.0 == pytest.approx(found[0].score)
    assert 0.9 < float(found[1].score or 0) < 1.0


async def test_the_model_is_asked_once(storage: Storage) -> None:
    """Equal texts and equal queries of one batch are embedded once, and reads embed nothing."""
    model = Counting()
    store = RopewalkStore(storage, index=_index(embed=model, fields=["text"]))
    store.batch([PutOp(("d",), str(n), {"text": "same"}) for n in range(5)])
    assert ["same"] == model.asked
    ops = [SearchOp(("d",), query="same"), SearchOp(("d",), query="same", limit=2)]
    one, two = await store.abatch(ops)
    assert (5, 2) == (len(one), len(two))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert ["same", "same"] == model.asked
    assert model is store.embeddings


async def test_an_asynchronous_model_serves_both(storage: Storage) -> None:
    """A model that can only be awaited is used by synchronous calls, too."""
    store = RopewalkStore(storage, index=_index(embed=aletters, fields=["text"]))
    store.put(("d",), "one", {"text": "ab"})
    await store.aput(("d",), "two", {"text": "b"})
    await asyncio.to_thread(store.put, ("d",), "three", {"text": "c"})
    assert ["two", "one", "three"] == [i.key for i in store.search(("d",), query="b")]
    assert ["three"] == [i.key for i in await store.asearch(("d",), query="c", limit=1)]


async def test_other_dimensions_are_like_nothing(storage: Storage) -> None:
    """Vectors of an earlier model are passed over; the memory is found, without a score."""
    old = RopewalkStore(storage, index=_index(dims=2, embed=alike))
    await old.aput(("d",), "old", {"text": "a"})
    new = RopewalkStore(storage, index=_index(fields=["text"]))
    await new.aput(("d",), "new", {"text": "a"})
    found = await new.asearch(("d",), query="a")
    assert [("new", 1.0), ("old", None)] == [
        (item.key, None if item.score is None else pytest.approx(item.score)) for item in found
    ]


async def test_a_query_without_an_index_is_none(storage: Storage) -> None:
    """A store that embeds nothing answers by time, as if there were no query."""
    store = RopewalkStore(storage)
    await store.aput(("d",), "k", {"text": "a"})
    [item] = await store.asearch(("d",), query="a")
    assert ("k", None) == (item.key, item.score)


@pytest.mark.seed("8.1")
async def test_a_wrong_model_is_refused(storage: Storage) -> None:
    """An index without dimensions or model, and vectors of other dimensions, are `Invalid`."""
    for config in ({"dims": 0}, {"embed": None}):
        with pytest.raises(Invalid, match="dimensions"):
            RopewalkStore(storage, index=_index(**config))
    store = RopewalkStore(storage, index=_index(dims=3))
    with pytest.raises(Invalid, match="26 dimensions"):
        await store.aput(("d",), "k", {"text": "a"})
    short = RopewalkStore(storage, index=_index(embed=too_few))
    with pytest.raises(Invalid, match="0 vectors for 1 texts"):
        short.put(("d",), "k", {"text": "a"})
    assert [] == await store.asearch(())


@pytest.mark.seed("6.3")
async def test_more_than_one_page_of_vectors(storage: Storage) -> None:
    """Hundreds of vectors are ranked as if they were compared all at once."""
    store = RopewalkStore(storage, index=_index(fields=["text"]))
    texts = ["a" * (n % 7) + "b" * (n % 11) + "c" * (n % 13) + "d" for n in range(600)]
    await store.abatch([PutOp(("d",), f"{n:03}", {"text": t}) for n, t in enumerate(texts)])
    query = letters(["aabc"])[0]

    def cosine(text: str) -> float:
        row = letters([text])[0]
        dot = sum(x * y for x, y in zip(row, query, strict=True))
        return dot / (math.hypot(*row) * math.hypot(*query))

    expected = sorted(map(cosine, texts), reverse=True)[10:40]
    found = await store.asearch(("d",), query="aabc", limit=30, offset=10)
    assert expected == pytest.approx([item.score for item in found])
