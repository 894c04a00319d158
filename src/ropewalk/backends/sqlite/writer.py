"""The writer: all that waits becomes one transaction, in which each batch stands or falls alone."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import apsw

from ...domain.change import Applied, Batch, Check, Delete, Ensure, Put
from ...domain.declared import DECLARED
from ...domain.effect import Stamp, Standing, Verdict, weigh
from ...domain.errors import Corrupt, RopewalkError, Unavailable
from ...domain.labels import Label
from ...domain.ports import Clock
from ...domain.record import NO_LABELS
from . import expecting, feed, following
from .breath import Breath
from .connection import Connection
from .errors import in_our_words
from .glance import Glance
from .lane import Errand
from .pulse import Pulse
from .seat import Seat
from .tables import Address, Row, Tables
from .tidying import IDLE, Tidying
from .watch import file_identity, gone

_OVERHEAD: Final = 512
"""Bytes that a change takes beside its body, roughly."""

_REFUSED: Final = (RopewalkError, apsw.TooBigError, UnicodeError, OverflowError)
"""What is the fault of a batch alone."""

_WITH_BODY: Final = (Put, Ensure)


class Write(Errand[Applied]):
    """A batch on its way to the writer; one that waits has labels that nobody can change."""

    __slots__ = ("batch", "declares", "held")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.held: list[Mapping[str, Label]] | None = None
        self.declares = False
        size = _OVERHEAD * len(batch.changes)
        for change in batch.changes:
            if isinstance(change, _WITH_BODY):
                size += len(change.body)
            if change.key.kind == DECLARED:
                self.declares = True
        super().__init__(size=size)

    def hold(self) -> None:
        """Keep the labels as they are now, before anybody else comes to run."""
        self.held = [
            dict(change.labels) if isinstance(change, Put) else NO_LABELS
            for change in self.batch.changes
        ]


class _TornError(Exception):
    """One of several batches was refused when a part of it was written."""


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
        self._begun = 0
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
            return self._transaction(errands, until=until)
        except (apsw.Error, RopewalkError, _TornError):
            # The thread meets the same, and tells it.
            return 0
        finally:
            self._seat.leave()

    def wants_rest(self) -> bool:
        """Tell whether there is something to tidy up of which the thread does not know."""
        if self._is_awake:
            return False
        self._is_awake = self._tidying.wants_rest(self._tables.removed)
        return self._is_awake

    def _serve(self, errands: Sequence[Write]) -> None:
        self._is_idle = False
        try:
            try:
                self._transaction(errands)
            except _TornError:
                self._transaction(errands, apart=True)
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

    def _transaction(
        self, errands: Sequence[Write], *, until: float = math.inf, apart: bool = False
    ) -> int:
        """Apply batches in one transaction until `until`; return how many have an outcome.

        Raises `_TornError`, and applies none of them, where one of several is refused when a part
        of it was written: only with `apart` can that part alone be undone, which costs two
        statements for each batch.
        """
        if file_identity(self._path) != self._pulse.file:
            raise gone(self._path)
        connection = self._connection
        connection.run("begin immediate")
        committed = self._has_written = False
        begun = self._begun
        try:
            if connection.data_version() != self._version:
                # Others may have given numbers to names, or taken them.
                connection.names.forget()
            done = 1
            if len(errands) > 1:
                done = self._group(errands, until, self._batch if apart else self._whole)
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
                if self._begun != begun:
                    self._tables.undo()
        return done

    def _group(self, errands: Sequence[Write], until: float, apply: Callable[[Write], None]) -> int:
        for number, errand in enumerate(errands, start=1):
            apply(errand)
            if time.thread_time() > until:
                return number
        return len(errands)

    def _goes_alone(self, errand: Write) -> bool:
        """Apply the only batch of a transaction; tell whether it stands."""
        try:
            errand.set_result(self._apply(errand))
        except _REFUSED as error:
            errand.set_exception(in_our_words(error, self._path))
            return False
        return True

    def _whole(self, errand: Write) -> None:
        """Apply one of several batches, which is refused before it writes, or tears them all."""
        begun = self._begun
        try:
            errand.set_result(self._apply(errand))
        except _REFUSED as error:
            if self._begun != begun:
                raise _TornError from error
            errand.set_exception(in_our_words(error, self._path))

    def _batch(self, errand: Write) -> None:
        """Apply one of several batches so that a part of it can be undone."""
        self._connection.run("savepoint batch")
        try:
            errand.set_result(self._apply(errand))
        except _REFUSED as error:
            self._connection.run("rollback to batch")
            self._tables.undo()
            errand.set_exception(in_our_words(error, self._path))
        self._connection.run("release batch")

    def _apply(self, errand: Write) -> Applied:
        """Decide about a batch, and only then write anything of it."""
        batch, tables, connection = errand.batch, self._tables, self._connection
        changes, id = batch.changes, feed.pack_batch(batch.id)
        addresses = tables.addresses(changes)
        shown = id[: feed.SHOWN]
        breath = Breath(len(changes))
        sent, rows = tables.find(changes, addresses, also=feed.SENT, values=(shown, id))
        breath.take()
        if sent is not None:
            return feed.replayed(sent, batch, connection.names)
        now = self._clock.now()
        verdicts: list[Verdict] = []
        versions: list[int] = []
        previous: list[int] = []
        has_effect = False
        for change, row in zip(changes, rows, strict=True):
            current: Standing | None = row
            if row is not None:
                if row.expires_at is not None and row.expires_at <= now:
                    current = None
                elif type(change) is Check and change.labels:
                    stamp = Stamp(row.version, row.created_at)
                    current = expecting.labelled(connection, change, stamp, now)
            verdict = weigh(change, current, now)
            verdicts.append(verdict)
            versions.append(verdict[1])
            previous.append(verdict[2])
            has_effect = has_effect or verdict[0] != "none"
        if batch.seen:
            expecting.check_seen(connection, batch.seen, now)
        self._begun += 1
        breath.take()
        self._perform(errand, addresses, rows, verdicts, now=now, breath=breath)
        breath.take()
        seq = 0
        if has_effect:
            seq = feed.record(connection, batch, tables, (addresses, verdicts), id=id, at=now)
            self._has_written = True
            if errand.declares:
                following.follow(connection)
        if tables.loose:
            tables.release_names()
        return Applied(seq, now, tuple(versions), tuple(previous))

    def _perform(
        self,
        errand: Write,
        addresses: Sequence[Address],
        rows: Sequence[Row | None],
        verdicts: Sequence[Verdict],
        *,
        now: int,
        breath: Breath,
    ) -> None:
        """Do what was decided."""
        changes, held, perform = errand.batch.changes, errand.held, self._tables.perform
        for index, verdict in enumerate(verdicts):
            breath.take()
            change = changes[index]
            # A delete without effect may have come to an expired record, which goes then.
            if verdict[0] != "none" or type(change) is Delete:
                labels = None if held is None else held[index]
                perform(change, addresses[index], rows[index], verdict, held=labels, now=now)
