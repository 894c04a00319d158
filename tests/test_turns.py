"""Whoever gives way does so to timers that have come, and to whom they wake."""

from __future__ import annotations

import asyncio

import pytest

from ropewalk.testing.samples import soon
from ropewalk.turns import give_way


@pytest.mark.seed("4.2", "6.2")
async def test_whom_a_timer_wakes_runs_before_one_that_gave_way() -> None:
    """A task that a timer wakes while another one gives way once has run when that goes on."""
    loop = asyncio.get_running_loop()
    ran: list[int] = []

    async def sleeper(number: int) -> None:
        woken = loop.create_future()
        loop.call_later(0, woken.set_result, None)
        await woken
        ran.append(number)

    for number in range(5):
        task = asyncio.create_task(sleeper(number))
        await asyncio.sleep(0)
        await give_way()
        assert ran == list(range(number + 1))
        await soon(task)
