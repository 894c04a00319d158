"""Checkpoint databases: every row of the checkpoint store, whichever generation wrote it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import apsw

from ...domain.checkpoint import Checkpoint
from ...domain.errors import Corrupt
from ...domain.legacy.fields import fit, is_id
from ...domain.legacy.keeping import join, same
from ...domain.legacy.values import JsonObject, excerpt
from ...domain.limits import MAX_LABEL_BYTES
from ...domain.moment import from_micros, to_micros
from ...domain.source import Finding, Problem, Skipped, SourceItem
from ..databases import Database, Value, opened
from ..register import Row
from ..text import damaged
from .blobs import STORES, Origin, channel_state, channels, load_metadata, origin_of, unpack
from .survey import CHECKPOINTS, GRAPHS, REASONS
from .visit import Item, Visit, guarded

_STATE: Final = "state_data"

# Everything as bytes: text that is no UTF-8 must not stop the others.
_UPWARDS: Final = """
SELECT rowid, CAST(thread_id AS BLOB), CAST(checkpoint_id AS BLOB), CAST(checkpoint_ns AS BLOB),
  CAST(parent_checkpoint_id AS BLOB), CAST(type AS BLOB), CAST(checkpoint AS BLOB),
  CAST(metadata AS BLOB)
FROM checkpoints ORDER BY rowid"""
_DOWNWARDS: Final = f"{_UPWARDS} DESC"
_ONE: Final = _UPWARDS.replace("ORDER BY rowid", "WHERE rowid = ?")


@dataclass(frozen=True, slots=True)
class _Raw:
    """One row as it stands in the table."""

    row: int
    thread: bytes | None
    id: bytes | None
    namespace: bytes | None
    parent: bytes | None
    type: bytes | None
    checkpoint: bytes | None
    metadata: bytes | None

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that can change while the row keeps its name."""
        whole = hashlib.sha256()
        for part in (self.parent, self.type, self.checkpoint, self.metadata):
            whole.update(b"-" if part is None else b"%d:%b" % (len(part), part))
        return whole.hexdigest()

    def written_down(self) -> bytes:
        """Return the whole row as JSON; the blob, which is no text, in base64."""
        blob = None if self.checkpoint is None else base64.b64encode(self.checkpoint).decode()
        row = {
            "thread_id": _shown(self.thread),
            "checkpoint_id": _shown(self.id),
            "checkpoint_ns": _shown(self.namespace),
            "parent_checkpoint_id": _shown(self.parent),
            "type": _shown(self.type),
            "checkpoint": blob,
            "metadata": _shown(self.metadata),
        }
        return json.dumps(row, ensure_ascii=False).encode()


def _shown(raw: bytes | None) -> str | None:
    return None if raw is None else _text(raw)


def _raw(values: tuple[Value, ...]) -> _Raw:
    return _Raw(*cast("tuple[int, bytes, bytes, bytes, bytes, bytes, bytes, bytes]", values))


@dataclass(slots=True)
class Checkpoints:
    """Reads each database twice: first the times, to know the order, then the states."""

    visit: Visit

    def index(self) -> Iterator[Finding | None]:
        """Note down when and by what every row was written, and report damaged databases."""
        for store, found in enumerate(self.visit.of(CHECKPOINTS)):
            try:
                with opened(found.path) as db:
                    yield from self._index(db, store, found.place)
            except Corrupt as error:
                yield damaged(error, found.path, found.place)

    def _index(self, db: Database, store: int, place: str) -> Iterator[Finding | None]:
        # Behind a damaged page the rows can still be reached from the other end.
        for text in (_UPWARDS, _DOWNWARDS):
            last: int | None = None
            try:
                for values in db.execute(text):
                    raw = _raw(values)
                    if not self._note_down(raw, store):
                        return
                    last = raw.row
                    yield None
            except apsw.Error as error:
                side = "behind" if text == _UPWARDS else "before"
                where = "at all" if last is None else f"{side} row {last}"
                reason = f"SQLite cannot read on {where}: {error}"
                yield Problem(code="bad_database", place=place, reason=reason)
            else:
                return

    def _note_down(self, raw: _Raw, store: int) -> bool:
        try:
            blob = unpack(raw.checkpoint, raw.type)
            origin, moment = origin_of(blob, raw.metadata), self.visit.times.read(blob.get("ts"))
        except Corrupt:
            origin, moment = Origin.UNREAD, None
        at = to_micros(moment) if moment else None
        row = Row(store, raw.row, at, origin)
        return self.visit.register.add_checkpoint(raw.thread or b"", raw.id or b"", row)

    def read(self) -> Iterator[Finding | None]:
        """Go through the checkpoints: database by database, thread by thread, oldest first."""
        for store, found in enumerate(self.visit.of(CHECKPOINTS)):
            counts = self.visit.register.count_checkpoints(store)
            strangers = sum(n for origin, n in counts.items() if Origin(origin) not in STORES)
            if strangers:
                yield Skipped(
                    format=GRAPHS, place=found.place, items=strangers, reason=REASONS[GRAPHS]
                )
            if strangers == sum(counts.values()):
                continue
            try:
                with opened(found.path) as db:
                    for row in self.visit.register.checkpoints(store):
                        if Origin(row.origin) in STORES:
                            yield from self._row(db, row, f"{found.place}/{row.row}")
                            yield None
            except Corrupt as error:
                yield damaged(error, found.path, found.place)

    def _row(self, db: Database, row: Row, place: str) -> Iterator[Finding]:
        try:
            read = [_raw(values) for values in db.execute(_ONE, (row.row,))]
        except apsw.Error as error:
            reason = f"SQLite cannot read this row: {error}"
            yield Problem(code="bad_database", place=place, reason=reason)
            return
        if not read:
            yield Problem(code="vanished", place=place, reason="the row is no longer there")
            return
        raw = read[0]
        text = excerpt(raw.metadata or raw.checkpoint or b"")
        yield from guarded(
            _Reader(self.visit, raw, row, place).read(), place, text=text, whole=raw.written_down
        )


class _Reader:
    """Makes one row into a checkpoint."""

    def __init__(self, visit: Visit, raw: _Raw, row: Row, place: str) -> None:
        self._visit = visit
        self._raw = raw
        self._row = row
        self._item = Item(visit, "checkpoint", place)
        self._kept: JsonObject = {}

    def read(self) -> Iterator[Finding]:
        """Go through the checkpoint and its notes; raise `Corrupt` where there is none."""
        raw, item = self._raw, self._item
        thread = _text(raw.thread)
        if not is_id(thread):
            message = f"the thread_id cannot be an id: {thread!r}"
            raise Corrupt(message, code="bad_thread_id")
        blob, metadata = self._decode()
        created = self._created(blob, metadata)
        state = self._state(blob, metadata)
        item.identify(_text(raw.id), raw.digest)
        if item.id != _text(raw.id):
            self._kept["checkpoint_id"] = _text(raw.id)
        if thread not in self._visit.threads:
            item.tell_dangling("thread", thread)
        own = {name: value for name, value in metadata.items() if name != _STATE}
        checkpoint = Checkpoint(
            id=item.id,
            thread_id=thread,
            session_id=self._session(thread),
            parent_id=self._parent(),
            workflow_id=self._workflow(blob, metadata),
            metadata=join(own, self._rest(blob, created)),
            created_at=created,
            updated_at=created,
            state=state,
        )
        yield SourceItem(
            kind="checkpoint",
            source_id=item.id,
            place=item.place,
            digest=raw.digest,
            entity=checkpoint,
        )
        yield from item.notes()

    def _decode(self) -> tuple[JsonObject, JsonObject]:
        """Return the blob and the metadata; where one is damaged, the other may do."""
        blob: JsonObject = {}
        damage: Corrupt | None = None
        try:
            blob = unpack(self._raw.checkpoint, self._raw.type)
        except Corrupt as error:
            damage = error
            self._item.note("blob_lost", f"{error.message}; the metadata was taken")
        try:
            return blob, load_metadata(self._raw.metadata)
        except Corrupt as error:
            if damage is not None:
                message = f"{damage.message}, and {error.message}"
                raise Corrupt(message, code="bad_blob") from error
            self._item.note("metadata_lost", error.message)
            self._kept["metadata"] = _text(self._raw.metadata)
            return blob, {}

    def _created(self, blob: JsonObject, metadata: JsonObject) -> datetime:
        if self._row.at is not None:
            return from_micros(self._row.at)
        created = self._visit.times.read(metadata.get("created_at"))
        if created is None:
            message = f"tells no time that can be read: ts is {blob.get('ts')!r}"
            raise Corrupt(message, code="no_time")
        self._item.note("time_guessed", f"ts cannot be read; took {created.isoformat()}")
        return created

    def _state(self, blob: JsonObject, metadata: JsonObject) -> Any:  # noqa: ANN401 (a user's state)
        """Return the state: that of the metadata, else that of the channels."""
        found = channel_state(blob)
        if found is not None and found.odd:
            self._item.note("odd_value", found.odd)
        if _STATE not in metadata:
            if found is None:
                message = "holds no state: neither in the metadata nor in the channels"
                raise Corrupt(message, code="no_state")
            return found.value
        state = metadata[_STATE]
        if found is not None and not _alike(found.value, state):
            told = "the state in the channels differs; that of the metadata was taken"
            self._item.note("state_differs", told)
            self._kept["channel_state"] = found.value
        return state

    def _session(self, thread: str) -> str | None:
        register = self._visit.register
        session = register.session_of(thread)
        if session is None and register.knows("session", thread):
            # The first generations wrote the id of the session into this column.
            return thread
        return session

    def _parent(self) -> str | None:
        parent = None if self._raw.parent is None else _text(self._raw.parent)
        return parent if is_id(parent) else None

    def _workflow(self, blob: JsonObject, metadata: JsonObject) -> str | None:
        own, channel = metadata.get("workflow_id"), channels(blob).get("workflow_id")
        if "workflow_id" in metadata and channel is not None and not _alike(own, channel):
            self._kept["workflow_id"] = channel
        found = own if isinstance(own, str) else channel
        return fit(found, MAX_LABEL_BYTES) if isinstance(found, str) else None

    def _rest(self, blob: JsonObject, created: datetime) -> JsonObject:
        raw, kept = self._raw, self._kept
        ts = blob.get("ts")
        if ts is not None and ts != self._visit.times.write(created):
            kept["ts"] = ts
        if raw.namespace:
            kept["checkpoint_ns"] = _text(raw.namespace)
        if raw.parent is not None and self._parent() is None:
            kept["parent_checkpoint_id"] = _text(raw.parent)
        if self._row.origin != Origin.STORE_D:
            kept["generation"] = self._row.origin
        return kept


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "backslashreplace")


def _alike(left: object, right: object) -> bool:
    try:
        return same(left, right)
    except TypeError:
        # Extension types may hold what JSON has no form for, such as bytes.
        return left == right
