"""Forgetting commits: by age and by number, never what a consumer still needs, first of all dry."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

import ropewalk
from ropewalk.config import Config
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Denied, Invalid, Unavailable
from ropewalk.services.feed.retention import LOGGER, RetentionTask
from ropewalk.services.storage import Storage
from ropewalk.testing.samples import soon

pytestmark = pytest.mark.seed("8.3")

DAY = 86_400_000_000
"""Microseconds."""


async def _days(storage: Storage, clock: FrozenClock, count: int, *, each: int = 3) -> list[int]:
    """Commit some records a day, and let that many days pass; return the numbers of all commits."""
    for _ in range(count):
        for n in range(each):
            await storage.records.save({"type": "note", "data": {"n": n}})
        clock.advance(DAY)
    return [commit.seq async for commit in storage.feed()]


async def _kept(storage: Storage) -> list[int]:
    return [commit.seq async for commit in storage.feed()]


async def test_old_commits_go_and_records_stay(storage: Storage, clock: FrozenClock) -> None:
    """What is older than said is forgotten, after a dry run that says the same."""
    numbers = await _days(storage, clock, 10)
    planned = await storage.retention.trim(keep="3d", dry_run=True)
    assert (24, True, numbers[24]) == (planned.commits, planned.dry_run, planned.before)
    assert numbers == await _kept(storage)
    done = await storage.retention.trim(keep=timedelta(days=3))
    assert (24, False, planned.oldest_at) == (done.commits, done.dry_run, done.oldest_at)
    assert numbers[24:] == await _kept(storage)
    assert (await storage.retention.trim(keep="3d")).commits == 0
    assert 30 == (await storage.kinds())["note"]


async def test_both_rules_must_let_it_go(storage: Storage, clock: FrozenClock) -> None:
    """With an age and a number, whichever keeps more decides; the newest always stays."""
    numbers = await _days(storage, clock, 10)
    for keep, keep_commits, left in [("8d", 5, 21), ("2d", 20, 20), ("1s", 100, 20)]:
        await storage.retention.trim(keep=keep, keep_commits=keep_commits)
        assert numbers[-left:] == await _kept(storage)
    await storage.retention.trim(keep_commits=4)
    assert numbers[-4:] == await _kept(storage)
    await storage.retention.trim(keep="1s")
    assert numbers[-1:] == await _kept(storage)


async def test_the_last_hour_stays_unless_forced(storage: Storage, clock: FrozenClock) -> None:
    """A rule that would forget what is younger than an hour does so only by force."""
    numbers = await _days(storage, clock, 2)
    await storage.records.save({"type": "note", "data": {}})
    await storage.records.save({"type": "note", "data": {}})
    await storage.retention.trim(keep_commits=1)
    kept = await _kept(storage)
    assert (2, numbers[-1] + 1) == (len(kept), kept[0])
    await storage.retention.trim(keep_commits=1, force=True)
    assert kept[-1:] == await _kept(storage)


@pytest.mark.seed("5.3")
async def test_the_slowest_consumer_of_any_space_is_waited_for(
    storage: Storage, clock: FrozenClock
) -> None:
    """What somebody has not acknowledged stays, and the answer says who that is."""
    numbers = await _days(storage, clock, 4)
    other = storage.space("other")
    async with storage.consumers.open("fast") as fast, other.consumers.open("slow") as slow:
        for _ in range(12):
            await soon(anext(fast))
        await fast.commit()
        clock.advance(2 * DAY)
        held = await storage.retention.trim(keep="1d", dry_run=True)
        assert (0, ("other/slow",)) == (held.commits, held.held_by)
        await other.records.save({"type": "note", "data": {}})
        await soon(anext(slow))
        await slow.commit()
    await other.consumers.delete("slow")
    done = await storage.retention.trim(keep="1d")
    assert (12, ("default/fast",)) == (done.commits, done.held_by)
    assert numbers[-1] < (await _kept(storage))[0]
    forced = await storage.retention.trim(keep="1s", force=True)
    assert (0, ()) == (await _lag(storage), forced.held_by)


async def _lag(storage: Storage) -> int:
    await storage.consumers.reset("fast", None)
    return (await storage.consumers.lag("fast")).commits


async def test_only_the_opener_may_forget(storage: Storage) -> None:
    """The log is of all spaces: a confined handle may not shorten it."""
    with pytest.raises(Denied):
        await storage.space("inside").retention.trim(keep="1d")


@pytest.mark.parametrize(
    "given", [{}, {"keep": "soon"}, {"keep_commits": 0}, {"keep": timedelta(days=-1)}]
)
async def test_a_rule_that_says_nothing_is_refused(
    storage: Storage, given: dict[str, object]
) -> None:
    """Nothing to keep, no span of time, no number: `Invalid`, and all stays."""
    with pytest.raises(Invalid):
        await storage.retention.trim(**given)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def test_it_is_done_by_itself_where_configured(tmp_path: Path) -> None:
    """With `keep_feed` an open store forgets old commits; closing it ends that."""
    clock = FrozenClock()
    config = Config.from_mapping(
        {"url": f"sqlite:///{tmp_path}/store.db", "keep_feed": "7d", "layers": []}
    )
    async with ropewalk.open(config, clock=clock) as storage:
        numbers = await _days(storage, clock, 12)
    async with ropewalk.open(config, clock=clock) as storage:
        async with asyncio.timeout(60):
            while len(kept := await _kept(storage)) == len(numbers):  # noqa: ASYNC110 (no event)
                await asyncio.sleep(0)
    assert numbers[-len(kept) :] == kept
    assert 18 == len(kept)
    assert [asyncio.current_task()] == list(asyncio.all_tasks())
    with pytest.raises(Invalid, match="keep_feed"):
        Config(keep_feed="for ever")


async def test_what_fails_is_told_and_tried_again(
    storage: Storage, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A turn that fails is logged as a warning, and the next one does its work."""
    numbers = await _days(storage, clock, 5)
    task = RetentionTask(storage.retention, timedelta(days=2))
    await storage.close()
    with caplog.at_level("WARNING", LOGGER.name):
        await task.turn()
    assert ["the log of commits was not shortened"] == [
        record.message.partition(":")[0] for record in caplog.records
    ]
    with pytest.raises(Unavailable):
        await _kept(storage)
    await storage.open()
    await _days(storage, clock, 5)
    await task.turn()
    assert len(await _kept(storage)) == 3
    assert numbers
