"""Cancel a piece of work at every point where it waits, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from time import monotonic
from typing import Any, Final, Generic, TypeVar

from .samples import DEADLINE

T = TypeVar("T")

MOST_POINTS: Final = 2_000
"""Waits after which a piece of work counts as endless."""


class Moment(StrEnum):
    """When, at one of its waits, work is cancelled."""

    EARLY = "as it begins"
    """What is waited for has not happened, and the wait is broken off."""
    LATE = "as it ends"
    """What was waited for has happened, and its answer is thrown away."""


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How work ended: cancelled at its nth wait, or done before it came so far, with `value`."""

    point: int
    moment: Moment
    was_cancelled: bool
    value: T | None = None

    def __str__(self) -> str:
        """Write it as people read it."""
        verb = "cancelled at" if self.was_cancelled else "done before"
        return f"{verb} wait {self.point}, {self.moment}"


class _Counted(Coroutine[Any, Any, T]):
    """Pass everything on to a coroutine, and cancel the task that drives it at its nth wait."""

    def __init__(self, work: Coroutine[Any, Any, T], point: int, moment: Moment) -> None:
        self._work = work
        self._left = point
        self._moment = moment
        self.task: asyncio.Task[T] | None = None

    def send(self, value: Any, /) -> Any:  # noqa: ANN401 (the protocol of coroutines)
        """Go on to the next wait."""
        return self._noted(self._work.send(value))

    def throw(self, *given: Any) -> Any:  # noqa: ANN401 (the protocol of coroutines)
        """Raise an error where the work waits, and go on to the next wait."""
        return self._noted(self._work.throw(*given))

    def close(self) -> None:
        """End the work where it waits."""
        self._work.close()

    def __await__(self) -> Generator[Any, Any, T]:
        """Go through it uncounted."""
        return self._work.__await__()

    @property
    def struck(self) -> bool:
        """Whether the nth wait was reached."""
        return self._left <= 0

    def _noted(self, waited_for: object) -> object:
        self._left -= 1
        task = self.task
        if self._left == 0 and task is not None:
            if self._moment is Moment.LATE and asyncio.isfuture(waited_for):
                # Runs before the task is woken, which asks to be told only after this.
                waited_for.add_done_callback(lambda _: task.cancel())
            else:
                task.cancel()
        return waited_for


async def cancelled_at(
    work: Coroutine[Any, Any, T],
    point: int,
    moment: Moment = Moment.EARLY,
    *,
    patience: float = DEADLINE,
) -> Ended[T]:
    """Do `work`, and cancel it at its nth wait (from 1); say how it ended.

    Waits of tasks that the work makes are their own and not counted. Raises what the work raises,
    and `AssertionError` where it has not ended after `patience` seconds, or went on to its end.
    """
    counted = _Counted(work, point, moment)
    task = counted.task = asyncio.create_task(counted)
    done, _ = await asyncio.wait([task], timeout=patience)
    ended: Ended[T] = Ended(point, moment, was_cancelled=counted.struck)
    if not done:
        task.cancel()
        message = f"the work hangs: {ended}"
        raise AssertionError(message)
    if task.cancelled():
        return ended
    value = task.result()
    if counted.struck:
        message = f"the work went on to its end: {ended}"
        raise AssertionError(message)
    return Ended(point, moment, was_cancelled=False, value=value)


async def cancel_everywhere(
    begin: Callable[[], Coroutine[Any, Any, T]],
    after: Callable[[Ended[T]], Awaitable[None]],
    *,
    patience: float = DEADLINE,
) -> int:
    """Begin work again and again, cancel it at its 1st wait, its 2nd, and so on, to its end.

    Each wait is broken off in two ways (`Moment`). After each time no task may be left behind
    for longer than `patience` seconds, and `after` looks at what the work did. Returns how often
    it was cancelled.
    """
    cancelled = 0
    for moment in Moment:
        for point in count(1):
            assert point < MOST_POINTS, "the work does not end"
            before = asyncio.all_tasks()
            ended = await cancelled_at(begin(), point, moment, patience=patience)
            await _alone_again(before, ended, patience)
            await after(ended)
            if not ended.was_cancelled:
                break
            cancelled += 1
    return cancelled


async def _alone_again(before: set[asyncio.Task[Any]], ended: Ended[T], patience: float) -> None:
    """Wait until no task is there that was not there before: cleaning up may take a while."""
    deadline = monotonic() + patience
    while left := asyncio.all_tasks() - before:
        assert monotonic() < deadline, f"{ended}: {left} never end"
        await asyncio.wait(left, timeout=patience / 10)
