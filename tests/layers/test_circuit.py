"""`Circuit` counts right, whatever threads it is asked by."""

from __future__ import annotations

import threading

import pytest

from ropewalk.domain.errors import Unavailable
from ropewalk.layers.circuit import Circuit, Phase

pytestmark = pytest.mark.seed("8.3", "8.5")


def test_threads_let_one_trial_through() -> None:
    """Whatever threads come at once, exactly one of them is the trial, and nothing is miscounted.

    Each round opens the circuit by as many failures as the window holds, from all threads, then
    lets all of them at it in the instant of the trial.
    """
    crowd, rounds = 8, 200
    circuit = Circuit("writing", window=crowd, rate=1.0, pause=1.0, longest=1.0)
    barrier = threading.Barrier(crowd)
    trials: list[int] = []
    wrong: list[str] = []

    def work() -> None:
        for number in range(rounds):
            now = number * 10.0
            leave = circuit.enter(now)
            barrier.wait()
            circuit.leave(leave, Unavailable("no"), now)
            barrier.wait()
            if circuit.phase(now) is not Phase.OPEN:
                wrong.append(f"round {number} is {circuit.phase(now)}")
            barrier.wait()
            trial = None
            try:
                trial = circuit.enter(now + 1.0)
            except Unavailable:
                pass
            else:
                trials.append(number)
            barrier.wait()
            if trial is not None:
                circuit.leave(trial, None, now + 1.0)
            barrier.wait()

    threads = [threading.Thread(target=work) for _ in range(crowd)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([], list(range(rounds))) == (wrong, trials)
