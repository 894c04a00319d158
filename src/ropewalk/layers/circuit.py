"""`Circuit`: whether a store that failed lately is asked at all, and when it is asked again."""

from __future__ import annotations

import copy
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from ..domain.errors import Conflict, Corrupt, NotFound, Unavailable
from ..domain.moment import to_micros


class Phase(StrEnum):
    """Who is let through."""

    CLOSED = "closed"
    """Everybody, as a closed electrical circuit lets the current through."""
    OPEN = "open"
    """Nobody."""
    HALF_OPEN = "half-open"
    """One caller, whose fate decides about the others."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to make one call; what becomes of it counts in its own `era` alone."""

    era: int
    is_trial: bool


class Circuit:
    """Let calls through while they succeed, and one now and then while they fail.

    It opens when, of the last `window` calls, a share of `rate` was `Unavailable` (1.0: that many
    in a row). `pause` seconds later one call is let through for a trial: a success closes the
    circuit, a failure doubles the pause, up to `longest`. A trial without an answer holds nobody
    up for longer than the pause: then the next caller tries (M. Nygard, Release It!, 2007).

    Times are seconds of a clock that never goes back. Any thread may call.
    """

    def __init__(
        self, verb: str, *, window: int, rate: float, pause: float, longest: float
    ) -> None:
        """Guard what `verb` names in a sentence: "reading", "writing"."""
        self._verb = verb
        self._rate = rate
        self._first = pause
        self._longest = longest
        self._lock = threading.Lock()
        self._last: deque[bool] = deque(maxlen=window)
        self._window = window
        self._era = 0
        self._is_open = False
        self._is_tried = False
        self._pause = pause
        self._until = 0.0
        self._cause: Unavailable | None = None

    def enter(self, now: float) -> Pass:
        """Let a call through, or raise `Unavailable` that says until when, and why."""
        with self._lock:
            if not self._is_open:
                return Pass(self._era, is_trial=False)
            if now < self._until:
                raise self._refusal(now) from self._cause
            self._is_tried = True
            self._until = now + self._pause
            return Pass(self._era, is_trial=True)

    def leave(self, leave: Pass, error: BaseException | None, now: float) -> None:
        """Count what became of a call: an answer, a failure, or nothing that tells."""
        with self._lock:
            # A call that began before the circuit opened says nothing about what is since.
            if leave.era != self._era:
                return
            if isinstance(error, Unavailable) and error.code != "closed":
                self._fail(error, now)
            elif error is None or isinstance(error, Conflict | Corrupt | NotFound):
                self._succeed()
            elif leave.is_trial:
                # Cancelled, or refused before it reached the store: the next caller tries.
                self._is_tried = False
                self._until = now

    def reset(self) -> None:
        """Forget what was, and let everybody through."""
        with self._lock:
            self._close()

    def phase(self, now: float) -> Phase:
        """Tell who is let through now."""
        with self._lock:
            if not self._is_open:
                return Phase.CLOSED
            return Phase.HALF_OPEN if self._is_tried or now >= self._until else Phase.OPEN

    def reason(self, now: float) -> str | None:
        """Return the sentence that refused callers hear, `None` while there are none."""
        with self._lock:
            return self._refusal(now).message if self._is_open else None

    def _fail(self, error: Unavailable, now: float) -> None:
        # A copy: the error itself would keep the batch that it stopped, by its traceback.
        self._cause = copy.copy(error)
        if self._is_open:
            self._pause = min(self._pause * 2, self._longest)
        else:
            self._last.append(False)
            failures = self._last.count(False)
            if len(self._last) < self._window or failures < self._rate * self._window:
                return
            self._is_open = True
            self._era += 1
        self._is_tried = False
        self._until = now + self._pause

    def _succeed(self) -> None:
        if self._is_open:
            self._close()
        else:
            self._last.append(True)

    def _close(self) -> None:
        self._is_open = self._is_tried = False
        self._last.clear()
        self._pause = self._first
        self._cause = None
        self._era += 1

    def _refusal(self, now: float) -> Unavailable:
        left = max(self._until - now, 0.0)
        until = datetime.now(UTC) + timedelta(seconds=left)
        last = "" if self._cause is None else f"; the last failure was: {self._cause.message}"
        failed = f"{self._last.count(False)} of the last {self._window} calls failed"
        trial = ", and a trial is under way" if self._is_tried else ""
        message = (
            f"{self._verb} is not tried before {until:%H:%M:%S.%f} UTC, in {left:.3f} s, because "
            f"{failed}{trial}: see to the cause, and call again then{last}"
        )
        facts = {"circuit": self._verb, "retry_after": left, "until": to_micros(until)}
        return Unavailable(message, code="circuit_open", **facts)
