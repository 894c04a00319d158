"""Spaces as things to manage: made, described, listed, and deleted with everything in them."""

from __future__ import annotations

import asyncio

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, NotFound
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key
from ropewalk.domain.space import Emptied, Space
from ropewalk.services.storage import Storage
from ropewalk.stores.kinds import DOORS

from ..filling import fill

pytestmark = pytest.mark.seed("5.3")


async def left_in(backend: Backend, space: str) -> list[Key]:
    """Return the keys of all that is in a space, what has expired as well."""
    query = Query(space=space, bodies=False, expired=True)
    return [record.key async for record in backend.scan(query)]


async def test_a_space_is_made_and_found(storage: Storage, clock: FrozenClock) -> None:
    """It has a name, a description, a time, and a number of records; so have the unnamed."""
    before = clock.now()
    made = await storage.spaces.create("lab", description="for trying things")
    await storage.space("loose").sessions.create()

    assert ("lab", "for trying things", 1) == (made.name, made.description, made.records)
    assert made.created_at is not None
    assert before < int(made.created_at.timestamp() * 1_000_000)
    assert made == await storage.spaces.get("lab")
    assert (made, Space(name="loose", records=1)) == await storage.spaces.list()
    assert {"lab": 1, "loose": 1} == await storage.spaces.counts()
    assert [] == await storage.space("lab").records.list()


async def test_a_space_is_made_once(storage: Storage) -> None:
    """A name that is taken, by an entry or by anything in it, is a conflict."""
    await storage.spaces.create("lab")
    await storage.space("loose").sessions.create()
    for name in ("lab", "loose"):
        with pytest.raises(Conflict, match="there is a space") as refused:
            await storage.spaces.create(name, description="mine")
        assert "exists" == refused.value.code
    assert "" == (await storage.spaces.get("loose")).description


async def test_only_one_of_many_makes_it(storage: Storage) -> None:
    """Of twenty that create the same space at once one succeeds."""
    tries = [storage.spaces.create("lab", description=str(n)) for n in range(20)]
    made = await asyncio.gather(*tries, return_exceptions=True)

    assert 1 == sum(isinstance(one, Space) for one in made)
    assert 19 == sum(isinstance(one, Conflict) for one in made)


async def test_a_space_is_described(storage: Storage) -> None:
    """Also one that nobody made by name; one that is not there is not found."""
    await storage.space("loose").sessions.create()
    for words in ("first", "then"):
        described = await storage.spaces.describe("loose", words)
        assert (words, 2) == (described.description, described.records)
    assert described.created_at is not None
    for work in (storage.spaces.describe("none", "x"), storage.spaces.get("none")):
        with pytest.raises(NotFound, match="there is no space 'none'"):
            await work


async def test_nothing_is_left_of_a_deleted_space(
    storage: Storage, backend: Backend, clock: FrozenClock
) -> None:
    """Every kind goes, expired records and the space's own secret too; the neighbour stays."""
    await storage.spaces.create("gone", description="soon")
    for name in ("gone", "stays"):
        await fill(storage.space(name), name, clock=clock)
    await storage.space("stays").grants.give("gone", session_id="s")
    await storage.spaces.create("shared", members=("gone", "stays"))
    neighbour = set(await left_in(backend, "stays"))
    bare = [Put(key=Key("gone", kind, "bare")) for kind in {*DOORS, "other"} - {"space"}]
    await backend.apply(Batch(tuple(bare)))
    held = await left_in(backend, "gone")

    planned = await storage.spaces.delete("gone", dry_run=True)
    assert held == await left_in(backend, "gone")
    told: list[Emptied] = []
    done = await storage.spaces.delete("gone", progress=told.append)

    assert (len(held), 2) == (sum(planned.records.values()), planned.received)
    assert (planned.records, 2) == (done.records, done.received)
    assert (True, False) == (planned.dry_run, done.dry_run)
    assert sorted(one.total for one in told) == [one.total for one in told]
    assert done.total - 1 == told[-1].total
    assert [] == await left_in(backend, "gone")
    assert 1 == len(neighbour - set(await left_in(backend, "stays")))
    assert ["elsewhere"] == [g.to for g in await storage.space("stays").grants.given()]
    assert ["shared", "stays"] == [space.name for space in await storage.spaces.list()]


async def test_a_stopped_deletion_is_seen_and_finished(storage: Storage, backend: Backend) -> None:
    """What was not removed waits for the same call, and the list says so."""
    records = tuple(Put(key=Key("big", "note", str(n))) for n in range(1_500))
    await backend.apply(Batch(records))

    def stop(done: Emptied) -> None:
        if done.total >= 1_000:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await storage.spaces.delete("big", progress=stop)
    [space] = await storage.spaces.list()
    assert ("big", True, 501) == (space.name, space.deleting, space.records)
    with pytest.raises(Conflict):
        await storage.spaces.create("big")

    done = await storage.spaces.delete("big")

    assert {"note": 500, "space": 1} == done.records
    assert () == await storage.spaces.list()


async def test_a_busy_space_is_not_buried(storage: Storage) -> None:
    """While somebody goes on writing the entry stays, and the caller is told."""
    handle = storage.space("busy")
    await handle.records.save({"type": "note"})
    going = True

    async def write() -> None:
        while going:
            await handle.records.save({"type": "note"})

    writers = [asyncio.create_task(write()) for _ in range(3)]
    try:
        with pytest.raises(Conflict, match="others go on writing") as refused:
            await storage.spaces.delete("busy")
    finally:
        going = False
        await asyncio.gather(*writers)
    assert "busy" == refused.value.code
    assert (await storage.spaces.get("busy")).deleting
    await storage.spaces.delete("busy")
    assert {} == await storage.spaces.counts()


async def test_a_name_begins_anew(storage: Storage) -> None:
    """A space of the same name has nothing of the old one, and its states can be read."""
    for n in range(2):
        await storage.spaces.create("lab")
        handle = storage.space("lab")
        await handle.threads.create(id="t")
        await handle.checkpoints.save("t", {"n": n})
        latest = await storage.space("lab").checkpoints.latest("t")
        assert latest is not None
        assert {"n": n} == latest.state
        assert 1 == await handle.checkpoints.count("t")
        await storage.spaces.delete("lab")


async def test_what_cannot_be_deleted(storage: Storage) -> None:
    """The space one works in, one that is not there, and what has no name are refused."""
    await storage.sessions.create(id="s")
    with pytest.raises(Invalid, match="delete it with a handle to another"):
        await storage.spaces.delete(storage.space_name)
    with pytest.raises(NotFound):
        await storage.spaces.delete("none")
    with pytest.raises(Invalid):
        await storage.spaces.delete("")
    assert await storage.sessions.exists("s")
    with pytest.raises(Invalid, match="member of itself"):
        await storage.spaces.create("us", members=["me", "us"])
    assert {"default": 1} == await storage.spaces.counts()


@pytest.mark.seed("5.4", "3.6")
async def test_members_share_a_space(storage: Storage) -> None:
    """What one member writes the others see, and somebody else sees nothing."""
    await storage.spaces.create("team", members=["a", "b", "a"])
    ours = [await storage.space(name).shared("team") for name in ("a", "b")]
    await ours[0].threads.create(id="t")
    await ours[0].checkpoints.save("t", {"by": "a"})
    await ours[1].checkpoints.append("t", {"and": ["b"]})

    latest = await ours[0].checkpoints.latest("t")
    assert latest is not None
    assert {"by": "a", "and": ["b"]} == latest.state
    assert {"a": 0, "b": 0} == {
        name: await storage.space(name).threads.count() for name in ("a", "b")
    }
    with pytest.raises(PermissionError, match="space 'c' has no grant"):
        await storage.space("c").shared("team")
