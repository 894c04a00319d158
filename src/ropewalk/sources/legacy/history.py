"""History months: every line one record, each kept as an entry of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ...domain.history import EntryKind
from ...domain.legacy.entries import Common, entry_of
from ...domain.legacy.fields import Fields, is_id
from ...domain.legacy.keeping import difference, join
from ...domain.legacy.shapes import own_record
from ...domain.legacy.values import canonical, excerpt
from ...domain.plain import PlainRecord
from ...domain.source import Finding, Problem, SourceItem
from ..lines import Line, read_lines
from ..text import digest_of
from .survey import API_HISTORY, HISTORY, Found
from .visit import ENTRY, Item, Visit, guarded

KINDS: Final[Mapping[object, EntryKind]] = {kind.value: kind for kind in EntryKind}

OTHER: Final = "api_record"
"""Kind of the plain record that a line of the REST interface is, where it is no entry."""


@dataclass(slots=True)
class History:
    """Reads the months in order, and in each the sessions by name."""

    visit: Visit
    _last_session: str | None = None

    def read(self) -> Iterator[Finding | None]:
        """Go through the records, in the order they were written in each file."""
        for found in self.months():
            before: datetime | None = None
            for line in read_lines(found.path, found.place):
                if isinstance(line, Problem):
                    yield line
                    continue
                kind = kind_of(line)
                if kind is None and found.format != API_HISTORY:
                    yield stranger(line)
                    continue
                findings = (
                    self._other(line, found, before)
                    if kind is None
                    else self._record(line, kind, found, before)
                )
                for finding in guarded(findings, line.place):
                    if isinstance(finding, SourceItem):
                        before = finding.entity.created_at
                    yield finding
                yield None

    def months(self) -> list[Found]:
        """Return the files, oldest month first; the name of the folder above is the month."""
        files = self.visit.of(HISTORY) + self.visit.of(API_HISTORY)
        return sorted(files, key=lambda each: (each.path.parent.name, each.place))

    def _record(
        self, line: Line, kind: EntryKind, found: Found, before: datetime | None
    ) -> Iterator[Finding]:
        raw = line.value
        item = Item(self.visit, kind.value, line.place)
        fields = self.visit.fields(raw)
        created = fields.moment("timestamp")
        guess = created or before or self._month(found)
        if guess is None:
            yield _timeless(line)
            return
        digest = digest_of(raw)
        item.identify(raw.get("record_id"), digest, topic=ENTRY)
        if created is None:
            item.note("time_guessed", f"timestamp cannot be read; took {guess.isoformat()}")
        session, joined = self._session(fields, found, item), dict[str, Any]()
        common = Common(id=item.id, session_id=session, created_at=guess, metadata=joined)
        entry = entry_of(kind, fields, common)
        metadata = fields.mapping("metadata")
        kept = difference(raw, own_record(entry, metadata, self.visit.times))
        if raw.get("metadata") is None:
            # The program that wrote it reads null as no metadata as well.
            kept.pop("metadata", None)
        # What is kept depends on the entry, which is made once and handed on only now.
        joined.update(join(metadata, kept))
        item.tell_odd(fields)
        yield SourceItem(
            kind=kind.value,
            source_id=item.id,
            place=line.place,
            digest=digest,
            entity=entry,
        )
        yield from item.notes()

    def _other(self, line: Line, found: Found, before: datetime | None) -> Iterator[Finding]:
        """Keep whole what the REST interface wrote, who took records of any type."""
        item, fields = Item(self.visit, OTHER, line.place), self.visit.fields(line.value)
        created = fields.moment("timestamp")
        guess = created or before or self._month(found)
        if guess is None:
            yield _timeless(line)
            return
        digest = digest_of(line.value)
        item.identify(line.value.get("record_id"), digest)
        if created is None:
            item.note("time_guessed", f"timestamp cannot be read; took {guess.isoformat()}")
        type = fields.word_or_none("record_type")
        entity = PlainRecord(
            id=item.id,
            kind=OTHER,
            data=line.value,
            metadata={} if type is None else {"record_type": type},
            session_id=self._session(fields, found, item),
            created_at=guess,
            updated_at=guess,
        )
        yield SourceItem(
            kind=OTHER, source_id=item.id, place=line.place, digest=digest, entity=entity
        )
        yield from item.notes()

    def _session(self, fields: Fields, found: Found, item: Item) -> str | None:
        session = fields.link("session_id")
        if session is None and is_id(found.path.stem):
            session = found.path.stem
            item.note("session_guessed", f"session_id cannot be read; took the file's: {session}")
        if session is not None and session != self._last_session:
            if not self.visit.register.knows("session", session):
                item.tell_dangling("session", session)
            self._last_session = session
        return session

    def _month(self, found: Found) -> datetime | None:
        month = found.path.parent.name
        return self.visit.times.read(f"{month[:4]}-{month[4:]}-01T00:00:00")


def _timeless(line: Line) -> Problem:
    reason = "tells no time that can be read, and nor does anything before it"
    whole = canonical(line.value)
    return Problem(
        code="no_time", place=line.place, reason=reason, excerpt=excerpt(whole), raw=whole
    )


def kind_of(line: Line) -> EntryKind | None:
    """Return the kind of entry that a record is, or `None` where it is none that we know."""
    kind = line.value.get("record_type")
    return KINDS.get(kind) if isinstance(kind, str) else None


def stranger(line: Line) -> Problem:
    """Tell a record of a type that we do not know."""
    reason = f"a record of the unknown type {line.value.get('record_type')!r}"
    whole = canonical(line.value)
    return Problem(
        code="unknown_record_type",
        place=line.place,
        reason=reason,
        excerpt=excerpt(whole),
        raw=whole,
    )
