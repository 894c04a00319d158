"""A copy that follows its source is what the source is, each commit of it applied once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.migration import JOURNAL, Followed, OnConflict, Plan
from ropewalk.domain.record import Key
from ropewalk.factory import open, open_source, source_of
from ropewalk.services.storage import Storage

PLAN: Final = Plan(name="copy", batch=20)

pytestmark = pytest.mark.seed("7.4")


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Storage, Storage]]:
    """Open a store with something in it, and an empty one."""
    async with open("memory://") as source, open("memory://") as target:
        await source.sessions.create(id="s")
        yield source, target


async def level(source: Storage, target: Storage, plan: Plan = PLAN) -> Followed:
    """Follow until the target has everything; return the last step."""
    steps = target.migrations.follow(source_of(source), plan)
    async with aclosing(steps):
        async for step in steps:
            if step.is_level and step.position >= await newest(source):
                return step
    raise AssertionError


async def newest(storage: Storage) -> int:
    """Return the number of the newest commit of a store."""
    return await storage.migrations.backend.changed(-1)


async def sums(*stores: Storage) -> set[str]:
    """Return the sums over the content of stores."""
    return {await storage.migrations.content_hash() for storage in stores}


async def brought(storage: Storage) -> Counter[tuple[Key, int]]:
    """Count what the commits of a store changed, journals apart."""
    commits = [commit async for commit in storage.migrations.backend.feed(0)]
    return Counter(
        (change.key, change.version)
        for commit in commits
        for change in commit.changes
        if change.key.kind not in JOURNAL
    )


async def work(storage: Storage, number: int) -> None:
    """Do what a program does: a thread with messages and states, some of it taken away again."""
    thread = await storage.threads.create(id=f"t{number}", session_id="s")
    for turn in range(4):
        await storage.history.add_message(thread_id=thread.id, role="user", content=f"{turn} hello")
        await storage.checkpoints.save(thread.id, {"turns": list(range(turn * 40)), "n": number})
    await storage.sessions.update("s", title=f"by {number}")
    if number % 3 == 2:
        await storage.threads.delete(f"t{number - 1}")


async def test_what_is_committed_while_it_follows_comes_to_the_copy(
    pair: tuple[Storage, Storage],
) -> None:
    """New records, changed ones, states and what is removed; versions and times are the same."""
    source, target = pair
    await work(source, 0)
    steps = target.migrations.follow(source_of(source), PLAN)
    async with aclosing(steps):
        first = await anext(steps)
        assert (True, 0) == (first.is_level, first.records)
        for number in range(1, 8):
            await work(source, number)
            while not (step := await anext(steps)).position >= await newest(source):
                pass
            assert step.commits
            assert 1 == len(await sums(source, target))
    report = await target.migrations.get("last")
    assert await newest(source) == report.position
    assert report.removed["thread"] == 2
    # The copy is one that works: it goes on by itself.
    await target.checkpoints.save("t7", {"n": "own"})


async def test_broken_off_anywhere_it_goes_on_and_applies_nothing_twice(
    pair: tuple[Storage, Storage],
) -> None:
    """The position is in the batch of what was changed: each change reaches the target once."""
    source, target = pair
    await level(source, target)
    for number in range(12):
        await work(source, number)
        # The next begins in the midst of what this one leaves.
        steps = target.migrations.follow(source_of(source), replace(PLAN, batch=7))
        async with aclosing(steps):
            await anext(steps)
            await anext(steps)
    await level(source, target)
    assert 1 == len(await sums(source, target))
    assert {1} == set((await brought(target)).values())
    assert 1 == len(await target.migrations.runs())


async def test_a_record_that_was_removed_and_made_anew(pair: tuple[Storage, Storage]) -> None:
    """Its versions begin again, in the copy as well."""
    source, target = pair
    await source.sessions.update("s", title="old")
    await source.sessions.update("s", title="older")
    await level(source, target)
    await source.sessions.delete("s")
    await source.sessions.create(id="s", title="new")
    await level(source, target)
    assert ("new", 1) == (
        (await target.sessions.get("s")).title,
        (await target.sessions.get("s")).version,
    )
    assert 1 == len(await sums(source, target))


async def test_a_commit_bigger_than_a_batch_is_noted_with_its_last_part(
    pair: tuple[Storage, Storage],
) -> None:
    """A unit of work of a hundred records, in batches of twenty."""
    source, target = pair
    await level(source, target)
    async with source.unit() as unit:
        for number in range(100):
            await unit.sessions.create(id=f"many{number}")
    step = await level(source, target)
    assert (1, 100) == (step.commits, step.records)
    async with source.unit() as unit:
        for number in range(100):
            await unit.sessions.delete(f"many{number}")
    assert 100 == (await level(source, target)).records
    assert 1 == len(await sums(source, target))


async def test_where_commits_were_forgotten_everything_is_compared(
    pair: tuple[Storage, Storage],
) -> None:
    """Also what was removed meanwhile is removed then; another run begins."""
    source, target = pair
    await work(source, 0)
    await level(source, target)
    await work(source, 1)
    await work(source, 2)
    await source.migrations.backend.trim(await newest(source))
    await level(source, target)
    assert 1 == len(await sums(source, target))
    assert 2 == len(await target.migrations.runs())


async def test_a_source_that_is_older_than_it_was_is_compared() -> None:
    """A backup was put in its place: what it has not is taken away."""
    async with open("memory://") as source, open("memory://") as old, open("memory://") as target:
        for each in (source, old):
            await each.sessions.create(id="s")
        await work(source, 0)
        await level(source, target)
        await level(old, target, replace(PLAN, on_conflict=OnConflict.OVERWRITE))
        assert ["s"] == [each.id async for each in target.sessions.stream()]
        assert [] == [each.id async for each in target.threads.stream()]


@pytest.mark.parametrize("policy", [OnConflict.FAIL, OnConflict.OVERWRITE, OnConflict.SKIP])
async def test_what_somebody_else_changed_in_the_copy(
    policy: OnConflict, pair: tuple[Storage, Storage]
) -> None:
    """The plan says what becomes of it; nothing is lost by chance."""
    source, target = pair
    await source.sessions.create(id="gone")
    await level(source, target)
    for id_ in ("s", "gone"):
        await target.sessions.update(id_, title="mine")
    await source.sessions.update("s", title="theirs")
    plan = replace(PLAN, on_conflict=policy)
    if policy is OnConflict.FAIL:
        with pytest.raises(Conflict) as caught:
            await level(source, target, plan)
        assert "exists_in_target" == caught.value.code
        return
    await level(source, target, plan)
    await source.sessions.delete("gone")
    await level(source, target, plan)
    titles = {each.id: each.title async for each in target.sessions.stream()}
    overwritten = {"s": "theirs"}
    assert (
        overwritten if policy is OnConflict.OVERWRITE else dict.fromkeys(("gone", "s"), "mine")
    ) == titles


async def test_two_at_once_do_not_both_go_on(pair: tuple[Storage, Storage]) -> None:
    """Whoever comes second is told; what was applied stands once."""
    source, target = pair
    await level(source, target)
    both = [target.migrations.follow(source_of(source), PLAN) for _ in range(2)]
    async with AsyncExitStack() as stack:
        for steps in both:
            await stack.enter_async_context(aclosing(steps))
            await anext(steps)
        await work(source, 0)
        await anext(both[0])
        with pytest.raises(Conflict) as caught:
            async for _ in both[1]:
                await asyncio.sleep(0)
    assert "run_taken" == caught.value.code
    await level(source, target)
    assert {1} == set((await brought(target)).values())


async def test_into_another_space_of_the_same_store() -> None:
    """Its own commits are not followed, so it comes to rest."""
    async with open("memory://") as source:
        await source.sessions.create(id="s")
        spare = source.space("spare")
        steps = spare.migrations.follow(source_of(source), PLAN)
        async with aclosing(steps):
            await anext(steps)
            await work(source, 0)
            records: list[int] = []
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    while True:
                        records.append((await anext(steps)).records)
            assert sum(records) > 0 == records[-1]
            assert len(records) < 20
        assert [each.content for each in await source.history.messages("t0")] == [
            each.content for each in await spare.history.messages("t0")
        ]


async def test_what_followed_is_taken_back_with_the_copy(pair: tuple[Storage, Storage]) -> None:
    """A rollback takes away what commits brought, and puts back what they replaced."""
    source, target = pair
    await target.sessions.create(id="mine")
    before = await sums(target)
    await level(source, target)
    await work(source, 0)
    await source.sessions.delete("s", cascade="all")
    await level(source, target)
    assert before != await sums(target)
    await target.migrations.rollback("last")
    assert before == await sums(target)


async def test_a_source_without_commits_is_refused(tmp_path: Path) -> None:
    """A file of somebody else can be read again from time to time, and not be followed."""
    (tmp_path / "lines.jsonl").write_text("")
    async with open("memory://") as target:
        with pytest.raises(Invalid, match="cannot be followed") as caught:
            await anext(target.migrations.follow(open_source("jsonl", tmp_path), PLAN))
        assert "unsupported" == caught.value.code
        assert () == await target.migrations.runs()
