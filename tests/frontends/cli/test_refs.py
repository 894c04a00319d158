"""Names for things: the beginnings of ids, branches, and steps back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import ropewalk
from ropewalk.domain.errors import Invalid, NotFound
from ropewalk.frontends.cli.refs import SHORTEST, Refs
from ropewalk.services.storage import Storage


@pytest.fixture
async def storage() -> AsyncIterator[Storage]:
    """An empty store in memory."""
    async with ropewalk.open("memory://") as storage:
        yield storage


async def test_an_id_goes_before_the_beginning_of_another(storage: Storage) -> None:
    """A whole id is never ambiguous, even if others begin with it."""
    for id in ("road", "roads", "roads-end"):
        await storage.threads.create(id=id)
    assert "road" == (await Refs(storage).find("road")).id
    assert "roads-end" == (await Refs(storage).find("roads-")).id


async def test_a_beginning_must_be_long_enough_and_unique(storage: Storage) -> None:
    """Less than four characters find nothing; several candidates are all named."""
    for id in ("alpha-1", "alpha-2"):
        await storage.threads.create(id=id)
    with pytest.raises(NotFound, match="'alp'"):
        await Refs(storage).find("alp")
    with pytest.raises(Invalid, match="thread:alpha-1, thread:alpha-2") as caught:
        await Refs(storage).find("alpha")
    assert ("thread:alpha-1", "thread:alpha-2") == caught.value.facts["candidates"]


async def test_a_kind_decides_between_equal_ids(storage: Storage) -> None:
    """A session and a thread of the same id are told apart by `kind:id`."""
    await storage.sessions.create(id="same")
    await storage.threads.create(id="same", session_id="same")
    with pytest.raises(Invalid, match="session:same, thread:same"):
        await Refs(storage).find("same")
    for kind in ("session", "thread"):
        assert (kind, "same") == (
            (found := await Refs(storage).find(f"{kind}:same")).kind,
            found.id,
        )


@pytest.mark.parametrize("id", ["a~2", "a/b", "thread:a", "~", "x~~", "🐉~1", "nul\0~1", "%_*?["])
async def test_an_id_may_look_like_anything(storage: Storage, id: str) -> None:
    """Ids with the signs of this grammar are found as they are."""
    await storage.threads.create(id=id)
    saved = await storage.checkpoints.save(id, {})
    assert id == (await Refs(storage).find(id)).id
    assert saved.id == (await Refs(storage).find(f"{id}~0")).id


async def test_steps_back_follow_the_parents(storage: Storage) -> None:
    """`~n` counts checkpoints back from the newest, across forks and from any checkpoint."""
    thread = await storage.threads.create(id="main")
    saved = [await storage.checkpoints.save(thread.id, {"n": n}) for n in range(4)]
    fork = await storage.threads.fork("main", at=saved[2].id, id="fork-of-main", name="other")
    own = await storage.checkpoints.save(fork.id, {"n": "own"})
    refs = Refs(storage)
    expected = {
        "main~0": saved[3],
        "main~": saved[2],
        "main~1": saved[2],
        "main~3": saved[0],
        "main~1~2": saved[0],
        "main~~~": saved[0],
        "main/other~0": own,
        "main/other~1": saved[2],
        "fork-of~3": saved[0],
        f"{saved[3].id}~2": saved[1],
    }
    assert {ref: each.id for ref, each in expected.items()} == {
        ref: (await refs.find(ref)).id for ref in expected
    }
    with pytest.raises(NotFound, match="only 3 checkpoints before"):
        await refs.find("main~4")


async def test_steps_back_leap_over_what_was_deleted(storage: Storage) -> None:
    """Where a parent was cleared away, the one before it on the line comes next."""
    thread = await storage.threads.create(id="main")
    saved = [await storage.checkpoints.save(thread.id, {"n": n}) for n in range(3)]
    await storage.checkpoints.delete(saved[1].id)
    assert saved[0].id == (await Refs(storage).find("main~1")).id


async def test_a_branch_is_found_in_the_whole_family(storage: Storage) -> None:
    """`thread/name` looks among the forks of the thread first, then among all relatives."""
    await storage.threads.create(id="root")
    child = await storage.threads.fork("root", name="one", id="child")
    await storage.threads.fork(child.id, name="two", id="grandchild")
    await storage.threads.fork("root", name="with/slash", id="slashed")
    refs = Refs(storage)
    assert "grandchild" == (await refs.find("root/two")).id
    assert "child" == (await refs.find("grandchild/one")).id
    assert "slashed" == (await refs.find("root/with/slash")).id
    await storage.threads.fork("root", name="one", id="second")
    with pytest.raises(Invalid, match="thread:child, thread:second"):
        await refs.find("root/one")


async def test_short_ids_are_understood(storage: Storage) -> None:
    """Every abbreviation that is shown leads back to its id, however alike the ids are."""
    ids = [f"{'0' * 20}{n:04x}{'f' * 8}" for n in (0, 1, 2, 15, 16, 4095)]
    ids += ["plain", "x" * 40, "x" * 39 + "y", "x" * 39]
    for id in ids:
        await storage.threads.create(id=id)
    short = await Refs(storage).short(ids)
    assert ids == [(await Refs(storage).find(short[id])).id for id in ids]
    assert 24 >= max(len(short[id]) for id in ids if id.startswith("0"))
    assert min(map(len, short.values())) >= SHORTEST


async def test_a_name_of_any_length_is_answered(storage: Storage) -> None:
    """Long chains of signs are refused in a sentence, not by exhausting the stack."""
    await storage.threads.create(id="root")
    for ref in ("root" + "~" * 900, "/" * 1000, "root/" * 200, "thread:" * 100):
        with pytest.raises((NotFound, Invalid)):
            await Refs(storage).find(ref)
