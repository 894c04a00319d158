"""Runs: a workflow is driven by one at a time, does each step once, and outlives its driver."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Conflict, Invalid, NotFound, Unavailable
from ropewalk.domain.run import RunStatus
from ropewalk.services.runs.step import Step
from ropewalk.services.storage import Storage
from ropewalk.testing.cancelling import Ended, cancel_everywhere

pytestmark = [pytest.mark.seed("5.1"), pytest.mark.seed("8.5")]

SECOND = 1_000_000


@pytest.fixture(autouse=True)
async def _thread(storage: Storage) -> None:
    """A thread to work on."""
    await storage.threads.create(id="t")


async def say(step: Step) -> str:
    """Write a message, what it cost and a state, and return something."""
    await step.history.add_message(thread_id="t", role="assistant", content=step.key)
    await step.history.add_token_usage(
        thread_id="t", model="m", prompt_tokens=3, completion_tokens=4
    )
    await step.checkpoints.append("t", {"done": [step.key]})
    return step.key.upper()


async def never(step: Step) -> str:
    """Be called for a step that was done."""
    raise AssertionError(step.key)


async def said(storage: Storage) -> list[Any]:
    """Return what was said on the thread, and see that its state says the same."""
    contents = [message.content for message in await storage.history.messages("t")]
    latest = await storage.checkpoints.latest("t")
    assert contents == ([] if latest is None else latest.state["done"])
    return contents


async def test_a_run_is_written_down(storage: Storage) -> None:
    """Who drives what, since when, how far; and that it is done in the end."""
    async with storage.run("t", workflow_id="w", owner="me", metadata={"k": 1}) as run:
        assert ["A", "B"] == [await run.step(key, say) for key in "ab"]
        during = await storage.runs.get(run.id)
        assert during == await storage.runs.find(run.id)
        assert during.lease is not None
        assert (RunStatus.RUNNING, "me", 2) == (during.status, during.owner, during.steps)
        assert (run.lease.token, "thread:t") == (during.lease.token, during.lease.name)
        assert during.lease.since <= during.lease.renewed_at < during.started_at
        assert (1, "w", "t") == (run.attempt, run.workflow_id, run.thread_id)

    after = await storage.runs.get(run.id)
    assert (RunStatus.DONE, None, 2, {"k": 1}) == (
        after.status,
        after.lease,
        after.steps,
        after.metadata,
    )
    assert after.ended_at is not None
    assert [("a", "A", 1), ("b", "B", 1)] == [
        (step.key, step.result, step.attempt) for step in await storage.runs.steps(run.id)
    ]
    assert () == await storage.leases.list()
    assert ["a", "b"] == await said(storage)


async def test_a_step_is_one_batch(storage: Storage) -> None:
    """Message, usage, state and the record of the step are one commit."""
    async with storage.run("t") as run:
        await storage.checkpoints.append("t", {"done": []})
        before = [commit.seq async for commit in storage.feed()][-1]
        await run.step("a", say)
        [commit] = [commit async for commit in storage.feed(before)]

    kinds = {change.key.kind for change in commit.changes}
    assert {"message", "token_usage", "checkpoint", "step"} <= kinds


async def test_a_step_is_done_once(storage: Storage) -> None:
    """The second time its work is left out, and what it gave is given again."""
    async with storage.run("t") as run:
        assert not await run.is_done("a")
        assert "A" == await run.step("a", say)
        assert "A" == await run.step("a", never)
        assert await run.is_done("a")
        async with run.step("b") as step:
            assert not step.is_done
            step.result = [1, {"two": 2}]
        async with run.step("b") as step:
            assert (True, [1, {"two": 2}]) == (step.is_done, step.result)
        with pytest.raises(Conflict, match="was done before") as caught:
            async with run.step("b") as step:
                await step.records.save({"id": "x", "type": "note"})
        assert "step_done" == caught.value.code

    assert ["a"] == await said(storage)
    assert "note" not in await storage.kinds()


async def test_steps_may_go_side_by_side(storage: Storage) -> None:
    """Steps that touch different things do not meet; the same step twice happens once."""

    async def look_up(step: Step) -> str:
        await step.records.save({"id": step.key, "type": "note"})
        return step.key

    async with storage.run("t") as run:
        found = await asyncio.gather(*(run.step(key, look_up) for key in "abc"))
        twice = await asyncio.gather(
            *(run.step("d", look_up) for _ in range(2)), return_exceptions=True
        )
        steps = await storage.runs.steps(run.id)

    assert ["a", "b", "c"] == found
    assert "d" in twice
    assert ["a", "b", "c", "d"] == sorted(step.key for step in steps)
    assert 4 == (await storage.kinds())["note"]


async def test_a_run_fails_of_an_error_and_goes_on(storage: Storage) -> None:
    """Half a step is not there, the error is written down, and the next attempt goes on there."""

    async def half(step: Step) -> None:
        await say(step)
        raise RuntimeError("the model is gone")

    with pytest.raises(RuntimeError, match="is gone"):
        async with storage.run("t", id="r") as run:
            await run.step("a", say)
            await run.step("b", half)

    failed = await storage.runs.get("r")
    assert (RunStatus.FAILED, "RuntimeError: the model is gone") == (failed.status, failed.error)
    assert (1, None) == (failed.steps, failed.lease)
    assert ["a"] == await said(storage)

    async with storage.runs.resume("r") as run:
        assert (2, RunStatus.RUNNING) == (run.attempt, run.status)
        assert ["A", "B"] == [await run.step("a", never), await run.step("b", say)]

    done = await storage.runs.get("r")
    assert (RunStatus.DONE, None, 2, 2) == (done.status, done.error, done.attempts, done.steps)
    assert ["a", "b"] == await said(storage)
    with pytest.raises(Conflict, match="is done since") as caught:
        async with storage.runs.resume("r"):
            raise AssertionError
    assert "run_done" == caught.value.code


@pytest.mark.seed("4.5")
async def test_a_cancelled_run_may_go_on(storage: Storage) -> None:
    """A cancellation goes through, is written down, and leaves nothing half."""
    begun = asyncio.Event()

    async def half(step: Step) -> None:
        await say(step)
        begun.set()
        await asyncio.Event().wait()

    async def work() -> None:
        async with storage.run("t", id="r") as run:
            await run.step("a", half)

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    run = await storage.runs.get("r")
    assert (RunStatus.FAILED, "cancelled", 0) == (run.status, run.error, run.steps)
    assert [] == await said(storage)
    assert () == await storage.leases.list()


async def test_a_run_waits_for_a_person(storage: Storage) -> None:
    """It gives the thread free, writes nothing any more, and goes on when somebody resumes it."""
    async with storage.run("t", id="r") as run:
        await run.step("a", say)
        await run.wait("approval of the booking")
        assert RunStatus.WAITING is run.status
        with pytest.raises(Conflict, match="was given back"):
            await run.step("b", say)
        async with storage.lease("thread:t"):
            pass

    waiting = await storage.runs.get("r")
    assert (RunStatus.WAITING, "approval of the booking") == (waiting.status, waiting.reason)
    assert waiting.ended_at is None
    assert () == await storage.runs.orphaned()
    async with storage.runs.resume("r", expected_version=waiting.version) as run:
        await run.step("b", say)
    assert RunStatus.DONE is (await storage.runs.get("r")).status
    with pytest.raises(Invalid, match="reason"):
        async with storage.run("t", id="other") as run:
            await run.wait("")


@pytest.mark.seed("5.2")
async def test_an_orphan_is_found_and_goes_on(storage: Storage, clock: FrozenClock) -> None:
    """When its driver is silent too long, another goes on, and the first writes nothing more."""
    with pytest.raises(Conflict, match="'second' holds it now") as caught:
        async with storage.run("t", id="r", owner="first", workflow_id="w") as run:
            await run.step("a", say)
            assert () == await storage.runs.orphaned()
            clock.advance(31 * SECOND)
            [orphan] = await storage.runs.orphaned()
            assert ("r", "first", 1, True) == (
                orphan.id,
                orphan.owner,
                orphan.steps,
                orphan.is_orphan,
            )
            assert () == await storage.runs.orphaned(workflow_id="other")
            async with storage.runs.resume("r", owner="second") as second:
                assert "A" == await second.step("a", never)
                await second.step("b", say)
                assert () == await storage.runs.orphaned()
                await run.step("c", say)

    assert "lease_lost" == caught.value.code
    after = await storage.runs.get("r")
    # The conflict left both blocks: the second marked it as failed, the first could not.
    assert (RunStatus.FAILED, "second", 2) == (after.status, after.owner, after.attempts)
    assert ["a", "b"] == await said(storage)
    assert any("could not be marked as failed" in note for note in caught.value.__notes__)


@pytest.mark.seed("5.2")
async def test_of_several_that_find_an_orphan_one_goes_on(
    storage: Storage, clock: FrozenClock
) -> None:
    """With the version that was seen, nobody resumes what another has gone on with since."""
    driver = storage.run("t", id="r")
    await driver.__aenter__()
    clock.advance(31 * SECOND)
    [orphan] = await storage.runs.orphaned()

    async def rescue() -> int:
        async with storage.runs.resume(orphan.id, expected_version=orphan.version) as run:
            await run.step("a", say)
            await run.wait("a person")
            return run.attempt

    ends = await asyncio.gather(*(rescue() for _ in range(5)), return_exceptions=True)
    assert 1 == ends.count(2)
    assert all(isinstance(end, Conflict | Unavailable) for end in ends if end != 2)
    with pytest.raises(Conflict, match="somebody has gone on with it"):
        await rescue()
    assert ["a"] == await said(storage)
    with pytest.raises(Conflict, match="nobody holds it now"):
        await driver.__aexit__(None, None, None)
    assert (RunStatus.WAITING, 2) == (
        (await storage.runs.get("r")).status,
        (await storage.runs.get("r")).attempts,
    )


async def test_a_run_that_cannot_begin_leaves_nothing(storage: Storage) -> None:
    """An unknown thread, a busy one, a taken id: the error says so, and no lease is left."""
    with pytest.raises(NotFound):
        async with storage.run("nowhere"):
            raise AssertionError
    async with storage.run("t", id="r", owner="first"):
        with pytest.raises(Unavailable, match="'first'"):
            async with storage.run("t"):
                raise AssertionError
    with pytest.raises(Conflict, match="exists already"):
        async with storage.run("t", id="r"):
            raise AssertionError
    with pytest.raises(NotFound):
        async with storage.runs.resume("nothing"):
            raise AssertionError
    with pytest.raises(NotFound):
        await storage.runs.get("nothing")
    assert await storage.runs.find("nothing") is None

    assert () == await storage.leases.list()
    assert 1 == (await storage.kinds())["run"]


async def test_a_result_that_cannot_be_kept(storage: Storage) -> None:
    """Then the step was not done at all."""

    async def work(step: Step) -> object:
        await say(step)
        return object()

    with pytest.raises(Invalid):
        async with storage.run("t", id="r") as run:
            await run.step("a", work)

    assert (RunStatus.FAILED, 0) == (
        (await storage.runs.get("r")).status,
        (await storage.runs.get("r")).steps,
    )
    assert [] == await said(storage)


async def test_runs_are_listed(storage: Storage) -> None:
    """By thread, workflow and status, in pages."""
    await storage.threads.create(id="u")
    for number in range(3):
        async with storage.run("t", id=f"t{number}", workflow_id="w"):
            pass
    async with storage.run("u", id="u0") as run:
        await run.wait("more")

    assert ["u0", "t2", "t1", "t0"] == [run.id for run in await storage.runs.list()]
    assert ["t0", "t1", "t2"] == [
        run.id for run in await storage.runs.list(workflow_id="w", newest_first=False)
    ]
    assert ["u0"] == [run.id for run in await storage.runs.list(status="waiting")]
    assert ["u0"] == [run.id for run in await storage.runs.list(thread_id="u")]
    page = await storage.runs.list(limit=3)
    assert ["t0"] == [run.id for run in await storage.runs.list(limit=3, cursor=page.cursor)]
    with pytest.raises(Invalid, match="running"):
        await storage.runs.list(status="lost")


async def test_many_orphans_are_found(
    storage: Storage, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are looked at together, each is told once, the oldest first."""
    monkeypatch.setattr("ropewalk.services.runs.manager.AT_ONCE", 2)
    drivers = [storage.run("t", id=f"r{number}", when_busy="take_over") for number in range(5)]
    for driver in drivers:
        await driver.__aenter__()
    assert ["r0", "r1", "r2", "r3"] == [run.id for run in await storage.runs.orphaned()]
    clock.advance(31 * SECOND)
    assert [f"r{number}" for number in range(5)] == [
        run.id for run in await storage.runs.orphaned()
    ]
    for driver in drivers:
        with pytest.raises(Conflict):
            await driver.__aexit__(None, None, None)


async def test_a_run_may_be_given_up(storage: Storage, clock: FrozenClock) -> None:
    """An orphan that nobody will go on with is marked as failed, and can be deleted."""
    driver = storage.run("t", id="r")
    active = await driver.__aenter__()
    await active.step("a", say)
    with pytest.raises(Unavailable):
        await storage.runs.abandon("r", reason="nobody needs it")
    with pytest.raises(Conflict, match="is driven by"):
        await storage.runs.delete("r")
    clock.advance(31 * SECOND)
    run = await storage.runs.abandon("r", reason="nobody needs it")
    assert (RunStatus.FAILED, "nobody needs it") == (run.status, run.error)
    assert () == await storage.runs.orphaned()
    with pytest.raises(Conflict):
        await driver.__aexit__(None, None, None)
    await storage.runs.delete("r")

    assert {"run", "step"}.isdisjoint(await storage.kinds())
    assert ["a"] == await said(storage)


async def test_a_deleted_thread_takes_its_runs_along(storage: Storage) -> None:
    """Nothing of a thread's runs is left when it is deleted."""
    async with storage.run("t") as run:
        await run.step("a", say)
    await storage.threads.delete("t")

    assert {"run", "step", "message", "checkpoint"}.isdisjoint(await storage.kinds())


@pytest.mark.seed("4.5")
async def test_cancelled_anywhere_a_run_can_go_on(storage: Storage) -> None:
    """Wherever a run is broken off: no lease, no task, no half step, and it can be resumed."""
    numbers = iter(range(10_000))

    async def work() -> None:
        async with storage.run("t", id=f"r{next(numbers)}") as run:
            await run.step("a", say)

    async def after(ended: Ended[None]) -> None:
        assert () == await storage.leases.list(), str(ended)
        runs = await storage.runs.list(limit=1000)
        steps = sum(run.steps for run in runs)
        assert steps == len(await said(storage)), str(ended)
        # A record of the attempt is there or not; if it is, it says that it ended, or is found.
        for run in runs:
            assert run.status in (RunStatus.DONE, RunStatus.FAILED) or run.is_orphan, str(ended)

    assert await cancel_everywhere(work, after) > 5
