"""The driver that cancels at every wait: it counts right, and work that misbehaves is found out."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ropewalk.testing.cancelling import Ended, Moment, cancel_everywhere, cancelled_at

pytestmark = pytest.mark.seed("4.5")


async def _nothing(ended: Ended[object]) -> None:
    del ended


async def test_every_wait_is_met_in_both_ways() -> None:
    """Three waits of any kind are cancelled six times, and nothing behind them is done."""
    done: list[str] = []
    ends: list[tuple[int, Moment, bool, list[str]]] = []

    async def work() -> str:
        done.clear()
        await asyncio.sleep(0)
        done.append("turn")
        await asyncio.sleep(0.0001)
        done.append("timer")
        await asyncio.to_thread(done.append, "thread")
        return "answer"

    async def after(ended: Ended[str]) -> None:
        if ended.was_cancelled:
            assert "thread" not in done[: ended.point - 1]
        ends.append((ended.point, ended.moment, ended.was_cancelled, done[: ended.point - 1]))
        assert (None if ended.was_cancelled else "answer") == ended.value

    steps = ["turn", "timer", "thread"]
    assert 6 == await cancel_everywhere(work, after)
    assert [
        (point, moment, point < 4, steps[: point - 1])
        for moment in Moment
        for point in (1, 2, 3, 4)
    ] == ends


async def test_a_late_cancellation_comes_after_the_event() -> None:
    """Early, the wait is broken off; late, what was waited for has happened, and nobody hears."""
    happened: list[Moment] = []

    async def work(moment: Moment) -> None:
        event: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def happen() -> None:
            if not event.cancelled():
                event.set_result(None)
                happened.append(moment)

        asyncio.get_running_loop().call_soon(happen)
        await event

    for moment in Moment:
        assert (await cancelled_at(work(moment), 1, moment)).was_cancelled
        await asyncio.sleep(0)
    assert [Moment.LATE] == happened


async def test_work_that_goes_on_is_found_out() -> None:
    """Work that takes a cancellation for nothing fails."""

    async def work() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="went on to its end: cancelled at wait 1"):
        await cancelled_at(work(), 1)


async def test_work_that_hangs_is_found_out() -> None:
    """Work that waits for ever once it is cancelled fails."""

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            await asyncio.Event().wait()

    with pytest.raises(AssertionError, match="hangs"):
        await cancelled_at(work(), 1, patience=0.01)


async def test_a_task_that_is_left_behind_is_found_out() -> None:
    """Work that leaves a task behind fails, though it ends itself."""
    left: list[asyncio.Task[bool]] = []

    async def work() -> None:
        left.append(asyncio.create_task(asyncio.Event().wait()))
        await asyncio.sleep(0)

    with pytest.raises(AssertionError, match="never end"):
        await cancel_everywhere(work, _nothing, patience=0.01)
    for task in left:
        task.cancel()
    await asyncio.wait(left)


async def test_an_error_of_the_work_is_told() -> None:
    """What the work raises instead of its cancellation reaches whoever drives it."""

    async def work() -> None:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            raise RuntimeError("lost") from error

    with pytest.raises(RuntimeError, match="lost"):
        await cancelled_at(work(), 1)
