"""The state machine finds faults that take several steps, and counts the steps it makes."""

from __future__ import annotations

from typing import cast

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid, RopewalkError
from ropewalk.domain.ports import Backend
from ropewalk.layers.base import Layer
from ropewalk.testing.machine import BackendMachine, run_machine

from . import broken
from .kept import Forgetful, Kept


def again(backend: Backend, clock: FrozenClock) -> Backend:
    """Open the store of a closed back end once more."""
    del clock
    return cast("Kept", backend).again()


@pytest.mark.seed("1.3")
def test_a_store_that_is_reopened_on_the_way_passes() -> None:
    """A durable store is closed and opened again in the middle of the walk, and loses nothing."""
    opened: list[int] = []

    def count(backend: Backend, clock: FrozenClock) -> Backend:
        opened.append(1)
        return again(backend, clock)

    for _ in range(20):
        made = run_machine(lambda clock: Kept(MemoryBackend(clock=clock)), steps=200, again=count)
        assert 200 <= made < 500
        if opened:
            break
    assert opened


@pytest.mark.seed("1.3")
@pytest.mark.parametrize(
    "coat",
    [
        broken.Piecemeal,
        broken.Oblivious,
        broken.Sloppy,
        broken.Undying,
        broken.Untyped,
        broken.Chatty,
        broken.Lenient,
    ],
)
def test_the_machine_finds_the_fault(coat: type[Layer]) -> None:
    """Each fault shows, mostly within a thousand steps."""
    with pytest.raises((AssertionError, RopewalkError, ExceptionGroup)):
        run_machine(lambda clock: coat(MemoryBackend(clock=clock)), steps=20_000, shrink=False)


def test_a_machine_must_know_its_back_end() -> None:
    """Without `make` it says what to override, instead of testing nothing."""
    with pytest.raises(Invalid, match="override make"):
        BackendMachine()


@pytest.mark.seed("1.3", "8.3")
def test_the_machine_finds_what_a_store_forgets() -> None:
    """A store that forgets batch ids on closing is found by a retry after reopening."""
    with pytest.raises((AssertionError, ExceptionGroup)):
        run_machine(
            lambda clock: Forgetful(MemoryBackend(clock=clock)),
            steps=20_000,
            again=again,
            shrink=False,
        )
