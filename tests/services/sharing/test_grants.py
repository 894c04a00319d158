"""What one space lets another see or change: exactly that, for as long as it holds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Denied, Invalid, NotFound, RopewalkError
from ropewalk.domain.grant import Mode, Scope
from ropewalk.services.storage import Storage

from ..filling import fill

pytestmark = [pytest.mark.seed("5.4"), pytest.mark.seed("3.6")]


@pytest.fixture
async def owner(storage: Storage, clock: FrozenClock) -> Storage:
    """A space with something of everything in session `s`, and another session beside it."""
    handle = storage.space("owner")
    await fill(handle, "shown", clock=clock)
    await handle.sessions.create(id="s2", title="hidden")
    await handle.threads.create(id="t2", session_id="s2")
    await handle.history.add_message(thread_id="t2", role="user", content="hidden", id="m2")
    await handle.checkpoints.save("t2", {"log": ["hidden"] * 50}, id="c9")
    return handle


@pytest.fixture
def guest(storage: Storage) -> Storage:
    """A handle confined to the space that things are shared with."""
    return storage.space("guest")


async def test_without_a_grant_nothing_is_shared(owner: Storage, guest: Storage) -> None:
    """Whether the space exists or not, the refusal is the same, and says what is needed."""
    for name in (owner.space_name, "nobody"):
        with pytest.raises(Denied, match="has no grant to read anything") as refused:
            await guest.shared(name)
        assert "no_grant" == refused.value.code
        assert "storage.grants.give('guest', whole=True, mode='read')" in refused.value.message


async def test_a_session_comes_with_all_that_belongs_to_it(owner: Storage, guest: Storage) -> None:
    """Threads, history, states with their nodes, snapshots and branches; and nothing beside."""
    await owner.grants.give("guest", session_id="s")
    shared = await guest.shared("owner")

    assert ["s"] == [session.id for session in await shared.sessions.list()]
    assert {"t", "f"} == {thread.id for thread in await shared.threads.list()}
    assert ["m"] == [message.id for message in await shared.history.messages("t")]
    assert 6 == len(await shared.history.page())
    state = (await shared.checkpoints.load("c2")).state
    assert (2, "shown 99") == (state["step"], state["log"][-1])
    assert ["i"] == [each.id for each in await shared.sessions.interactions("s")]
    assert ["shown"] == [each.name for each in await shared.threads.snapshots("t")]
    assert ["f"] == [branch.thread_id for branch in await shared.threads.branches("t")]
    assert 1 == (await shared.history.token_statistics()).record_count
    assert ("t", "t") == tuple(h.thread_id for h in (await shared.checkpoints.list("f")).items)
    assert 3 == (await shared.kinds())["checkpoint"]

    assert await shared.threads.find("t2") is None
    assert await shared.checkpoints.find("c9") is None
    assert await shared.history.find("m2") is None
    for refused in (shared.sessions.get("s2"), shared.threads.list(session_id="s2"),
                    shared.memories.namespaces()):  # fmt: skip
        with pytest.raises(Denied, match="has no grant to read"):
            await refused
    told = {change.key.id async for commit in shared.feed() for change in commit.changes}
    assert {"s", "t", "m", "c2"} <= told
    assert not {"s2", "t2", "m2", "c9", "old"} & told


async def test_a_kind_comes_without_the_others(owner: Storage, guest: Storage) -> None:
    """Of every session, and with what its records consist of; another kind is refused by name."""
    await owner.grants.give("guest", kind="message")
    await owner.grants.give("guest", kind="checkpoint")
    shared = await guest.shared("owner")

    assert {"m", "m2"} == {entry.id for entry in await shared.history.page()}
    assert ["hidden"] * 50 == (await shared.checkpoints.load("c9")).state["log"]
    with pytest.raises(Denied) as refused:
        await shared.threads.get("t")
    assert ("no_grant", "thread") == (refused.value.code, refused.value.facts["kind"])
    assert "give('guest', kind='thread', mode='read')" in refused.value.message


@pytest.mark.parametrize("scope", [{"session_id": "s"}, {"whole": True}])
async def test_who_may_write_writes(
    owner: Storage, guest: Storage, scope: dict[str, str | bool]
) -> None:
    """Messages, states, forks and whole units land in the granting space, and stay readable."""
    await owner.grants.give("guest", mode="write", **scope)  # type: ignore[arg-type]
    shared = await guest.shared("owner")

    await shared.history.add_message(thread_id="t", role="user", content="from outside", id="new")
    header = await shared.checkpoints.append("t", {"log": ["more"]})
    fork = await shared.threads.fork("t", at="c0")
    async with shared.unit() as unit:
        assert 3 == await unit.threads.count(session_id="s")
        thread = await unit.threads.create(session_id="s", id="made")
        await unit.checkpoints.save(thread.id, {"by": ["guest"] * 500})
    for n in range(30):
        await shared.checkpoints.save("made", {"by": ["guest"] * 500, "long": "word " * n, "n": n})

    assert "from outside" == (await owner.history.messages("t"))[-1].content
    assert "more" == (await owner.checkpoints.load(header.id)).state["log"][-1]
    assert {"log": [f"shown {n}" for n in range(100)], "step": 0} == (
        await owner.checkpoints.load((await owner.checkpoints.list(fork.id)).items[0].id)
    ).state
    assert 31 == await owner.checkpoints.count("made")
    assert [] == list((await owner.checkpoints.verify()).damages)
    assert 0 == await guest.threads.count()


async def test_who_may_read_writes_nothing(owner: Storage, guest: Storage) -> None:
    """Each write is refused with the grant that it would need, and changes nothing."""
    await owner.grants.give("guest", whole=True)
    shared = await guest.shared("owner")
    before = [commit.seq async for commit in owner.feed()]
    for work in (
        shared.sessions.create(),
        shared.sessions.update("s", title="x"),
        shared.sessions.delete("s", cascade="all"),
        shared.threads.fork("t"),
        shared.history.add_message(thread_id="t", role="user"),
        shared.checkpoints.save("t", {}),
        shared.checkpoints.delete("c2"),
        shared.records.save({"type": "note"}),
        shared.records.delete("r"),
        shared.checkpoints.collect(),
    ):
        with pytest.raises(Denied, match="has no grant to write") as refused:
            await work
        assert "write" == refused.value.facts["mode"]
    assert before == [commit.seq async for commit in owner.feed()]


async def test_a_session_is_no_way_to_another(owner: Storage, guest: Storage) -> None:
    """With a session to write in, nothing can be moved out, moved in, taken over or removed."""
    await owner.grants.give("guest", session_id="s", mode="write")
    shared = await guest.shared("owner")
    before = [commit.seq async for commit in owner.feed()]
    hidden = await owner.threads.get("t2")
    for work in (
        shared.sessions.create(id="s3"),
        shared.sessions.delete("s", cascade="detach"),
        shared.threads.create(session_id="s2"),
        shared.threads.create(),
        shared.threads.create(id="t2", session_id="s"),
        shared.threads.adopt(hidden),
        shared.history.add_message(thread_id="t2", role="user"),
        shared.checkpoints.copy("c9", to="t"),
        shared.checkpoints.copy("c2", to="t2"),
        shared.checkpoints.save("t2", {}),
        shared.checkpoints.delete("c9"),
        shared.records.save({"id": "r", "type": "note", "session_id": "s"}),
        shared.records.save({"type": "note", "session_id": "s2"}),
        shared.checkpoints.collect(),
    ):
        with pytest.raises((Denied, NotFound)):
            await work
    assert not await shared.records.delete("r")
    assert before == [commit.seq async for commit in owner.feed()]


async def test_a_guest_is_no_owner(storage: Storage, owner: Storage, guest: Storage) -> None:
    """It gives nothing on, follows no other grants, manages nothing, and opens no parts."""
    await owner.grants.give("guest", whole=True, mode="write")
    await storage.space("third").grants.give("owner", whole=True)
    shared = await guest.shared("owner")
    for work in (
        shared.grants.give("third", whole=True),
        shared.grants.given(),
        shared.grants.received(),
        shared.grants.revoke("x"),
        shared.shared("third"),
        shared.spaces.list(),
        shared.spaces.get("owner"),
        shared.switch("memory://"),
        shared.records.list({"type": "grant"}),
        shared.records.load("owner", type="space"),
    ):
        with pytest.raises(Denied):
            await work
    for name in ("owner", "guest"):
        with pytest.raises(Denied):
            shared.space(name)
    for kind in ("secret", "node"):
        with pytest.raises(Invalid, match="cannot be opened here"):
            await shared.records.list({"type": kind})
    await shared.close()
    assert await owner.sessions.exists("s")


async def test_a_grant_ends_by_itself(owner: Storage, guest: Storage, clock: FrozenClock) -> None:
    """At its time by the store's clock it is gone, for a handle that is open as well."""
    grant = await owner.grants.give("guest", session_id="s", ttl=timedelta(hours=1), note="try")
    shared = await guest.shared("owner")
    assert 2 == await shared.threads.count()
    assert (grant,) == await owner.grants.given(to="guest") == await guest.grants.received()

    clock.advance(3_600_000_000)

    with pytest.raises(Denied, match="has no grant"):
        await shared.threads.count()
    assert () == await owner.grants.given(to="guest") == await guest.grants.received()
    with pytest.raises(NotFound):
        await owner.grants.revoke(grant.id)


async def test_a_grant_is_taken_back(owner: Storage, guest: Storage) -> None:
    """The very next call is refused; another grant that there is goes on."""
    session = await owner.grants.give("guest", session_id="s", mode=Mode.WRITE)
    kind = await owner.grants.give("guest", kind="message")
    shared = await guest.shared("owner")
    await shared.threads.update("t", title="mine")

    await owner.grants.revoke(session.id)

    for work in (shared.threads.get("t"), shared.threads.update("t", title="again")):
        with pytest.raises(Denied):
            await work
    assert 2 == len(await shared.history.page())
    await owner.grants.revoke(kind.id)
    with pytest.raises(Denied, match="anything"):
        await shared.history.page()
    with pytest.raises(NotFound, match="there is no grant"):
        await owner.grants.revoke(kind.id)


async def test_one_grant_for_a_scope(owner: Storage, guest: Storage) -> None:
    """Given again it is changed, so that one revocation is enough."""
    first = await owner.grants.give("guest", session_id="s", mode="write", note="a")
    again = await owner.grants.give("guest", session_id="s", note="b")

    assert (first.id, Mode.READ, "b") == (again.id, again.mode, again.note)
    assert Scope(session_id="s") == again.scope
    assert 1 == len(await guest.grants.received())
    assert {"elsewhere", "guest"} == {grant.to for grant in await owner.grants.given()}
    shared = await guest.shared("owner")
    with pytest.raises(Denied, match="to write"):
        await shared.threads.update("t", title="x")


async def test_what_cannot_be_given(owner: Storage) -> None:
    """Nothing, two things, parts of things, to oneself, in the past: `Invalid` names the field."""
    give = owner.grants.give
    for field, work in (
        ("kind", give("guest")),
        ("kind", give("guest", kind="message", session_id="s")),
        ("kind", give("guest", kind="secret")),
        ("kind", give("guest", kind="grant")),
        ("kind", give("guest", kind="")),
        ("to", give("owner", whole=True)),
        ("to", give("", whole=True)),
        ("mode", give("guest", whole=True, mode="rule")),
        ("ttl", give("guest", whole=True, ttl=timedelta(0))),
    ):
        with pytest.raises(Invalid) as refused:
            await work
        assert field == refused.value.facts["field"]
    with pytest.raises(NotFound, match="no session 'none'"):
        await give("guest", session_id="none")
    assert 1 == len(await owner.grants.given())


async def test_no_write_behind_a_revocation(owner: Storage, guest: Storage) -> None:
    """Of many writes that race with it, each is before it in the log, or is refused."""
    grant = await owner.grants.give("guest", session_id="s", mode="write")
    shared = await guest.shared("owner")
    written: list[str] = []
    busy = asyncio.Event()

    async def write(n: int) -> None:
        for turn in range(20):
            name = f"raced-{n}-{turn}"
            await shared.history.add_message(thread_id="t", role="user", content="x", id=name)
            written.append(name)
            if len(written) == 10:
                busy.set()

    writers = [asyncio.create_task(write(n)) for n in range(8)]
    await busy.wait()
    await owner.grants.revoke(grant.id)
    ends = await asyncio.gather(*writers, return_exceptions=True)

    assert {Denied} == {type(end) for end in ends}
    commits = [commit async for commit in owner.feed()]
    [revoked] = [c.seq for c in commits if any(k.key.id == grant.id and not k.version
                                               for k in c.changes)]  # fmt: skip
    raced = {
        change.key.id: commit.seq
        for commit in commits
        for change in commit.changes
        if change.key.id.startswith("raced")
    }
    assert set(written) == set(raced)
    assert max(raced.values()) < revoked


async def test_a_changed_grant_does_not_stop_a_writer(owner: Storage, guest: Storage) -> None:
    """While a grant is renewed again and again, every write that it allows goes through."""
    await owner.grants.give("guest", session_id="s", mode="write")
    shared = await guest.shared("owner")

    async def renew() -> None:
        for n in range(30):
            await owner.grants.give("guest", session_id="s", mode="write", note=str(n))

    async def write() -> None:
        for _ in range(15):
            await shared.history.add_message(thread_id="t", role="user", content="x")

    await asyncio.gather(renew(), write(), write())

    assert 31 == len(await owner.history.messages("t"))


async def test_a_unit_of_a_guest_meets_others(owner: Storage, guest: Storage) -> None:
    """A unit commits what it read, or `Conflict` says that somebody changed it meanwhile."""
    await owner.grants.give("guest", session_id="s", mode="write")
    shared = await guest.shared("owner")

    async with shared.unit() as unit:
        assert await unit.threads.find("t2") is None
        assert ["m"] == [m.id for m in await unit.history.messages("t")]
        await unit.threads.update("t", title="read")
    assert "read" == (await owner.threads.get("t")).title

    with pytest.raises(RopewalkError) as refused:
        async with shared.unit() as unit:
            title = (await unit.threads.get("t")).title
            await owner.threads.update("t", title="quicker")
            await unit.threads.update("f", title=title)
    assert isinstance(refused.value, Conflict)
    assert "quicker" == (await owner.threads.get("t")).title
