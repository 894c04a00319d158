"""A reader that blocks runs beside the event loop, and ends when nobody listens any more."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing

import pytest

from ropewalk.domain.errors import NotFound
from ropewalk.sources.pump import Steps, stream


class Counting:
    """A reader that yields numbers with work in between, and knows who closed it, and when."""

    def __init__(self, upto: int) -> None:
        """Count up to there."""
        self._upto = upto
        self.ran_in: set[threading.Thread] = set()
        self.closed_in: threading.Thread | None = None
        # Held here, or the end of the last reference would close it as well.
        self._steps = self._run()

    def __call__(self) -> Steps[int]:
        """Begin."""
        return self._steps

    def _run(self) -> Steps[int]:
        try:
            for number in range(self._upto):
                self.ran_in.add(threading.current_thread())
                yield None
                yield number
        finally:
            self.closed_in = threading.current_thread()


async def test_everything_arrives_in_order() -> None:
    """Findings come as they are yielded, over many portions; steps without one are left out."""
    numbers = Counting(2000)
    assert list(range(2000)) == [number async for number in stream(numbers)]
    assert {numbers.closed_in} == numbers.ran_in
    assert threading.current_thread() not in numbers.ran_in


async def test_an_abandoned_stream_closes_its_reader() -> None:
    """Whoever stops listening leaves no reader open."""
    numbers = Counting(1_000_000)
    async with aclosing(stream(numbers)) as seen:
        async for number in seen:
            if number == 5:
                break
    assert {numbers.closed_in} == numbers.ran_in


async def test_a_cancelled_listener_closes_the_reader_and_stays_cancelled() -> None:
    """Cancellation reaches the caller, and the reader ends behind its present step."""
    ended, begun, go_on = threading.Event(), asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def steps() -> Steps[int]:
        try:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait(10)
            yield 1
        finally:
            ended.set()

    async def listen(made: Steps[int]) -> list[int]:
        return [number async for number in stream(lambda: made)]

    held = steps()
    task = asyncio.create_task(listen(held))
    await begun.wait()
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_the_loop_goes_on_while_the_reader_blocks() -> None:
    """Other tasks run during a step that waits for them."""
    passed = threading.Event()

    def steps() -> Steps[bool]:
        yield passed.wait(10)

    async def pass_by() -> None:
        await asyncio.sleep(0)
        passed.set()

    other = asyncio.create_task(pass_by())
    assert [True] == [seen async for seen in stream(steps)]
    await other


async def test_an_error_of_the_reader_reaches_the_listener() -> None:
    """What the reader raises is raised to the caller, behind what came before."""

    def steps() -> Steps[int]:
        yield 1
        raise NotFound("gone", code="no_source")

    seen: list[int] = []
    with pytest.raises(NotFound):
        seen.extend([number async for number in stream(steps)])
    assert [] == seen
