"""States by agent: what changed in them, and snapshots of them, each row a plain record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from ...domain.errors import Corrupt
from ...domain.legacy.agents import AGENT, CHANGE, PACKED, SNAPSHOT, changes_of, kept_of, with_kept
from ...domain.legacy.fields import Fields, is_id
from ...domain.legacy.values import JsonObject, as_object, excerpt
from ...domain.plain import PlainRecord
from ...domain.source import Finding, Problem, SourceItem
from ..databases import opened
from ..text import damaged, parse
from .rows import TableRow, rows
from .survey import AGENT_CHANGES, AGENT_SNAPSHOTS, Found
from .visit import Item, Visit, guarded

_COMMON: Final = (AGENT, "timestamp", "metadata")
_COLUMNS: Final = {
    CHANGE: ("history_id", *_COMMON, "action", "state_diff", PACKED[CHANGE]),
    SNAPSHOT: (
        *("snapshot_id", *_COMMON, "domain_state", "snapshot_name"),
        *("size_bytes", PACKED[SNAPSHOT]),
    ),
}
_TABLES: Final = {
    AGENT_CHANGES: ("state_history", CHANGE),
    AGENT_SNAPSHOTS: ("snapshots", SNAPSHOT),
}

_INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
"""How SQLite writes an integer."""


@dataclass(slots=True)
class Agents:
    """Reads the tables that were kept by agent; a row may name a session or a thread."""

    visit: Visit

    def read(self) -> Iterator[Finding | None]:
        """Go through the rows, table by table in the order they were written."""
        for format, (table, kind) in _TABLES.items():
            for found in self.visit.of(format):
                try:
                    yield from self._table(found, table, kind)
                except Corrupt as error:
                    yield damaged(error, found.path, found.place)

    def _table(self, found: Found, table: str, kind: str) -> Iterator[Finding | None]:
        before: datetime | None = None
        with opened(found.path) as db:
            for row in rows(db, table, _COLUMNS[kind], place=found.place):
                if isinstance(row, Problem):
                    yield row
                    continue
                place = f"{found.place}/{row.number}"
                text = excerpt(row.text(_state_of(kind)) or "")
                findings = _Reader(self.visit, row, kind, place).read(before)
                whole = partial(row.written_down, PACKED[kind])
                for finding in guarded(findings, place, text=text, whole=whole):
                    if isinstance(finding, SourceItem):
                        before = finding.entity.created_at
                    yield finding
                yield None


class _Reader:
    """Makes one row into a record."""

    def __init__(self, visit: Visit, row: TableRow, kind: str, place: str) -> None:
        self._visit = visit
        self._row = row
        self._kind = kind
        self._item = Item(visit, kind, place)
        self._columns = _columns_of(row, kind)
        self._fields = visit.fields(self._columns)

    def read(self, before: datetime | None) -> Iterator[Finding]:
        """Go through the record and its notes; raise `Corrupt` where there is none.

        `before` is the time of the row in front, for one that tells none.
        """
        item, fields, digest = self._item, self._fields, self._row.digest
        own = self._metadata()
        data = self._change() if self._kind == CHANGE else self._snapshot()
        created = fields.moment("timestamp")
        guess = created or before
        if guess is None:
            message = "tells no time that can be read, and nor does a row before it"
            raise Corrupt(message, code="no_time")
        item.identify(self._columns.get(_COLUMNS[self._kind][0]), digest)
        if created is None:
            item.note("time_guessed", f"timestamp cannot be read; took {guess.isoformat()}")
        session, thread = self._links(own, as_object(data.get("state")) or {})
        record = PlainRecord(
            id=item.id,
            kind=self._kind,
            data={**data, "metadata": own},
            metadata=self._labels(fields),
            session_id=session,
            thread_id=thread,
            created_at=guess,
            updated_at=guess,
        )
        kept = kept_of(self._columns, record, self._visit.times)
        item.tell_odd(fields)
        yield SourceItem(
            kind=self._kind,
            source_id=item.id,
            place=item.place,
            digest=digest,
            entity=replace(record, metadata=with_kept(record.metadata, kept)),
        )
        yield from item.notes()

    def _labels(self, fields: Fields) -> dict[str, Any]:
        """Return what records of this kind are found by."""
        name = ("action", "action") if self._kind == CHANGE else ("name", "snapshot_name")
        found = {AGENT: fields.word_or_none(AGENT), name[0]: fields.word_or_none(name[1])}
        return {label: value for label, value in found.items() if value is not None}

    def _metadata(self) -> JsonObject:
        """Return the row's own metadata, empty where there is none that can be read."""
        text = self._row.text("metadata")
        try:
            found = as_object(parse(text)) if text else {}
        except Corrupt:
            found = None
        if found is None:
            self._item.note(
                "metadata_lost", f"the metadata is no JSON object: {excerpt(text or '')}"
            )
        return found or {}

    def _change(self) -> dict[str, Any]:
        text = self._row.text("state_diff")
        if text is None:
            if self._row.cells.get(PACKED[CHANGE]):
                message = "holds the change as a packed pickle alone, which is never opened"
                raise Corrupt(message, code="pickle")
            return {"changes": {}}
        diff = as_object(_parsed(text, "change"))
        if diff is None:
            message = "the change is no JSON object"
            raise Corrupt(message, code="not_object")
        return {"changes": changes_of(diff)}

    def _snapshot(self) -> dict[str, Any]:
        text = self._row.text("domain_state")
        if text is None:
            packed = self._row.cells.get(PACKED[SNAPSHOT])
            message = (
                "holds the state as a packed pickle alone, which is never opened"
                if packed
                else "holds no state"
            )
            raise Corrupt(message, code="pickle" if packed else "no_state")
        return {"state": _parsed(text, "state"), "size_bytes": self._columns.get("size_bytes")}

    def _links(self, *told: JsonObject) -> tuple[str | None, str | None]:
        """Return the session and the thread that a row names, if it does; note those not there."""
        session, thread = (
            next((each[name] for each in told if is_id(each.get(name))), None)
            for name in ("session_id", "thread_id")
        )
        register = self._visit.register
        if isinstance(thread, str) and thread not in self._visit.threads:
            self._item.tell_dangling("thread", thread)
        if isinstance(session, str) and not register.knows("session", session):
            self._item.tell_dangling("session", session)
        if session is None and isinstance(thread, str):
            session = register.session_of(thread)
        return (
            session if isinstance(session, str) else None,
            thread if isinstance(thread, str) else None,
        )


def _parsed(text: str, what: str) -> object:
    try:
        return parse(text)
    except Corrupt as error:
        # A line within a cell is no line of the file.
        message = f"the {what} is {error.message}"
        raise Corrupt(message, code=error.code) from error


def _state_of(kind: str) -> str:
    return "state_diff" if kind == CHANGE else "domain_state"


def _columns_of(row: TableRow, kind: str) -> JsonObject:
    """Return the columns as they stand: texts, a number, and bytes where a pickle is packed."""
    packed = PACKED[kind]
    found: JsonObject = {name: row.text(name) for name in row.cells if name != packed}
    if packed in row.cells:
        found[packed] = row.cells[packed]
    size = found.get("size_bytes")
    if isinstance(size, str) and _INTEGER.fullmatch(size):
        found["size_bytes"] = int(size)
    return found
