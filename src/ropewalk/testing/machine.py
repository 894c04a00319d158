"""A state machine that walks any back end through random work, beside the plain model."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ..domain.change import Applied, Batch, Put
from ..domain.clock import FrozenClock
from ..domain.errors import Conflict, Invalid
from ..domain.ports import Backend, Capability
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.seen import Seen, sight
from .model import Model, Outcome, Row
from .samples import assert_tallies, commits, everything, in_pages
from .strategies import BATCHES, KEYS, PUTS, QUERIES, TALLIES, changes_of

T = TypeVar("T")

Make = Callable[[FrozenClock], Backend]
"""Make a back end over a new, empty store; it is not opened yet."""

Again = Callable[[Backend, FrozenClock], Backend]
"""Make another back end over the store of one that was closed, as the next process would."""

EVERYONE = Query(space=None, expired=True)

STEPS_OF_ONE_RUN = 50


class BackendMachine(RuleBasedStateMachine):
    """Do the same to a back end and to the model; everything that can be seen must be equal.

    Override `make`, and `again` where the store outlives its back end. `steps` counts the rules
    that were executed, over all instances of a class.
    """

    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._clock = FrozenClock(tick=0)
        self._backend = self.make(self._clock)
        self._model = Model()
        self._batches: list[Batch] = []
        self._seqs: dict[str, int] = {}
        self._open_scans: list[AsyncIterator[Record]] = []

    def make(self, clock: FrozenClock) -> Backend:
        """Return a back end over a new, empty store."""
        del clock
        message = f"{type(self).__name__} must say which back end it is about: override make()"
        raise Invalid(message, code="unsupported", field="make")

    def again(self, backend: Backend, clock: FrozenClock) -> Backend | None:
        """Return another back end over the same, closed store; `None` where nothing is left."""
        del backend, clock
        return None

    @initialize(first=st.lists(PUTS, min_size=8, max_size=14, unique_by=lambda change: change.key))
    def open(self, first: list[Put]) -> None:
        """Open the empty store and write the first records."""
        self._run(self._backend.open())
        self._apply(Batch(tuple(first), id="first"))

    def teardown(self) -> None:
        """Compare everything once more, and close."""
        try:
            # Where a step failed, that failure is the one to tell.
            if sys.exception() is None:
                self._compare_everything()
            self._run(self._backend.close())
        finally:
            self._runner.close()

    @rule(batch=BATCHES)
    def apply(self, batch: Batch) -> None:
        """Apply a new batch; it goes through or is refused as the model says."""
        self._count()
        self._batches.append(batch)
        self._apply(batch)

    @precondition(lambda self: self._model.records)
    @rule(data=st.data(), more=BATCHES)
    def touch(self, data: st.DataObject, more: Batch) -> None:
        """Change a record that is there or has expired, with or just beside its version."""
        self._count()
        key = data.draw(st.sampled_from(sorted(self._model.records)))
        change = data.draw(changes_of(self._model.records[key]))
        others = tuple(other for other in more.changes if other.key != key)
        batch = Batch((*others[:2], change), id=more.id, actor=more.actor)
        self._batches.append(batch)
        self._apply(batch)

    @precondition(lambda self: self._batches)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """Apply an earlier batch again, whether it was applied then or refused."""
        self._count()
        self._apply(data.draw(st.sampled_from(self._batches)))

    @precondition(lambda self: self._seqs)
    @rule(data=st.data(), key=KEYS)
    def reuse(self, data: st.DataObject, key: Key) -> None:
        """Use the id of an applied batch for something else."""
        self._count()
        id = data.draw(st.sampled_from(sorted(self._seqs)))
        elsewhere = Put(key=Key(key.space, "elsewhere", key.id))
        self._apply(Batch((elsewhere,), id=id))

    @rule(query=QUERIES, batch=BATCHES, ago=st.sampled_from([(0, 0), (1, 0), (0, 1)]))
    def see(self, query: Query, batch: Batch, ago: tuple[int, int]) -> None:
        """Write only if a list is what it is now, or was before one of it was changed or made."""
        self._count()
        found = [sight(record) for record in self._model.scan(query, self._clock.now())]
        if found:
            key, version, made = found[-1]
            found[-1] = key, version - ago[0], made ^ ago[1]
        self._apply(replace(batch, seen=(Seen(query, tuple(found)),)))

    @rule(keys=st.lists(KEYS, max_size=8))
    def get(self, keys: list[Key]) -> None:
        """Read some keys, present and absent."""
        self._count()
        now = self._clock.now()
        expected = [self._model.live(key, now) for key in keys]
        _assert_same(expected, self._run(self._backend.get(keys)))

    @rule(query=QUERIES, paged=st.booleans())
    def scan(self, query: Query, paged: bool) -> None:  # noqa: FBT001 (Hypothesis draws it)
        """Ask a random query, for a scan or for pages."""
        self._count()
        expected = self._model.scan(query, self._clock.now())
        asked = in_pages if paged else everything
        _assert_same(expected, self._run(asked(self._backend, query)))

    @precondition(lambda self: Capability.TALLY in self._backend.capabilities)
    @rule(query=QUERIES, asked=TALLIES)
    def tally(self, query: Query, asked: tuple[Sequence[str], Sequence[str]]) -> None:
        """Count and sum up."""
        self._count()
        expected = self._model.tally(query, *asked, now=self._clock.now())
        answer = self._run(self._backend.tally(query, *asked))
        assert_tallies(expected, answer, scale=1e20)

    @precondition(lambda self: Capability.FEED in self._backend.capabilities)
    @rule(data=st.data())
    def feed(self, data: st.DataObject) -> None:
        """Read the feed from the beginning or from behind any commit."""
        self._count()
        self._compare_feed(data.draw(st.sampled_from([0, *self._seqs.values()])))

    @rule(query=QUERIES, steps=st.integers(0, 3))
    def leave(self, query: Query, steps: int) -> None:
        """Begin a scan and never come back, so that later work happens beside it."""
        self._count()

        async def begin() -> AsyncIterator[Record]:
            scan = self._backend.scan(query)
            for _ in range(steps):
                if await anext(scan, None) is None:
                    break
            return scan

        self._open_scans.append(self._run(begin()))

    @precondition(lambda self: self._open_scans)
    @rule()
    def forget(self) -> None:
        """Let go of the oldest scan that was left."""
        self._count()
        del self._open_scans[0]

    @rule(micros=st.integers(1, 25))
    def wait(self, micros: int) -> None:
        """Let time pass, so that records expire."""
        self._count()
        self._clock.advance(micros)

    @precondition(lambda self: Capability.DURABLE in self._backend.capabilities)
    @rule()
    def reopen(self) -> None:
        """Close the store and open it again, as the next process would."""
        self._count()
        self._open_scans.clear()
        self._run(self._backend.close())
        backend = self.again(self._backend, self._clock)
        self._backend = self._backend if backend is None else backend
        self._run(self._backend.open())
        self._compare_everything()

    def _count(self) -> None:
        type(self).steps += 1

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def _apply(self, batch: Batch) -> None:
        expected = _refusal_or(lambda: self._model.apply(batch, self._clock.now()))
        answer = _refusal_or(lambda: self._run(self._backend.apply(batch)))
        if isinstance(expected, Outcome) and isinstance(answer, Applied):
            self._compare_answer(batch, expected, answer)
        else:
            assert type(expected) is type(answer), f"expected {expected!r}, got {answer!r}"

    def _compare_answer(self, batch: Batch, expected: Outcome, answer: Applied) -> None:
        assert (expected.versions, expected.previous, expected.at, expected.replayed) == (
            answer.versions,
            answer.previous,
            answer.at,
            answer.replayed,
        )
        if not expected.recorded:
            assert answer.seq == 0
        elif expected.replayed:
            assert self._seqs[batch.id] == answer.seq
        else:
            assert answer.seq > max(self._seqs.values(), default=0)
            self._seqs[batch.id] = answer.seq

    def _compare_everything(self) -> None:
        expected = self._model.scan(EVERYONE, self._clock.now())
        _assert_same(expected, self._run(everything(self._backend, EVERYONE)))
        if Capability.FEED in self._backend.capabilities:
            self._compare_feed(0)

    def _compare_feed(self, after: int) -> None:
        told = self._run(commits(self._backend, after))
        expected = [row for row in self._model.rows if self._seqs[row.batch_id] > after]
        assert [self._seqs[row.batch_id] for row in expected] == [commit.seq for commit in told]
        assert expected == [
            Row(commit.batch_id, commit.actor, commit.at, frozenset(commit.changes))
            for commit in told
        ]


def run_machine(make: Make, *, steps: int, again: Again | None = None, shrink: bool = True) -> int:
    """Walk the back ends that `make` makes through at least `steps` random steps.

    Returns how many steps were made. Raises what the first difference raises, at the end of the
    shortest way there that Hypothesis found, or of the first way without `shrink`.
    """

    class Machine(BackendMachine):
        """The machine over the back end at hand."""

        def make(self, clock: FrozenClock) -> Backend:
            """Return a back end over a new, empty store."""
            return make(clock)

        def again(self, backend: Backend, clock: FrozenClock) -> Backend | None:
            """Return another back end over the same store, where the caller knows how."""
            return None if again is None else again(backend, clock)

    while Machine.steps < steps:
        runs = -(-(steps - Machine.steps) // STEPS_OF_ONE_RUN)
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=runs,
                stateful_step_count=STEPS_OF_ONE_RUN,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
                suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
            ),
        )
    return Machine.steps


def _refusal_or(call: Callable[[], T]) -> T | Conflict | Invalid:
    try:
        return call()
    except (Conflict, Invalid) as refusal:
        return refusal


def _assert_same(expected: Sequence[Record | None], answer: Sequence[Record | None]) -> None:
    """Compare records field by field, and label by label with their types."""
    assert list(map(_exact, expected)) == list(map(_exact, answer))


def _exact(record: Record | None) -> object:
    if record is None:
        return None
    return record, {name: type(value) for name, value in record.labels.items()}
