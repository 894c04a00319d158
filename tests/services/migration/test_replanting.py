"""States of one store come into another that has states of its own, and both go on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ropewalk.domain.change import Batch, Delete
from ropewalk.domain.checkpoint import CheckpointHeader, Write
from ropewalk.domain.errors import Conflict
from ropewalk.domain.migration import OnConflict, Plan
from ropewalk.domain.query import Query
from ropewalk.domain.source import Source
from ropewalk.factory import open, source_of
from ropewalk.services.storage import Storage

PLAN = Plan(name="merge", batch=40)
NODES = Query(space="default", kinds=("node",), bodies=False)
MORNING = datetime(2026, 1, 1, tzinfo=UTC)
OWN = {"rows": [f"own {n}" for n in range(100)]}


def _state(number: int) -> dict[str, Any]:
    return {
        "step": number,
        "rows": [f"row {n} " * 20 for n in range(60 + number)],
        "typed": [
            Decimal("1.50"),
            timedelta(seconds=1),
            {"a", "b"},
            datetime(2026, 1, 1, tzinfo=UTC),
        ],
        "huge": 10**30,
    }


async def _filled(storage: Storage) -> None:
    await storage.sessions.create(id="s", title="Rome", user_id="ada")
    await storage.threads.create(id="t", session_id="s")
    for number in range(6):
        await storage.checkpoints.save("t", _state(number), metadata={"n": number})
    newest = await storage.checkpoints.latest("t")
    assert newest is not None
    await storage.checkpoints.tag(newest.id, "good")
    assert "raised" not in newest.state
    write = Write(task_id="task", index=0, channel="log", value=["x" * 3_000, Decimal("0.1")])
    await storage.states.put_writes(newest.id, "t", [write], replace=False)
    fork = await storage.checkpoints.fork(newest.id, name="other")
    await storage.checkpoints.append(fork.id, {"rows": ["of the fork"]})
    await storage.history.add_message(role="user", content="hello", thread_id="t")


def _raised(state: dict[str, Any]) -> dict[str, Any]:
    """Mark a state of the version before: those of the test have the present one."""
    return {**state, "raised": True}


async def _own(storage: Storage) -> None:
    await storage.threads.create(id="own")
    await storage.checkpoints.save("own", OWN)


@pytest.fixture(params=["memory"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[list[Storage]]:
    """A filled SQLite store, and another one that has states of its own."""
    urls = {
        "sqlite": f"sqlite:///{tmp_path / 'b.db'}",
        "file": f"file:///{tmp_path / 'c'}",
        "memory": "memory://",
    }
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(open(f"sqlite:///{tmp_path / 'a.db'}"))
        target = await stack.enter_async_context(open(urls[request.param]))
        for storage in (source, target):
            storage.checkpoints.upcast(0, _raised)
        await _filled(source)
        await _own(target)
        yield [source, target]


async def _source(source: Storage, target: Storage, how: str, folder: Path) -> Source:
    if how == "store":
        return source_of(source)
    path = folder / "all.jsonl.zst"
    if not path.exists():
        await source.archives.export(path)
    return target.archives.source(path)


async def _states(storage: Storage) -> dict[str, Any]:
    threads = ["t", *[branch.thread_id for branch in await storage.threads.branches("t")]]
    headers = [h for id_ in threads for h in await storage.checkpoints.list(id_, limit=100)]
    loaded = [await storage.checkpoints.load(header.id) for header in headers]
    return {each.id: replace(each, trunk=None, size=0, version=0) for each in loaded}


@pytest.mark.seed("7.1", "7.5")
@pytest.mark.parametrize(
    ("stores", "how"),
    [("sqlite", "store"), ("file", "archive"), ("memory", "archive")],
    indirect=["stores"],
)
async def test_states_are_planted_anew(stores: list[Storage], how: str, tmp_path: Path) -> None:
    """Equal to the last field, and compared in depth; taken back, the target is what it was."""
    origin, target = stores
    source = await _source(origin, target, how, tmp_path)
    before = await target.migrations.content_hash()

    report = await target.migrations.run(source, PLAN)
    found = await target.migrations.verify(source, PLAN)
    again = await target.migrations.run(source, PLAN)

    assert (True, True, 0) == (report.is_complete, found.is_sound, again.changes)
    counts = (report.brought["checkpoint"], found.compared["checkpoint"], report.brought["write"])
    assert (7, 7, 1) == counts
    assert ["named_anew"] == [note.code for note in report.notes]
    assert (await target.checkpoints.verify()).is_whole
    assert await _states(origin) == await _states(target)
    tagged = await _newest(target)
    [write] = await target.states.writes(tagged.id)
    assert ["x" * 3_000, Decimal("0.1")] == write.value

    await target.migrations.rollback(report.run)
    assert before == await target.migrations.content_hash()
    own = await target.checkpoints.latest("own")
    assert own is not None
    assert OWN == own.state


@pytest.mark.seed("7.4")
async def test_both_go_on(stores: list[Storage]) -> None:
    """What came is gone on from, what is new comes too, and a collection takes none of it."""
    origin, target = stores
    source = source_of(origin)
    await target.migrations.run(source, PLAN)
    await target.checkpoints.append("own", {"rows": ["later"]})
    await origin.checkpoints.save("t", _state(6))

    delta = await target.migrations.run(source, PLAN, since_last=True)
    found = await target.migrations.verify(source, PLAN)
    await target.checkpoints.append("t", {"rows": ["goes on"]})

    assert ({"checkpoint": 1}, True) == (delta.brought, found.is_sound)
    assert 0 == (await target.checkpoints.collect()).removed
    newest = await target.checkpoints.latest("t")
    assert newest is not None
    assert [*_state(6)["rows"], "goes on"] == newest.state["rows"]
    assert (await target.checkpoints.verify()).is_whole


@pytest.mark.parametrize("policy", list(OnConflict))
async def test_a_checkpoint_that_is_there_is_judged(
    stores: list[Storage], policy: OnConflict
) -> None:
    """The same one is present, whatever names its parts; with another one the policy decides."""
    origin, target = stores
    source = source_of(origin)
    await target.migrations.run(source, PLAN)
    await target.checkpoints.set_metadata((await _newest(target)).id, {"n": "mine"})
    plan = replace(PLAN, name="once more", on_conflict=policy)
    if policy is OnConflict.FAIL:
        with pytest.raises(Conflict, match="already") as caught:
            await target.migrations.run(source, plan)
        assert "exists_in_target" == caught.value.code
        return

    report = await target.migrations.run(source, plan)

    assert 6 == report.present["checkpoint"]
    overwritten = policy is OnConflict.OVERWRITE
    assert overwritten == bool(report.replaced.get("checkpoint"))
    assert overwritten != bool(report.kept.get("checkpoint"))
    assert (5 if overwritten else "mine") == (await _newest(target)).metadata["n"]
    assert (await target.checkpoints.verify()).is_whole


async def _newest(storage: Storage) -> CheckpointHeader:
    [tagged] = await storage.checkpoints.tagged("good", thread_id="t")
    return tagged


async def test_a_rehearsal_says_the_same_and_writes_nothing(stores: list[Storage]) -> None:
    """In a store that is thrown away the states are planted with the target's own secret."""
    origin, target = stores
    before = await target.migrations.content_hash()
    async with open("memory://") as scratch:
        told = await scratch.migrations.rehearse(source_of(origin), PLAN, target=target.migrations)
    assert before == await target.migrations.content_hash()
    done = await target.migrations.run(source_of(origin), PLAN)
    assert told.brought == done.brought


async def test_a_state_that_is_damaged_is_named(stores: list[Storage]) -> None:
    """The others come; of the one whose part is missing, the place and the reason are told."""
    origin, target = stores
    backend = origin.migrations.backend
    newest = await origin.checkpoints.latest_header("t")
    assert newest is not None
    before = {r.key async for r in backend.scan(NODES)}
    await origin.checkpoints.save("t", {"rows": [f"new {n} " * 30 for n in range(100)]})
    [lost, *_] = [r.key async for r in backend.scan(NODES) if r.key not in before]
    await backend.apply(Batch((Delete(key=lost),)))

    report = await target.migrations.run(source_of(origin), PLAN)

    assert [("missing_node", 1)] == [(loss.code, loss.count) for loss in report.losses]
    assert 7 == report.brought["checkpoint"]
    assert (await target.checkpoints.verify()).is_whole


async def test_a_copy_that_follows_is_refused(stores: list[Storage]) -> None:
    """Its commits come as they are stored there, so nothing of them may be named anew."""
    origin, target = stores
    before = await target.migrations.content_hash()
    with pytest.raises(Conflict, match="copy into an empty space"):
        await anext(target.migrations.follow(source_of(origin), PLAN))
    assert before == await target.migrations.content_hash()
