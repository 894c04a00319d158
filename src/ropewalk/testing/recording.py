"""`Recording`: a layer that writes down what one caller asked, when, and what it was told."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import monotonic_ns
from typing import IO, TYPE_CHECKING, Final, Self, cast
from uuid import uuid4

from ..domain.change import ABSENT, Applied, Batch, Change, Check, Delete, Ensure, Put
from ..domain.clock import SystemClock
from ..domain.errors import Conflict, Invalid
from ..domain.ports import Backend
from ..domain.query import Condition, Query
from ..domain.record import Key, Record
from ..layers.base import Layer
from ..services.overlay.backend import Overlay
from .histories import Event, Fate, Listing, Read, Step, Transaction, Write, event_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from types import TracebackType

SPACE: Final = "history"
KIND: Final = "item"
TAG: Final = "tag"
"""The label that a listing asks for."""


def item(name: str) -> Key:
    """Return the key of an item of a history."""
    return Key(SPACE, KIND, name)


def tagged(tag: str) -> Query:
    """Return the query for all items with a tag."""
    return Query(space=SPACE, kinds=(KIND,), where=(Condition(f"labels.{TAG}", "eq", tag),))


class Tape:
    """Keep events in memory, and in a file where one is given; any thread may write.

    A line in the file outlives the process: what was begun and got no answer is known as such.
    """

    def __init__(self, file: IO[str] | None = None) -> None:
        """Begin an empty tape."""
        self.events: list[Event] = []
        self._file = file
        self._lock = threading.Lock()

    def note(self, transaction: Transaction) -> None:
        """Write a transaction down, as far as it has come."""
        event = event_of(transaction)
        with self._lock:
            if self._file is None:
                self.events.append(event)
            else:
                self._file.write(json.dumps(event, separators=(",", ":")) + "\n")
                self._file.flush()


class Recording(Layer):
    """Record the gets, batches and units of one caller, and pass everything on.

    Bodies must be text, and no two puts may have the same. Scans, tallies and feeds outside a
    unit pass unrecorded: a scan is not of one moment. `Ensure`, records that expire and versions
    that are carried are refused: the checker has no meaning for them.
    """

    def __init__(self, below: Backend, tape: Tape, *, who: str) -> None:
        """Record on `tape` what `who` does with `below`."""
        super().__init__(below)
        self.tape = tape
        self.who = who
        self._read: dict[Key, Record] = {}

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Read, and write down what was seen; a read without an answer says nothing."""
        called = monotonic_ns()
        records = await self.below.get(keys, bodies=bodies)
        self._read |= {record.key: record for record in records if record is not None}
        steps = tuple(seen(key, record) for key, record in zip(keys, records, strict=True))
        self.tape.note(self._ended(uuid4().hex, called, Fate.DONE, steps))
        return records

    async def apply(self, batch: Batch) -> Applied:
        """Apply, and write down the attempt and its end.

        A change that expects the very record that was read last counts as a read of it.
        """
        steps = tuple(step for change in batch.changes for step in self._steps(change))
        begun = self.begun(batch.id, steps, called=monotonic_ns())
        writes = tuple(step for step in steps if isinstance(step, Write))
        return await self.finish(begun, batch, self.below, saw=writes)

    def _steps(self, change: Change) -> tuple[Step, ...]:
        asked = _asked(change)
        known = self._read.get(change.key)
        if isinstance(change, Ensure) or known is None or change.made is None:
            return (asked,)
        if (change.expect, change.made) != (known.version, known.created_at):
            return (asked,)
        read = seen(change.key, known)
        return (read,) if isinstance(asked, Read) else (read, asked)

    def unit(self) -> RecordedUnit:
        """Begin a unit of work: `async with recording.unit() as unit:`."""
        return RecordedUnit(self)

    def begun(self, id: str, steps: tuple[Step, ...], *, called: int) -> Transaction:
        """Write down that something is about to be committed; return it."""
        begun = Transaction(
            id=id, who=self.who, called=called, returned=None, fate=Fate.UNKNOWN, steps=steps
        )
        self.tape.note(begun)
        return begun

    async def finish(
        self, begun: Transaction, batch: Batch, backend: Backend, *, saw: tuple[Step, ...]
    ) -> Applied:
        """Apply the batch of what was begun, and write down how it ended.

        `saw` is what is known of it even if it is refused: what it read before, not what the
        batch demands.
        """
        try:
            applied = await backend.apply(batch)
        except (Conflict, Invalid) as error:
            self._refuse(replace(begun, steps=saw), error)
            raise
        installed = {
            str(change.key): (old, new)
            for change, old, new in zip(
                batch.changes, applied.previous, applied.versions, strict=True
            )
            if not isinstance(change, Check)
        }
        self.tape.note(
            replace(
                begun,
                returned=monotonic_ns(),
                fate=Fate.DONE,
                installed=installed,
                seq=applied.seq,
            )
        )
        return applied

    def _refuse(self, begun: Transaction, error: Conflict | Invalid) -> None:
        key, actual = error.facts.get("key"), error.facts.get("actual")
        found = (str(key), actual) if key is not None and isinstance(actual, int) else None
        self.tape.note(replace(begun, returned=monotonic_ns(), fate=Fate.REFUSED, refused=found))

    def _ended(self, id: str, called: int, fate: Fate, steps: tuple[Step, ...]) -> Transaction:
        return Transaction(
            id=id, who=self.who, called=called, returned=monotonic_ns(), fate=fate, steps=steps
        )


class _Committing(Layer):
    """Stand under a unit: let its reads pass, and record its one batch."""

    def __init__(self, recording: Recording, unit: RecordedUnit) -> None:
        super().__init__(recording.below)
        self._recording = recording
        self._unit = unit

    async def apply(self, batch: Batch) -> Applied:
        """Apply the batch of the unit, with what the unit read and wrote before it."""
        unit = self._unit
        begun = self._recording.begun(batch.id, tuple(unit.steps), called=unit.called)
        unit.is_told = True
        return await self._recording.finish(begun, batch, self.below, saw=begun.steps)


class RecordedUnit:
    """A unit of work over items, whose reads and writes are written down as one transaction."""

    def __init__(self, recording: Recording) -> None:
        """Begin a unit; it ends with its block."""
        self._recording = recording
        self._overlay = Overlay(_Committing(recording, self), SystemClock())
        self.id = uuid4().hex
        self.called = monotonic_ns()
        self.steps: list[Step] = []
        self.is_told = False

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, unless the block was left by an exception; write the end down."""
        fate = Fate.REFUSED
        try:
            if kind is None:
                await self._overlay.commit(id=self.id, actor=self._recording.who)
                fate = Fate.DONE
        finally:
            if not self.is_told:
                self._recording.tape.note(
                    Transaction(
                        id=self.id,
                        who=self._recording.who,
                        called=self.called,
                        returned=monotonic_ns(),
                        fate=fate,
                        steps=tuple(self.steps),
                    )
                )

    async def get(self, *names: str) -> list[Record | None]:
        """Read items as the unit sees them."""
        keys = [item(name) for name in names]
        records = await self._overlay.get(keys)
        self.steps += [seen(key, record) for key, record in zip(keys, records, strict=True)]
        return records

    async def put(self, name: str, value: str, *, tag: str = "") -> None:
        """Write an item."""
        await self._gather(put(name, value, tag=tag))

    async def delete(self, name: str) -> None:
        """Delete an item."""
        await self._gather(Delete(key=item(name)))

    async def list(self, tag: str) -> list[Record]:
        """Return all items with a tag, as the unit sees them."""
        scan = cast("AsyncGenerator[Record, None]", self._overlay.scan(tagged(tag)))
        async with aclosing(scan) as found:
            records = [record async for record in found]
        self.steps.append(Listing(tag, tuple(seen(record.key, record) for record in records)))
        return records

    async def _gather(self, change: Put | Delete) -> None:
        await self._overlay.apply(Batch((change,)))
        self.steps.append(_asked(change))


def expecting(change: Put, record: Record | None) -> Put:
    """Return the change that is made of nothing but the record that was read."""
    if record is None:
        return replace(change, expect=ABSENT)
    return replace(change, expect=record.version, made=record.created_at)


def put(name: str, value: str, *, tag: str = "", expect: int | None = None) -> Put:
    """Return the change that writes an item."""
    labels: Mapping[str, str] = {TAG: tag} if tag else {}
    return Put(key=item(name), body=value.encode(), labels=labels, expect=expect)


def seen(key: Key, record: Record | None) -> Read:
    """Return what a history says of a record that was read."""
    if record is None:
        return Read(str(key), 0)
    return Read(str(key), record.version, None if record.body is None else record.body.decode())


def _asked(change: object) -> Step:
    if isinstance(change, Put) and change.expires_at is None and change.version is None:
        tag = change.labels.get(TAG, "")
        return Write(str(change.key), change.body.decode(), change.expect, str(tag))
    if isinstance(change, Delete) and change.at_most is None:
        return Write(str(change.key), None, change.expect)
    if isinstance(change, Check) and change.expect is not None:
        return Read(str(change.key), change.expect)
    message = f"{change!r} cannot be recorded: only plain puts, deletes and checks of versions can"
    raise Invalid(message, code="unsupported", field="changes")
