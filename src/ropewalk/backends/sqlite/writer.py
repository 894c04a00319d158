"""The writer: all that waits becomes one transaction, each batch in a savepoint of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, cast

import apsw

from ...domain.change import (
    ABSENT,
    Applied,
    Batch,
    Change,
    Delete,
    Effect,
    Ensure,
    Put,
    Stamp,
    decide,
)
from ...domain.errors import RopewalkError, Unavailable
from ...domain.labels import Label
from ...domain.ports import Clock
from ...domain.record import Key
from . import feed, labels
from .connection import Connection
from .errors import in_our_words
from .lane import Errand
from .watch import file_identity

_CHECKPOINT_PAGES: Final = 1_000
"""How many more pages in the WAL call for a checkpoint."""

_OVERHEAD: Final = 512
"""Bytes that a change takes beside its body, roughly."""

_FIND: Final = (
    "select row, version, created_at, expires_at, session_id, thread_id from record "
    "where space = ? and id = ? and kind = ?"
)
_INSERT: Final = (
    "insert into record (version, updated_at, expires_at, seal, labels, body, "
    "created_at, session_id, thread_id, space, kind, id) "
    "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Naming a column in an update rewrites its indexes even where the value stays: most writes of a
# record that is there leave its place alone.
_REWRITE: Final = (
    "update record set version = ?, updated_at = ?, expires_at = ?, seal = ?, labels = ?, body = ? "
    "where row = ?"
)
_MOVE: Final = (
    "update record set version = ?, updated_at = ?, expires_at = ?, seal = ?, labels = ?, body = ?,"
    " created_at = ?, session_id = ?, thread_id = ? where row = ?"
)
_RAISE: Final = "update record set version = ?, updated_at = ? where row = ?"
_DELETE: Final = "delete from record where row = ?"


class Write(Errand[Applied]):
    """A batch on its way to the writer, with labels that nobody else can change any more."""

    __slots__ = ("batch", "labels")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.labels: list[dict[str, Label]] = [
            dict(change.labels) if isinstance(change, Put) and change.labels else {}
            for change in batch.changes
        ]
        super().__init__(size=sum(_size(change) for change in batch.changes))


def _size(change: Change) -> int:
    return _OVERHEAD + (len(change.body) if isinstance(change, Put | Ensure) else 0)


_Columns: TypeAlias = tuple[int, int, int, int | None, str | None, str | None]


@dataclass(frozen=True, slots=True)
class _Row:
    """The row of a key as it is now, whether it is live or has expired."""

    row: int
    version: int
    created_at: int
    expires_at: int | None
    session_id: str | None
    thread_id: str | None

    def stamp(self, now: int) -> Stamp | None:
        """Return what `decide` needs to know, `None` where the record has expired."""
        live = self.expires_at is None or self.expires_at > now
        return Stamp(self.version, self.created_at) if live else None


@dataclass(slots=True)
class Pulse:
    """What the writer's thread lets others see.

    `file` is which file it opened, `trouble` what it last stumbled on between batches.
    """

    file: tuple[int, int] | None = None
    wal_pages: int = 0
    trouble: RopewalkError | None = None


class Writer:
    """Apply batches on the one connection that writes."""

    def __init__(self, connection: Connection, path: str, *, clock: Clock, pulse: Pulse) -> None:
        self._connection = connection
        self._path = path
        self._clock = clock
        self._pulse = pulse
        self._file = Path(path)
        pulse.file = file_identity(self._file)
        self._checkpoint_at = _CHECKPOINT_PAGES
        connection.after_commit(self._count_pages)

    def serve(self, errands: list[Write]) -> None:
        """Apply the batches together; where the disk refuses them together, one by one."""
        try:
            self._transaction(errands)
        except (apsw.Error, RopewalkError) as error:
            if len(errands) > 1 and not isinstance(error, apsw.BusyError | RopewalkError):
                # One of them may be more than fits: the others shall not suffer for it.
                for errand in errands:
                    self.serve([errand])
                return
            for errand in errands:
                errand.set_exception(in_our_words(error, self._path))

    def rest(self) -> None:
        """Move the WAL into the file now and then, while nobody waits for an answer."""
        pages = self._pulse.wal_pages
        if pages < self._checkpoint_at:
            # The WAL began anew since the last checkpoint, or has not grown enough.
            self._checkpoint_at = min(self._checkpoint_at, pages + _CHECKPOINT_PAGES)
            return
        self._checkpoint_at = pages + _CHECKPOINT_PAGES
        try:
            self._connection.checkpoint()
        except apsw.BusyError:
            return  # another process is at it
        except apsw.Error as error:
            self._pulse.trouble = in_our_words(error, self._path)
        else:
            self._pulse.trouble = None

    def leave(self) -> None:
        """Move all of the WAL into the file, if nobody else uses it, and close."""
        # What stays in the WAL is as safe there, and the next one to open reads it.
        with suppress(apsw.Error):
            self._connection.checkpoint(truncate=True)
        self._connection.close()

    def _count_pages(self, pages: int) -> None:
        self._pulse.wal_pages = pages

    def _transaction(self, errands: Sequence[Write]) -> None:
        if file_identity(self._file) != self._pulse.file:
            message = (
                f"{self._path} was moved or removed while it was open, so nothing can be kept: "
                "bring it back, or open the store again"
            )
            raise Unavailable(message, code="file_gone", path=self._path)
        self._connection.run("begin immediate")
        try:
            for errand in errands:
                self._batch(errand)
            self._connection.run("commit")
        finally:
            self._connection.roll_back()

    def _batch(self, errand: Write) -> None:
        self._connection.run("savepoint batch")
        try:
            errand.set_result(self._apply(errand))
        except (RopewalkError, apsw.TooBigError, UnicodeError, OverflowError) as error:
            self._connection.run("rollback to batch")
            errand.set_exception(in_our_words(error, self._path))
        self._connection.run("release batch")

    def _apply(self, errand: Write) -> Applied:
        batch = errand.batch
        before = feed.replayed(self._connection, batch)
        if before is not None:
            return before
        now = self._clock.now()
        rows = [self._find(change.key) for change in batch.changes]
        effects = [
            decide(change, row.stamp(now) if row else None, now)
            for change, row in zip(batch.changes, rows, strict=True)
        ]
        for change, row, effect, held in zip(
            batch.changes, rows, effects, errand.labels, strict=True
        ):
            self._perform(change, row, effect, held=held, now=now)
        versions = [effect.version for effect in effects]
        previous = [effect.previous for effect in effects]
        if all(effect.action == "none" for effect in effects):
            return Applied(0, now, tuple(versions), tuple(previous))
        return feed.record(self._connection, batch, at=now, versions=versions, previous=previous)

    def _find(self, key: Key) -> _Row | None:
        rows = self._connection.rows(_FIND, (key.space, key.id, key.kind))
        return _Row(*cast("_Columns", rows[0])) if rows else None

    def _perform(
        self,
        change: Change,
        row: _Row | None,
        effect: Effect,
        *,
        held: Mapping[str, Label],
        now: int,
    ) -> None:
        run = self._connection.run
        record = effect.record
        if record is not None:
            letter = (
                record.version,
                record.updated_at,
                record.expires_at,
                record.seal,
                labels.encode(held),
                record.body,
            )
            place = (record.created_at, record.session_id, record.thread_id)
            if row is None:
                key = record.key
                run(_INSERT, (*letter, *place, key.space, key.kind, key.id))
            elif place == (row.created_at, row.session_id, row.thread_id):
                run(_REWRITE, (*letter, row.row))
            else:
                run(_MOVE, (*letter, *place, row.row))
        elif row is not None and effect.action == "raise":
            run(_RAISE, (effect.version, now, row.row))
        elif row is not None and (effect.action == "delete" or _is_late(change, effect)):
            run(_DELETE, (row.row,))


def _is_late(change: Change, effect: Effect) -> bool:
    """Tell whether a delete came to an expired record, which then goes without a commit."""
    return isinstance(change, Delete) and effect.previous == ABSENT
