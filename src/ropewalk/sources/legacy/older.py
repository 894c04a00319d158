"""Sessions of three older generations, of the REST interface's table, and events for replaying."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ...domain.errors import Corrupt
from ...domain.legacy.fields import Fields
from ...domain.legacy.keeping import join
from ...domain.legacy.shapes import DOCUMENT
from ...domain.legacy.values import JsonObject, as_list, as_object, canonical, excerpt
from ...domain.session import Interaction, Session, SessionStatus
from ...domain.source import Finding, Problem, SourceItem
from ..databases import opened
from ..text import damaged, digest_of, load_document, parse
from .rows import rows
from .survey import API_SESSIONS, EVENTS, OLDER, Found
from .visit import Item, Visit, guarded

GENERATION: Final = "generation"
"""Kept beside what was read: which of the older shapes it had."""

REPLAY: Final = "tui_replay"
"""Type of the interaction that stands for a file of events itself."""

_ROWS: Final = "sessions"
_COLUMNS: Final = (
    *("session_id", "workflow_config_path", "workflow_id", "status"),
    *("created_at", "updated_at", "agent_config", "metadata"),
)


@dataclass(slots=True)
class Older:
    """Reads what has another shape than today's session files: each whole, under its session."""

    visit: Visit
    _digests: dict[str, str] = field(default_factory=dict[str, str])

    def read(self) -> Iterator[Finding | None]:
        """Go through the sessions, file by file and row by row."""
        for format in OLDER:
            for found in self.visit.of(format):
                yield from guarded(self._document(found), found.place)
                yield None
        for found in self.visit.of(API_SESSIONS):
            try:
                yield from self._rows(found)
            except Corrupt as error:
                yield damaged(error, found.path, found.place)

    def _document(self, found: Found) -> Iterator[Finding]:
        document = load_document(found.path)
        metadata = as_object(document.get("metadata")) or {}
        infos = as_object(metadata.get("thread_info")) or {}
        threads = [(as_object(info) or {}).get("thread_id") for info in infos.values()]
        kept: JsonObject = {GENERATION: found.format.rpartition("-")[2], DOCUMENT: document}
        yield from self._session(
            self.visit.fields(metadata),
            found.place,
            digest=digest_of(document),
            raw=canonical(document),
            metadata=join({}, kept),
            threads=[thread for thread in threads if thread is not None],
        )

    def _session(
        self,
        fields: Fields,
        place: str,
        *,
        digest: str,
        raw: bytes,
        metadata: JsonObject,
        threads: list[object],
    ) -> Iterator[Finding]:
        item, wanted = Item(self.visit, "session", place), fields.raw.get("session_id")
        if isinstance(wanted, str) and self._digests.get(wanted) == digest:
            item.id = wanted
            item.note("same_document", f"the very same session {wanted} was read from elsewhere")
            yield from item.notes()
            return
        created, updated = fields.moment("created_at"), fields.moment("updated_at")
        begun = created or updated
        if begun is None:
            reason = "tells no time of the session that can be read"
            yield Problem(code="no_time", place=place, reason=reason, excerpt=excerpt(raw), raw=raw)
            return
        id = item.identify(wanted, digest)
        self._digests.setdefault(str(wanted), digest)
        if created is None:
            item.note("time_guessed", f"created_at cannot be read; took {begun.isoformat()}")
        session = Session(
            id=id,
            status=item.status(fields.raw.get("status"), SessionStatus.ACTIVE),
            created_at=begun,
            updated_at=max(begun, updated or begun),
            metadata=metadata,
        )
        item.tell_odd(fields)
        item.take_threads(threads)
        yield SourceItem(kind="session", source_id=id, place=place, digest=digest, entity=session)
        yield from item.notes()

    def _rows(self, found: Found) -> Iterator[Finding | None]:
        with opened(found.path) as db:
            for row in rows(db, _ROWS, _COLUMNS, place=found.place):
                if isinstance(row, Problem):
                    yield row
                    continue
                place = f"{found.place}/{row.number}"
                shown = {name: row.text(name) for name in row.cells}
                yield from guarded(self._row(shown, place), place)
                yield None

    def _row(self, row: dict[str, str | None], place: str) -> Iterator[Finding]:
        raw: JsonObject = dict(row)
        text, kept = row.get("metadata"), dict(raw)
        try:
            metadata = as_object(parse(text)) if text else None
        except Corrupt:
            metadata = None  # it stays a text, beside the other columns
        if metadata is not None and json.dumps(metadata) == text:
            del kept["metadata"]
        yield from self._session(
            self.visit.fields(raw),
            place,
            digest=digest_of(raw),
            raw=canonical(raw),
            metadata=join(metadata or {}, {GENERATION: "api", "row": kept}),
            threads=[],
        )

    def read_events(self) -> Iterator[Finding | None]:
        """Go through the events of the text interface, each an interaction of its session."""
        for found in self.visit.of(EVENTS):
            yield from guarded(self._events(found), found.place)
            yield None

    def _events(self, found: Found) -> Iterator[Finding]:
        document = load_document(found.path)
        fields = self.visit.fields({**document, "file": found.path.stem})
        events = as_list(document.get("events")) or []
        session = fields.link("session_id") or fields.link("file")
        times = [self.visit.times.read((as_object(e) or {}).get("timestamp")) for e in events]
        begun = fields.moment("created_at") or next(filter(None, times), None)
        if session is None or begun is None:
            reason = "tells no session, or no time that can be read"
            raw = canonical(document)
            yield Problem(
                code="no_session" if begun else "no_time",
                place=found.place,
                reason=reason,
                excerpt=excerpt(raw),
                raw=raw,
            )
            return
        rest = {name: value for name, value in document.items() if name != "events"}
        yield from self._event(rest, found.place, session, REPLAY, begun, name=f"{session}~replay")
        before = begun
        for index, value in enumerate(events):
            place = f"{found.place}#events[{index}]"
            event = as_object(value)
            if event is None:
                text, raw = excerpt(repr(value)), canonical(value)
                reason = "an event that is no object"
                yield Problem(code="not_object", place=place, reason=reason, excerpt=text, raw=raw)
                continue
            type = self.visit.fields(event).word("event_type", "unknown")
            before = times[index] or before
            name = f"{session}~event~{index:06}"
            yield from self._event(event, place, session, type, before, name=name)

    def _event(
        self,
        value: JsonObject,
        place: str,
        session: str,
        type: str,
        at: datetime,
        *,
        name: str,
    ) -> Iterator[Finding]:
        item, digest = Item(self.visit, "interaction", place), digest_of(value)
        id = item.identify(name, digest)
        if type != REPLAY and self.visit.times.read(value.get("timestamp")) is None:
            item.note("time_guessed", f"timestamp cannot be read; took {at.isoformat()}")
        if not self.visit.register.knows("session", session):
            item.tell_dangling("session", session)
        entity = Interaction(
            id=id,
            session_id=session,
            type=type,
            created_at=at,
            metadata=join({}, {GENERATION: "tui", DOCUMENT: value}),
        )
        yield SourceItem(
            kind="interaction", source_id=id, place=place, digest=digest, entity=entity
        )
        yield from item.notes()
