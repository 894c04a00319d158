"""`attempted`: run a unit of work until it meets nobody, or patience ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from time import monotonic
from typing import TYPE_CHECKING, Final, TypeVar

from ..domain.errors import Conflict
from ..domain.lease import LEASE_LOST

if TYPE_CHECKING:
    from ..domain.policy import Retry
    from .precedence import Precedence
    from .unit import Unit

R = TypeVar("R")

_COURTESY: Final = 0.05
"""How long, in seconds, a newcomer lets those go first who have lost."""

_PATIENCE: Final = 1.0
"""Longest wait, in seconds, for others of this process that have lost as well."""


async def attempted(
    begin: Callable[[], Unit],
    work: Callable[[Unit], Awaitable[R]],
    *,
    retry: Retry,
    precedence: Precedence,
) -> R:
    """Do `work` in a unit of its own each time, until one goes through; return its result.

    A `Conflict` that `work` itself raises is final where all that it had read is still so: then
    nobody was in the way.
    """
    end = monotonic() + retry.deadline
    attempt, came = 1, False
    async with AsyncExitStack() as line:
        if precedence.is_busy:
            came = await line.enter_async_context(precedence.turn(patience=_COURTESY))
        while True:
            unit = begin()
            try:
                async with unit:
                    return await work(unit)
            except Conflict as error:
                if error.code == LEASE_LOST or (not unit.is_late and await unit.holds()):
                    raise
                # Whose turn it is has nobody of this process against him: he need not hold back.
                pause = retry.pause(1 if came else attempt, luck=random.random())  # noqa: S311
                left = end - monotonic()
                if attempt >= retry.attempts or pause > left:
                    error.add_note(f"tried {attempt} times")
                    raise
            if attempt == 1 and not came:
                turn = precedence.turn(patience=min(_PATIENCE, left))
                came = await line.enter_async_context(turn)
            else:
                await asyncio.sleep(pause)
            attempt += 1
