"""The open house: spaces that cannot see each other, health, and the feed of one space."""

from __future__ import annotations

import pytest

from ropewalk.domain.errors import Conflict, Invalid, NotFound, Unavailable
from ropewalk.domain.health import State
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("5.3")


async def test_a_space_sees_nothing_of_another(storage: Storage) -> None:
    """No read, list, count, sum or feed of one space knows what another holds."""
    other = storage.space("workflow-b")
    await storage.sessions.create(id="s", user_id="u")
    await storage.threads.create(id="t", session_id="s")
    await storage.history.add_token_usage(
        thread_id="t", model="m", prompt_tokens=1, completion_tokens=1, id="h"
    )
    await storage.checkpoints.save("t", {}, id="c")
    await storage.records.save({"id": "x", "type": "note"})

    assert [] == list(await other.sessions.list(user_id="u"))
    assert [] == list(await other.threads.list())
    assert [] == list(await other.history.page())
    assert [] == [h async for h in other.checkpoints.stream()]
    assert [] == await other.records.list()
    assert 0 == (await other.history.token_statistics()).record_count
    assert {} == await other.kinds()
    assert [] == [commit async for commit in other.feed()]
    assert await other.records.load("x") is None
    for call in (other.sessions.get("s"), other.threads.get("t"), other.history.get("h"),
                 other.checkpoints.load("c"), other.threads.fork("t")):  # fmt: skip
        with pytest.raises(NotFound):
            await call


async def test_the_same_id_lives_in_two_spaces(storage: Storage) -> None:
    """Ids are unique within a space, and deleting in one leaves the other alone."""
    other = storage.space("other")
    await storage.sessions.create(id="s", title="mine")
    await other.sessions.create(id="s", title="theirs")
    with pytest.raises(Conflict):
        await other.sessions.create(id="s")

    await storage.sessions.delete("s")

    assert "theirs" == (await other.sessions.get("s")).title
    assert {"other": 1} == await storage.spaces.counts()
    assert ("default", "other") == (storage.space_name, other.space_name)


async def test_a_unit_stays_in_its_space(storage: Storage) -> None:
    """A unit of one space writes into that space."""
    async with storage.space("b").unit() as unit:
        await unit.sessions.create(id="s")

    assert not await storage.sessions.exists("s")
    assert await storage.space("b").sessions.exists("s")


async def test_a_space_needs_a_name(storage: Storage) -> None:
    """An empty name, or one that cannot be written, is refused."""
    for name in ("", "\ud800", "x" * 2_000):
        with pytest.raises(Invalid):
            storage.space(name)


@pytest.mark.seed("2.5")
async def test_a_healthy_store_says_so(storage: Storage) -> None:
    """An open store is healthy, a closed one is down with a reason, and says so when used."""
    assert State.HEALTHY == (await storage.ping()).state

    await storage.close()

    health = await storage.ping()
    assert State.DOWN == health.state
    assert health.reasons
    with pytest.raises(Unavailable):
        await storage.sessions.create()


async def test_a_store_put_together_by_hand_cannot_be_switched(storage: Storage) -> None:
    """Without a factory there is nobody who could open the other store."""
    with pytest.raises(Invalid, match="put together by hand"):
        await storage.switch("memory://")
