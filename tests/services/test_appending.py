"""Appending below a thread that others change, move or delete meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.change import Batch, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, NotFound
from ropewalk.domain.history import Message
from ropewalk.domain.ports import Backend
from ropewalk.domain.record import Key, Record
from ropewalk.door import Door
from ropewalk.layers.base import Layer
from ropewalk.services import appending, lineage
from ropewalk.services.manager import ATTEMPTS
from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("3.3"), pytest.mark.seed("4.1")]

THREAD = Key("default", "thread", "t")


class Meddled(Layer):
    """Let `meddle` do something between each look at a thread and the write that follows."""

    def __init__(self, below: Backend) -> None:
        super().__init__(below)
        self.meddle: Callable[[], Awaitable[None]] | None = None
        self.looks: list[bool] = []

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Note whether bodies were asked for, then meddle."""
        found = await super().get(keys, bodies=bodies)
        if THREAD in keys:
            self.looks.append(bodies)
            if self.meddle is not None:
                await self.meddle()
        return found


@asynccontextmanager
async def _house(backend: Backend, clock: FrozenClock) -> AsyncGenerator[tuple[Storage, Meddled]]:
    layer = Meddled(backend)
    async with Storage(layer, make_pipeline(), clock) as storage:
        yield storage, layer


async def _rewrite(backend: Backend, **changes: Any) -> None:  # noqa: ANN401 (fields of a put)
    """Change the thread as another process would: this one's memory is not told."""
    [found] = await backend.get([THREAD])
    assert found is not None
    await backend.apply(Batch((replace(Put.of(found), updated_at=None, **changes),)))


async def _delete(backend: Backend) -> None:
    await backend.apply(Batch((Delete(key=THREAD),)))


async def test_a_thread_is_looked_up_once(backend: Backend, clock: FrozenClock) -> None:
    """The second message below a thread reads nothing, and the first reads a header alone."""
    async with _house(backend, clock) as (storage, layer):
        await storage.threads.create(id="t", session_id=(await storage.sessions.create(id="s")).id)
        layer.looks.clear()

        sessions = [
            (await storage.history.add_message(thread_id="t", role="user")).session_id
            for _ in range(3)
        ]

        assert ["s"] * 3 == sessions
        assert [False] == layer.looks


async def test_a_remembered_thread_that_moved(storage: Storage, backend: Backend) -> None:
    """An entry gets the session that its thread has by now, named by the caller or not."""
    await storage.threads.create(id="t", session_id=(await storage.sessions.create(id="a")).id)
    await storage.history.add_message(thread_id="t", role="user")
    await _rewrite(backend, session_id="b")

    found = await storage.history.add_message(thread_id="t", role="user")

    assert "b" == found.session_id
    assert found == await storage.history.get(found.id)
    await _rewrite(backend, session_id="c")
    named = await storage.history.add_message(thread_id="t", session_id="c", role="user")
    assert "c" == named.session_id
    await _rewrite(backend, session_id=None)
    kept = await storage.history.add_message(thread_id="t", session_id="d", role="user")
    assert "d" == kept.session_id
    assert (await storage.history.add_message(thread_id="t", role="user")).session_id is None


async def test_another_session_than_the_thread_has(storage: Storage) -> None:
    """It is refused by name, however often, and nothing is written."""
    await storage.threads.create(id="t", session_id=(await storage.sessions.create(id="a")).id)
    for _ in range(2):
        with pytest.raises(Invalid, match="belongs to session 'a', not to 'b'") as caught:
            await storage.history.add_message(thread_id="t", session_id="b", role="user")
        assert "session_id" == caught.value.facts["field"]

    assert 0 == await storage.history.count(thread_id="t")


async def test_a_remembered_thread_that_is_gone(storage: Storage, backend: Backend) -> None:
    """`NotFound` says so as for one that never was, and nothing is written to it."""
    await storage.threads.create(id="t")
    await storage.history.add_message(thread_id="t", role="user")
    await _delete(backend)

    for thread_id in ("t", "never"):
        with pytest.raises(NotFound, match=f"there is no thread '{thread_id}' in space"):
            await storage.history.add_message(thread_id=thread_id, role="user")

    assert 1 == await storage.history.count(thread_id="t")


async def test_a_remembered_thread_that_was_made_anew(storage: Storage, backend: Backend) -> None:
    """It has the same id and version, and is another one: its session counts."""
    await storage.threads.create(id="t", session_id=(await storage.sessions.create(id="a")).id)
    await storage.history.add_message(thread_id="t", role="user")
    await storage.sessions.create(id="b")
    await _delete(backend)
    await storage.threads.create(id="t", session_id="b")

    assert "b" == (await storage.history.add_message(thread_id="t", role="user")).session_id


async def test_a_thread_deleted_between_look_and_write(
    backend: Backend, clock: FrozenClock
) -> None:
    """Nothing is written below it."""
    async with _house(backend, clock) as (storage, layer):
        await storage.threads.create(id="t")

        async def once() -> None:
            layer.meddle = None
            await _delete(backend)

        layer.meddle = once

        with pytest.raises(NotFound, match="there is no thread 't'"):
            await storage.history.add_message(thread_id="t", role="user")
        assert 0 == await storage.history.count(thread_id="t")


async def test_a_thread_that_never_stands_still(backend: Backend, clock: FrozenClock) -> None:
    """After many attempts the conflict is told, with the thread's key, and nothing is written."""
    async with _house(backend, clock) as (storage, layer):
        await storage.threads.create(id="t")
        layer.meddle = lambda: _rewrite(backend)
        layer.looks.clear()

        with pytest.raises(Conflict) as caught:
            await storage.history.add_message(thread_id="t", role="user", idempotency_key="k")

        layer.meddle = None
        assert THREAD == caught.value.facts["key"]
        assert ATTEMPTS == len(layer.looks)
        assert 0 == await storage.history.count(thread_id="t")


async def test_an_idempotency_key_below_a_thread_that_changed(
    storage: Storage, backend: Backend
) -> None:
    """The first entry is returned though the thread is another version by now."""
    await storage.threads.create(id="t")
    first = await storage.history.add_message(thread_id="t", role="user", idempotency_key="k")
    await _rewrite(backend)

    assert first == await storage.history.add_message(
        thread_id="t", role="user", idempotency_key="k"
    )
    assert 1 == await storage.history.count(thread_id="t")


async def test_more_threads_than_are_remembered(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each entry has the session of its own thread all the same."""
    monkeypatch.setattr(lineage, "_MOST_MEMBERSHIPS", 2)
    for n in range(5):
        await storage.sessions.create(id=f"s{n}")
        await storage.threads.create(id=f"t{n}", session_id=f"s{n}")

    for _ in range(2):
        for n in range(5):
            found = await storage.history.add_message(thread_id=f"t{n}", role="user")
            assert f"s{n}" == found.session_id


async def test_a_thread_that_the_unit_makes(storage: Storage) -> None:
    """A unit adds below a thread of its own and below one that it changes in between."""
    await storage.sessions.create(id="s")
    await storage.threads.create(id="old", session_id="s")
    async with storage.unit() as unit:
        await unit.threads.create(id="new", session_id="s")
        for _ in range(2):
            await unit.history.add_message(thread_id="new", role="user")
            await unit.history.add_message(thread_id="old", role="user")
            await unit.threads.update("old", title="changed")

    assert [2, 2] == [await storage.history.count(thread_id=name) for name in ("new", "old")]
    assert 4 == await storage.history.count(session_id="s")


async def test_a_thread_id_that_is_no_text(storage: Storage) -> None:
    """It is refused by name, hashable or not."""
    wrong: list[Any] = [5, ["t"], ""]
    for thread_id in wrong:
        with pytest.raises(Invalid) as caught:
            await storage.history.add_message(thread_id=thread_id, role="user")
        assert "thread_id" == caught.value.facts["field"]


async def test_a_crowd_leaves_the_loop_its_turns(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one message takes all the time of a turn, each has a turn of its own."""
    monkeypatch.setattr(appending, "DOOR", Door(0.5, clock=count().__next__))
    await storage.threads.create(id="t")
    await storage.history.add_message(thread_id="t", role="user", content=-1)
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    crowd = [storage.history.add_message(thread_id="t", role="user", content=n) for n in range(20)]
    added = await asyncio.gather(*crowd)
    ticking.cancel()

    assert list(range(20)) == [message.content for message in added]
    assert [-1, *range(20)] == [m.content for m in await storage.history.messages("t")]
    assert 21 == await storage.history.count(thread_id="t")
    assert turns >= 20


async def test_a_crowd_is_kept_as_it_was_at_the_call(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a caller changes while others are let in before it changes nothing."""
    monkeypatch.setattr(appending, "DOOR", Door(0.5, clock=count().__next__))
    await storage.threads.create(id="t")
    await storage.history.add_message(thread_id="t", role="user")
    contents = [[n] for n in range(20)]
    tasks = [
        asyncio.create_task(
            storage.history.add_message(thread_id="t", role="user", content=content, id=f"m{n}")
        )
        for n, content in enumerate(contents)
    ]
    await asyncio.sleep(0)
    for content in contents:
        content[0] = -1
    await asyncio.gather(*tasks)

    for n in range(20):
        kept = await storage.history.get(f"m{n}")
        assert isinstance(kept, Message)
        assert [n] == kept.content
