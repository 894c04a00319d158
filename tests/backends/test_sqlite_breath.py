"""The writer's thread pauses within long batches, and in short ones never."""

from __future__ import annotations

import pytest

from ropewalk.backends.sqlite import breath
from ropewalk.backends.sqlite.breath import Breath

pytestmark = pytest.mark.seed("6.2")


class _Time:
    """A clock that others move, and that notes who slept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def perf_counter(self) -> float:
        """Look at the clock."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(self.now)
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> _Time:
    """Give the module a clock of the test's own."""
    clock = _Time()
    monkeypatch.setattr(breath, "time", clock)
    return clock


def test_a_long_batch_pauses_each_millisecond(time: _Time) -> None:
    """Of 20 milliseconds in steps of a quarter, every fifth look is behind a millisecond."""
    taken = Breath(1_000)
    while time.now < 0.02:
        time.now += 0.000_25
        taken.take()
    gaps = [later - earlier for earlier, later in zip(time.slept, time.slept[1:], strict=False)]
    assert len(gaps) > 10
    assert all(0.001 < gap < 0.0014 for gap in gaps)


def test_a_short_batch_never_pauses(time: _Time) -> None:
    """However long it takes, who writes a few records does not wait for anybody."""
    taken = Breath(16)
    time.now += 10.0
    taken.take()
    assert not time.slept
