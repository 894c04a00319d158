"""Policies: what becomes of a change that meets another one which its author had not seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Corrupt, Invalid, NotFound
from ropewalk.domain.policy import (
    Decision,
    FirstWins,
    LastWins,
    Merge,
    Policy,
    Reject,
    Retry,
    as_names,
    from_names,
)
from ropewalk.domain.ports import Backend
from ropewalk.domain.session import Session
from ropewalk.services.storage import Storage
from ropewalk.services.unit import Unit
from ropewalk.stores.records import RecordStore

pytestmark = pytest.mark.seed("5.2")

MERGE = Merge(fields={"tags": "union", "metadata.n": "sum"}, default="last")


async def _late(
    storage: Storage,
    *,
    policy: Policy | None = None,
    with_base: bool = False,
    decided: Callable[[Decision], object] | None = None,
) -> Session:
    """Change a session that somebody else has changed since it was read."""
    base = await storage.sessions.create(
        id="s", title="base", tags=["a"], metadata={"n": 1, "k": "base"}
    )
    await storage.sessions.update("s", tags=["a", "b"], metadata={"n": 4, "theirs": True})
    return await storage.sessions.update(
        "s",
        tags=["a", "c"],
        metadata={"n": 3, "k": "mine"},
        expected_version=1,
        policy=policy,
        base=base if with_base else None,
        decided=decided,
    )


@pytest.mark.parametrize(
    ("policy", "tags", "metadata"),
    [
        (LastWins(), ("a", "c"), {"n": 3, "k": "mine", "theirs": True}),
        (Retry(), ("a", "c"), {"n": 3, "k": "mine", "theirs": True}),
        (FirstWins(), ("a", "b"), {"n": 4, "k": "base", "theirs": True}),
        (MERGE, ("a", "b", "c"), {"n": 6, "k": "mine", "theirs": True}),
    ],
)
async def test_a_late_change_is_settled(
    storage: Storage, policy: Policy, tags: tuple[str, ...], metadata: dict[str, Any]
) -> None:
    """Who is late writes on top, gives way, or is merged against what it had read."""
    decisions: list[Decision] = []

    session = await _late(storage, policy=policy, with_base=True, decided=decisions.append)

    assert (tags, metadata) == (session.tags, session.metadata)
    [decision] = decisions
    written = not isinstance(policy, FirstWins)
    assert (policy, 2, 2 + written, written) == (
        decision.policy,
        decision.met,
        decision.version,
        decision.written,
    )
    assert session.version == decision.version
    both = {"tags": "union", "metadata.n": "sum"} if policy is MERGE else {}
    assert both == decision.reduced


async def test_without_a_policy_the_late_one_is_told(storage: Storage) -> None:
    """An expected version alone is a lock, as `Reject` is; nothing is written."""
    with pytest.raises(Conflict) as caught:
        await _late(storage)
    with pytest.raises(Conflict):
        await storage.sessions.update("s", title="x", expected_version=1, policy=Reject())

    assert ("version", 1, 2) == (
        caught.value.code,
        caught.value.facts["expected"],
        caught.value.facts["actual"],
    )
    assert ("base", 2) == ((s := await storage.sessions.get("s")).title, s.version)


async def test_a_merge_needs_its_base(storage: Storage) -> None:
    """Where nothing is known of what was read, a merge says what to hand in; it does not guess."""
    with pytest.raises(Conflict, match="hand in what you had read") as caught:
        await _late(storage, policy=MERGE)

    assert "no_base" == caught.value.code


async def test_what_no_reducer_decides_is_a_conflict(storage: Storage) -> None:
    """Without a default, places that both have changed are named, and nothing is written."""
    with pytest.raises(Conflict, match=r"metadata\.n") as caught:
        await _late(storage, policy=Merge(fields={"tags": "union"}), with_base=True)

    assert ("metadata.n",) == caught.value.facts["paths"]
    assert 2 == (await storage.sessions.get("s")).version


async def test_threads_take_policies_too(storage: Storage) -> None:
    """A thread is merged as a session is; a thread that is gone is not made anew."""
    base = await storage.threads.create(id="t", title="base", metadata={"n": 1})
    await storage.threads.update("t", metadata={"n": 2})
    merged = await storage.threads.update(
        "t", metadata={"n": 5}, base=base, policy=Merge(fields={"metadata.n": "max"})
    )
    await storage.threads.delete("t")

    assert 5 == merged.metadata["n"]
    for policy in (LastWins(), FirstWins(), MERGE):
        with pytest.raises(NotFound):
            await storage.threads.update("t", title="x", base=base, policy=policy)


async def test_plain_records_take_policies(storage: Storage) -> None:
    """`save` and `update` of plain records are settled as the others are."""
    records = storage.records
    await records.save({"id": "r", "type": "note", "data": {"n": 1, "log": ["a"]}})
    base = await records.load("r")
    assert base is not None
    await records.update("r", {"data": {"n": 3, "log": ["a", "b"]}})
    policy = Merge(fields={"data.n": "sum", "data.log": "append"})
    mine = {**base, "data": {"n": 2, "log": ["a", "c"], "new": True}}

    await records.save(mine, base=base, policy=policy)

    row = await records.load("r")
    assert row is not None
    assert {"n": 4, "log": ["a", "b", "c"], "new": True} == row["data"]
    assert await records.update("r", {"data": {"n": 0}}, base=base, policy=FirstWins())
    assert await records.update("r", {"data": {"x": 1}}, base=row, policy=Reject())
    assert not await records.update("none", {"data": {"x": 1}}, policy=LastWins())
    with pytest.raises(Conflict):
        await records.update("r", {"data": {"x": 2}}, expected_version=1, policy=Reject())
    with pytest.raises(Conflict):
        await records.update("none", {"data": {"x": 2}}, expected_version=1, policy=LastWins())
    with pytest.raises(Invalid, match=r"storage\.sessions"):
        await records.save({"id": "s", "type": "session"}, policy=LastWins())
    row = await records.load("r")
    assert row is not None
    assert (4, 1, 4) == (row["data"]["n"], row["data"]["x"], row["version"])


async def test_who_has_seen_nothing_makes_it_new(storage: Storage) -> None:
    """A save with a policy and no version insists on being the first, gives way, or overwrites."""
    records = storage.records
    one, two = ({"id": "r", "type": "note", "data": {"by": by}} for by in ("one", "two"))
    await records.save(one, policy=Reject())
    with pytest.raises(Conflict):
        await records.save(two, policy=Reject())

    await records.save(two, policy=FirstWins())
    assert {"by": "one"} == (await records.load("r") or {})["data"]
    await records.save(two, policy=LastWins())
    assert {"by": "two"} == (await records.load("r") or {})["data"]


async def test_a_policy_holds_for_a_kind(storage: Storage) -> None:
    """A handle's policy counts before the space's, one for the kind before one for all."""
    await storage.records.save({"id": "r", "type": "note", "data": {"by": 0}})

    async def late(by: int, version: int) -> int:
        await storage.records.update("r", {"data": {"by": by}}, expected_version=version)
        return int((await storage.records.load("r") or {})["data"]["by"])

    await storage.records.update("r", {"data": {"by": 1}})
    with pytest.raises(Conflict):
        await late(2, 1)
    await storage.policies.keep("*", LastWins())
    assert 3 == await late(3, 1)
    await storage.policies.keep("note", FirstWins())
    assert 3 == await late(4, 1)
    storage.policies.set("*", LastWins())
    assert 5 == await late(5, 1)
    storage.policies.set("note", Reject())
    with pytest.raises(Conflict):
        await late(6, 1)
    storage.policies.set("note", None)
    storage.policies.set("*", None)
    await storage.policies.keep("note", None)
    assert {"*": LastWins()} == await storage.policies.kept()
    assert 7 == await late(7, 1)


def _middle(*sides: object) -> object:
    return sides[1]


async def test_what_a_space_keeps_others_see(storage: Storage) -> None:
    """A kept policy is read by every handle to the space, and by no other space."""
    policy = Merge(fields={"tags": "union"}, default="first")
    await storage.policies.keep("session", policy)
    again = storage.space(storage.space_name)

    assert policy == await again.policies.of("session")
    assert await storage.space("other").policies.of("session") is None
    with pytest.raises(Invalid, match="for this handle alone"):
        await storage.policies.keep("session", Merge(default=_middle))
    with pytest.raises(Invalid, match="which keeps their rules"):
        await storage.records.save({"id": "session", "type": "policy"})


async def test_a_kept_policy_that_makes_no_sense_is_damage(
    storage: Storage, backend: Backend, clock: FrozenClock
) -> None:
    """A policy that this version does not know is named, instead of being taken for another."""
    below = RecordStore(backend, make_pipeline(), clock, space=storage.space_name, doors={})
    await below.save({"id": "note", "type": "policy", "data": {"policy": "roll_dice"}})

    with pytest.raises(Corrupt, match="roll_dice"):
        await storage.policies.of("note")


@pytest.mark.parametrize(
    "policy",
    [
        Reject(),
        LastWins(),
        FirstWins(),
        Retry(attempts=3, deadline=1.5),
        Merge(),
        Merge(fields={"data.n": "sum"}, default="last"),
    ],
)
def test_a_policy_has_a_name(policy: Policy) -> None:
    """What is written by names is read back as the same policy."""
    assert policy == from_names(as_names(policy), field="policy")


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("last_win", "last_wins"),
        ({"policy": "merge", "feilds": {}}, "fields"),
        ({"policy": "merge", "default": "unoin"}, "union"),
        ({"policy": "reject", "attempts": 1}, "attempts"),
        ({"policy": "retry", "attempts": 0}, "attempts"),
        ({"policy": "merge", "fields": ["tags"]}, "table of paths"),
        ({"policy": "merge", "fields": {"tags": 1}}, "table of paths"),
        ({}, "there is no policy None"),
        (7, "name of a policy"),
    ],
)
def test_a_policy_that_there_is_not_is_refused(raw: object, told: str) -> None:
    """The error says what is wrong with the name or the table."""
    with pytest.raises(Invalid, match=told):
        from_names(raw, field="policy.note")


async def test_wrong_arguments_are_refused(storage: Storage) -> None:
    """A policy that is none, an unknown argument and two versions are named, and change nothing."""
    session = await storage.sessions.create(id="s")
    update = cast("Callable[..., Awaitable[object]]", storage.sessions.update)
    for wrong in (
        {"policy": "merge"},
        {"polcy": LastWins()},
        {"base": session, "expected_version": 7},
        {"base": object()},
    ):
        with pytest.raises(Invalid):
            await update("s", title="x", **wrong)

    assert 1 == (await storage.sessions.get("s")).version


async def _race(storage: Storage, unit: Unit) -> None:
    """Change in a unit what somebody else then changes as well."""
    await unit.sessions.update("s", tags=["a", "c"], metadata={"n": 3})
    await unit.records.update("r", {"data": {"n": 3}})
    await unit.records.save({"id": "new", "type": "note", "data": {"by": "unit"}})
    await storage.sessions.update("s", tags=["a", "b"], metadata={"n": 4})
    await storage.records.update("r", {"data": {"n": 11}}, type="note")


@pytest.mark.parametrize(
    ("policy", "tags", "n", "data"),
    [
        (LastWins(), ("a", "c"), 3, 3),
        (FirstWins(), ("a", "b"), 4, 11),
        (
            Merge(fields={"tags": "union", "metadata.n": "sum", "data.n": "max"}),
            ("a", "b", "c"),
            6,
            11,
        ),
    ],
)
async def test_a_unit_is_settled_as_a_whole(
    storage: Storage, policy: Policy, tags: tuple[str, ...], n: int, data: int
) -> None:
    """Each record that a unit has changed is settled against what the unit had read."""
    await storage.sessions.create(id="s", tags=["a"], metadata={"n": 1})
    await storage.records.save({"id": "r", "type": "note", "data": {"n": 10}})

    async with storage.unit(policy=policy) as unit:
        await _race(storage, unit)

    session = await storage.sessions.get("s")
    row = await storage.records.load("r")
    assert row is not None
    assert (tags, n, data) == (session.tags, session.metadata["n"], row["data"]["n"])
    assert await storage.records.exists("new")
    assert {("session", "s"), ("note", "r")} == {(d.kind, d.id) for d in unit.decisions}
    versions = {"s": session.version, "r": row["version"]}
    assert versions == {d.id: d.version for d in unit.decisions}


@pytest.mark.parametrize("policy", [None, Reject(), Merge(fields={"metadata.n": "sum"})])
async def test_a_unit_that_is_not_settled_writes_nothing(
    storage: Storage, policy: Policy | None
) -> None:
    """Without a policy, or where a merge leaves a place undecided, nothing of a unit is written."""
    await storage.sessions.create(id="s", tags=["a"], metadata={"n": 1})
    await storage.records.save({"id": "r", "type": "note", "data": {"n": 10}})
    before = len([commit async for commit in storage.feed()])

    with pytest.raises(Conflict) as caught:
        async with storage.unit(policy=policy) as unit:
            await _race(storage, unit)

    assert before + 2 == len([commit async for commit in storage.feed()])
    assert not await storage.records.exists("new")
    assert ("merge" if isinstance(policy, Merge) else "version") == caught.value.code


async def test_what_a_unit_only_read_is_not_settled(storage: Storage) -> None:
    """A policy decides about changes; what a unit rests on must be as it was."""
    await storage.sessions.create(id="a")
    await storage.sessions.create(id="b")

    with pytest.raises(Conflict):
        async with storage.unit(policy=LastWins()) as unit:
            read = await unit.sessions.get("a")
            await unit.sessions.update("b", title=f"by {read.title}")
            await storage.sessions.update("a", title="other")

    assert "" == (await storage.sessions.get("b")).title


async def test_a_unit_follows_the_policy_of_a_kind(storage: Storage) -> None:
    """Without one of its own a unit asks for each kind: one may be merged, another not."""
    await storage.sessions.create(id="s", tags=["a"], metadata={"n": 1})
    await storage.records.save({"id": "r", "type": "note", "data": {"n": 10}})
    storage.policies.set("session", MERGE)

    with pytest.raises(Conflict):
        async with storage.unit() as unit:
            await _race(storage, unit)
    storage.policies.set("note", LastWins())
    async with storage.unit() as unit:
        await _race(storage, unit)

    assert {"s": MERGE, "r": LastWins()} == {d.id: d.policy for d in unit.decisions}
