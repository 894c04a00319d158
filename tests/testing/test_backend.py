"""The contract of back ends finds each fault, and lets a sound one pass that has few powers."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Commit
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import RopewalkError
from ropewalk.domain.ports import Backend, Capability, require
from ropewalk.domain.query import Order, Query
from ropewalk.domain.tally import Tally
from ropewalk.layers.base import Layer
from ropewalk.testing import samples
from ropewalk.testing.backend import BackendContract, CoreContract

from . import broken

FAULTS: Final[tuple[tuple[type[Layer], str], ...]] = (
    (broken.Piecemeal, "test_a_conflict_at_the_end_leaves_nothing"),
    (broken.Piecemeal, "test_an_exception_in_the_middle_leaves_nothing"),
    (broken.Piecemeal, "test_a_commit_says_who_when_and_what"),
    (broken.Oblivious, "test_a_retry_answers_as_the_first_time"),
    (broken.Oblivious, "test_a_retry_never_conflicts_with_itself"),
    (broken.Oblivious, "test_an_id_for_other_keys_is_refused"),
    (broken.Oblivious, "test_one_batch_from_many_tasks_is_one_commit"),
    (broken.Unguarded, "test_no_increment_is_lost"),
    (broken.Unguarded, "test_one_of_many_creators_wins"),
    (broken.Sloppy, "test_every_order_and_every_page"),
    (broken.Inclusive, "test_every_order_and_every_page"),
    (broken.Inclusive, "test_a_scan_lies_between_its_cursors"),
    (broken.Leaky, "test_every_verb_keeps_to_its_space"),
    (broken.Undying, "test_a_record_is_invisible_from_its_instant_on"),
    (broken.Untyped, "test_labels_keep_their_types"),
    (broken.Normalising, "test_any_text_is_an_id"),
    (broken.OneByOne, "test_a_read_is_of_one_moment"),
    (broken.Locking, "test_writes_go_on_during_a_scan"),
    (broken.Locking, "test_what_a_scan_finds_may_be_written_at_once"),
    (broken.Keyset, "test_what_moves_ahead_is_not_seen_again"),
    (broken.Stubborn, "test_a_cancelled_writer_leaves_all_or_nothing"),
    (broken.Selfish, "test_every_verb_lets_others_run"),
    (broken.Selfish, "test_a_closed_store_is_down"),
    (broken.Rounding, "test_sums_of_integers_are_exact"),
    (broken.Chatty, "test_only_what_was_touched_is_told"),
    (broken.Lenient, "test_at_most_spares_what_is_newer"),
    (broken.Deaf, "test_every_verb_is_refused_after_close"),
    (broken.Secretive, "test_what_is_not_declared_is_refused"),
    (broken.Boastful, "test_a_declared_power_is_tested"),
    (broken.Hasty, "test_who_waits_is_woken_by_the_next_commit"),
    (broken.Amnesic, "test_the_newest_commit_stays_and_numbers_go_on"),
    (broken.Amnesic, "test_who_is_behind_the_horizon_is_told"),
    (broken.Amnesic, "test_answers_are_forgotten_with_their_commits"),
)


class Powerless(Layer):
    """A back end without feed and tally, which says so and refuses them."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Declare nothing."""
        return frozenset()

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Refuse."""
        require(self, Capability.TALLY)
        return await self.below.tally(query, sums, group_by)

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Refuse."""
        require(self, Capability.FEED)
        return self.below.feed(after)

    async def changed(self, after: int) -> int:
        """Refuse."""
        require(self, Capability.FEED)
        return await self.below.changed(after)

    async def trim(self, before: int) -> int:
        """Refuse."""
        require(self, Capability.FEED)
        return await self.below.trim(before)


@pytest.mark.seed("1.3")
class TestPowerless(CoreContract):
    """A back end that declares no power owes the rest of the contract, and can prove it."""

    # Queries are no power, and memory itself is asked at random.
    test_a_scan_is_what_the_query_means = None  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]

    @pytest.fixture
    async def backend(self, clock: FrozenClock) -> AsyncIterator[Backend]:
        """Open an empty store without powers."""
        backend = Powerless(MemoryBackend(clock=clock, loop_budget=0))
        await backend.open()
        yield backend
        await backend.close()


async def _prove(coat: type[Layer], name: str) -> None:
    """Run one test of the contract on a store with a coat."""
    clock = FrozenClock(tick=0)
    backend = coat(MemoryBackend(clock=clock, loop_budget=0))
    await backend.open()
    test: Callable[..., Awaitable[None]] = getattr(BackendContract(), name)
    known = {"backend": backend, "clock": clock, "order": Order("updated_at")}
    await test(**{name: known[name] for name in inspect.signature(test).parameters})
    await backend.close()


@pytest.mark.seed("1.3")
@pytest.mark.parametrize(("coat", "name"), FAULTS)
async def test_the_contract_finds_the_fault(
    monkeypatch: pytest.MonkeyPatch, coat: type[Layer], name: str
) -> None:
    """Each fault makes its test fail; the same test passes on the same store without it."""
    monkeypatch.setattr(samples, "DEADLINE", 0.5)
    with pytest.raises((AssertionError, TimeoutError, RopewalkError, pytest.fail.Exception)):
        await _prove(coat, name)
    monkeypatch.undo()
    await _prove(Layer, name)
