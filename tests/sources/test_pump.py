"""A reader that blocks runs beside the event loop, and ends when nobody listens any more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import aclosing

import pytest

from ropewalk.domain.errors import NotFound
from ropewalk.sources.pump import Steps, stream


def counting(upto: int, ended: threading.Event) -> Callable[[], Steps[int]]:
    """Make a reader that yields numbers with work in between, and says when it was closed."""

    def steps() -> Steps[int]:
        try:
            for number in range(upto):
                yield None
                yield number
        finally:
            ended.set()

    return steps


async def test_everything_arrives_in_order() -> None:
    """Findings come as they are yielded, over many portions; steps without one are left out."""
    ended = threading.Event()
    assert list(range(2000)) == [n async for n in stream(counting(2000, ended))]
    assert ended.is_set()


async def test_an_abandoned_stream_closes_its_reader() -> None:
    """Whoever stops listening leaves no reader open."""
    ended = threading.Event()
    async with aclosing(stream(counting(1_000_000, ended))) as numbers:
        async for number in numbers:
            if number == 5:
                break
    assert ended.is_set()


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

    async def listen() -> list[int]:
        return [number async for number in stream(steps)]

    task = asyncio.create_task(listen())
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
