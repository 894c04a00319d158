"""What was deleted and made anew under the same id is never taken for what was there before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

import ropewalk
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.change import Applied, Batch
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.ports import Backend
from ropewalk.layers.base import Layer
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("5.1", "5.2")


class _Interrupted(Layer):
    """Let somebody do something right before the next batch of whoever comes through."""

    before: Callable[[], Awaitable[object]] | None = None

    async def apply(self, batch: Batch) -> Applied:
        """Let the other be quicker, once."""
        before, self.before = self.before, None
        if before is not None:
            await before()
        return await self.below.apply(batch)


@pytest.fixture
def door(backend: Backend) -> _Interrupted:
    """The way to the store on which one is interrupted."""
    return _Interrupted(backend)


@pytest.fixture
def mine(door: _Interrupted, clock: FrozenClock) -> Storage:
    """Another handle on the store, that of whoever is interrupted."""
    return Storage(door, make_pipeline(), clock)


@pytest.mark.parametrize("how", ["update", "policy", "transaction"])
async def test_an_update_is_of_the_record_that_is_there(
    storage: Storage, mine: Storage, door: _Interrupted, how: str
) -> None:
    """What was merged into a record that is gone by now is merged into the next one instead."""
    row = {"id": "a", "type": "note"}
    await storage.records.save({**row, "data": {"of": "first", "old": True}})

    async def again() -> None:
        await storage.records.delete("a", type="note")
        await storage.records.save({**row, "data": {"of": "second"}})

    door.before = again
    mark = {"data": {"mark": 1}}
    if how == "transaction":
        await mine.records.transaction([{"op": "update", "id": "a", "type": "note", "data": mark}])
    elif how == "policy":
        given: list[object] = []
        assert await mine.records.update("a", mark, type="note", decided=given.append)
    else:
        assert await mine.records.update("a", mark, type="note")

    found = await storage.records.load("a", type="note")
    assert found is not None
    assert ({"of": "second", "mark": 1}, 2) == (found["data"], found["version"])


async def test_an_edit_is_of_the_session_that_is_there(
    storage: Storage, mine: Storage, door: _Interrupted
) -> None:
    """A session that was made anew keeps what it was made with."""
    await storage.sessions.create(id="s", metadata={"of": "first"})

    async def again() -> None:
        await storage.sessions.delete("s")
        await storage.sessions.create(id="s", metadata={"of": "second"})

    door.before = again
    edited = await mine.sessions.update("s", title="new")
    assert ({"of": "second"}, "new", 2) == (edited.metadata, edited.title, edited.version)


async def test_a_fork_is_of_the_thread_that_is_there(
    storage: Storage, mine: Storage, door: _Interrupted
) -> None:
    """No branch begins at a point of a thread that is gone, however alike the next one looks."""
    await storage.threads.create(id="t")
    first = await storage.history.add_message(thread_id="t", role="user", content="first")

    async def again() -> None:
        await storage.threads.delete("t")
        await storage.threads.create(id="t")

    door.before = again
    with pytest.raises(ropewalk.Conflict):
        await mine.threads.fork("t", at=first.id, id="fork")
    assert await storage.threads.find("fork") is None


async def test_a_state_goes_on_from_the_thread_that_is_there(
    storage: Storage, mine: Storage
) -> None:
    """Whoever remembers the end of a thread's line does not go on there in the next thread."""
    await storage.threads.create(id="t")
    await mine.checkpoints.save("t", {"said": ["first"]})
    await storage.threads.delete("t")
    await storage.threads.create(id="t")
    second = await storage.checkpoints.save("t", {"said": ["second"]})

    third = await mine.checkpoints.append("t", {"said": ["third"]})

    assert second.id == third.parent_id
    assert {"said": ["second", "third"]} == (await storage.checkpoints.load(third.id)).state
