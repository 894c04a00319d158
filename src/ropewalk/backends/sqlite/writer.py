"""The writer: all that waits becomes one transaction, in which each batch stands or falls alone."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import apsw

from ...domain.change import Applied, Batch, Check, Ensure, Put
from ...domain.declared import DECLARED
from ...domain.effect import decide
from ...domain.errors import Corrupt, RopewalkError, Unavailable
from ...domain.labels import Label
from ...domain.ports import Clock
from ...domain.record import NO_LABELS
from . import expecting, feed, following
from .connection import Connection
from .errors import in_our_words
from .glance import Glance
from .lane import Errand
from .pulse import Pulse
from .seat import Seat
from .tables import Tables
from .tidying import IDLE, Tidying
from .watch import file_identity, gone

_OVERHEAD: Final = 512
"""Bytes that a change takes beside its body, roughly."""

_REFUSED: Final = (RopewalkError, apsw.TooBigError, UnicodeError, OverflowError)
"""What is the fault of a batch alone."""


class Write(Errand[Applied]):
    """A batch on its way to the writer, with labels that nobody else can change any more."""

    __slots__ = ("batch", "declares", "labels")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.labels: list[Mapping[str, Label]] = []
        self.declares = False
        size = _OVERHEAD * len(batch.changes)
        for change in batch.changes:
            held: Mapping[str, Label] = NO_LABELS
            if isinstance(change, Put):
                size += len(change.body)
                if change.labels:
                    held = dict(change.labels)
            elif isinstance(change, Ensure):
                size += len(change.body)
            self.labels.append(held)
            if change.key.kind == DECLARED:
                self.declares = True
        super().__init__(size=size)


class Writer:
    """Apply batches on the one connection that writes.

    Its thread and those of loops take turns in its seat, the first of `seats`. On a connection
    `beside` loops read while the thread writes, and on a second one they look whether others have
    committed; both are closed with it.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        *,
        clock: Clock,
        pulse: Pulse,
        beside: Sequence[Connection] = (),
    ) -> None:
        self._glance = Glance(beside[1]) if beside else None
        self._seat = Seat(connection, pulse, self._glance)
        self.seats = (self._seat, *[Seat(reader, pulse, self._glance) for reader in beside[:1]])
        self._connection = connection
        self._path = path
        self._clock = clock
        self._pulse = pulse
        pulse.file = file_identity(path)
        self._tables = Tables(connection)
        self._tidying = Tidying(connection)
        self._version = 0
        self._has_written = False
        self._is_idle = False
        self._is_awake = False

    def serve(self, errands: list[Write]) -> None:
        """Apply the batches together; where the disk refuses them together, one by one."""
        with self._seat.taken():
            self._serve(errands)

    def serve_at_once(self, errands: Sequence[Write], *, until: float) -> int:
        """On a loop's thread, apply the first batches together; return how many have an outcome.

        No further one is begun after `until`, in seconds of this thread's processor time. None has
        an outcome where the other thread shall do it: somebody else is writing, the WAL begins
        anew, which takes its time, or anything is odd.
        """
        if not self._tidying.is_quiet() or not self._seat.take():
            return 0
        try:
            self._seat.end()
            self._is_idle = False
            with self._connection.at_once():
                return self._transaction(errands, until=until)
        except (apsw.Error, RopewalkError):
            # The thread meets the same, and tells it.
            return 0
        finally:
            self._seat.leave()

    def wants_rest(self) -> bool:
        """Tell whether there is something to tidy up of which the thread does not know."""
        if self._is_awake:
            return False
        tidying = self._tidying
        self._is_awake = tidying.is_due() or tidying.has_work(self._tables.removed)
        return self._is_awake

    def _serve(self, errands: Sequence[Write]) -> None:
        self._is_idle = False
        try:
            self._transaction(errands)
        except (apsw.Error, RopewalkError) as error:
            if len(errands) > 1 and not isinstance(error, apsw.BusyError | RopewalkError):
                # One of them may be more than fits: the others shall not suffer for it.
                for errand in errands:
                    self._serve([errand])
                return
            self._note(in_our_words(error, self._path))
            for errand in errands:
                errand.set_exception(in_our_words(error, self._path))

    def _note(self, failure: RopewalkError) -> None:
        """Let a health check know, unless it is the fault of the batch."""
        if isinstance(failure, Corrupt | Unavailable):
            self._pulse.failure = failure

    def rest(self) -> float | None:
        """Move the WAL into the file now and then; after a pause, give free pages back.

        Returns in how many seconds there is more to do, if nobody wants anything until then.
        """
        if self._is_idle or self._tidying.is_due():
            self._clear()
            with self._seat.taken():
                wait = self._tidy()
        else:
            wait = IDLE if self._tidying.has_work(self._tables.removed) else None
            self._is_idle = True
            self._pulse.trouble = None
        self._is_awake = wait is not None
        return wait

    def _clear(self) -> None:
        """End the snapshots of loops: one that stands still must not keep the WAL as it is."""
        for seat in self.seats:
            seat.let_go()

    def _tidy(self) -> float | None:
        tidying, removed = self._tidying, self._tables.removed
        wait: float | None = None
        try:
            if self._is_idle:
                wait = tidying.give_back(removed)
            else:
                tidying.checkpoint()
                wait = IDLE if tidying.has_work(removed) else None
        except apsw.Error as error:
            self._pulse.trouble = in_our_words(error, self._path)
        else:
            self._pulse.trouble = None
        self._is_idle = True
        return wait

    def leave(self) -> None:
        """Move all of the WAL into the file, if nobody else uses it, and close all connections."""
        # What stays in the WAL is as safe there, and the next one to open reads it.
        try:
            self._clear()
            with suppress(apsw.Error), self._seat.taken():
                self._tidying.leave(self._tables.removed)
        finally:
            if self._glance is not None:
                self._glance.close()
            for seat in reversed(self.seats):
                seat.close()

    def _transaction(self, errands: Sequence[Write], *, until: float = math.inf) -> int:
        """Apply batches in one transaction until `until`; return how many have an outcome."""
        if file_identity(self._path) != self._pulse.file:
            raise gone(self._path)
        connection = self._connection
        connection.run("begin immediate")
        committed = self._has_written = False
        try:
            self._catch_up()
            done = 1
            if len(errands) > 1:
                done = self._group(errands, until)
            elif not self._goes_alone(errands[0]):
                return done
            connection.run("commit")
            committed = True
            if self._has_written:
                self._pulse.failure = None
            self._pulse.commits += 1
            if self._pulse.stir is not None:
                self._pulse.stir()
            self._version = connection.data_version()
        finally:
            if not committed:
                connection.roll_back()
                self._tables.undo()
        return done

    def _group(self, errands: Sequence[Write], until: float) -> int:
        for number, errand in enumerate(errands, start=1):
            self._batch(errand)
            if time.thread_time() > until:
                return number
        return len(errands)

    def _catch_up(self) -> None:
        """Look whether others have written: they may have given numbers to names, or taken them."""
        if self._connection.data_version() != self._version:
            self._connection.names.forget()

    def _goes_alone(self, errand: Write) -> bool:
        """Apply the only batch of a transaction, without a savepoint; tell whether it stands."""
        try:
            errand.set_result(self._apply(errand))
        except _REFUSED as error:
            errand.set_exception(in_our_words(error, self._path))
            return False
        return True

    def _batch(self, errand: Write) -> None:
        self._connection.run("savepoint batch")
        try:
            errand.set_result(self._apply(errand))
        except _REFUSED as error:
            self._connection.run("rollback to batch")
            self._tables.undo()
            errand.set_exception(in_our_words(error, self._path))
        self._connection.run("release batch")

    def _apply(self, errand: Write) -> Applied:
        batch = errand.batch
        before = feed.replayed(self._connection, batch)
        if before is not None:
            return before
        now = self._clock.now()
        tables = self._tables
        addresses = [tables.address(change.key) for change in batch.changes]
        rows = tables.find(addresses)
        stamps = expecting.stamps(self._connection, batch, rows, now)
        effects = [decide(*pair, now) for pair in zip(batch.changes, stamps, strict=True)]
        expecting.check_seen(self._connection, batch.seen, now)
        for change, address, row, effect, held in zip(
            batch.changes, addresses, rows, effects, errand.labels, strict=True
        ):
            if type(change) is not Check:
                tables.perform(change, address, row, effect, held=held, now=now)
        seq = 0
        if any(effect.action != "none" for effect in effects):
            done = list(zip(addresses, effects, strict=True))
            seq = feed.record(self._connection, batch, tables, done, at=now)
            self._has_written = True
        tables.release_names()
        if errand.declares and seq:
            following.follow(self._connection)
        versions = tuple([effect.version for effect in effects])
        return Applied(seq, now, versions, tuple([effect.previous for effect in effects]))
