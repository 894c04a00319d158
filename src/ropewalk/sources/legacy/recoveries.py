"""Logs of session recoveries, which older builds kept: each line a plain record of its session."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ...domain.errors import Corrupt
from ...domain.legacy.fields import is_id
from ...domain.legacy.values import canonical, excerpt
from ...domain.plain import PlainRecord
from ...domain.source import Finding, Problem, SourceItem
from ..lines import Line, read_lines
from ..text import digest_of
from .survey import RECOVERY, Found
from .visit import Item, Visit, guarded

KIND: Final = "session_recovery"
_ENDING: Final = "_recovery"


@dataclass(slots=True)
class Recoveries:
    """Reads the logs in the order they were written; a line has no id, so its number names it."""

    visit: Visit

    def read(self) -> Iterator[Finding | None]:
        """Go through the lines, file by file."""
        for found in self.visit.of(RECOVERY):
            before: datetime | None = None
            for line in read_lines(found.path, found.place):
                if isinstance(line, Problem):
                    yield line
                    continue
                for finding in guarded(self._line(line, found, before), line.place):
                    if isinstance(finding, SourceItem):
                        before = finding.entity.created_at
                    yield finding
                yield None

    def _line(self, line: Line, found: Found, before: datetime | None) -> Iterator[Finding]:
        item, fields = Item(self.visit, KIND, line.place), self.visit.fields(line.value)
        created = fields.moment("timestamp")
        guess = created or before
        if guess is None:
            message = "tells no time that can be read, and nor does a line before it"
            raw = canonical(line.value)
            raise Corrupt(message, code="no_time", excerpt=excerpt(raw), raw=raw)
        named = found.path.stem.removesuffix(_ENDING)
        session = fields.link("session_id") or (named if is_id(named) else None)
        digest, number = digest_of(line.value), int(line.place.rpartition(":")[2])
        item.identify(f"{session}~recovery~{number:06}", digest)
        if created is None:
            item.note("time_guessed", f"timestamp cannot be read; took {guess.isoformat()}")
        if session is not None and not self.visit.register.knows("session", session):
            item.tell_dangling("session", session)
        type = fields.word_or_none("error_type")
        entity = PlainRecord(
            id=item.id,
            kind=KIND,
            data=line.value,
            metadata={} if type is None else {"error_type": type},
            session_id=session,
            created_at=guess,
            updated_at=guess,
        )
        yield SourceItem(
            kind=KIND, source_id=item.id, place=line.place, digest=digest, entity=entity
        )
        yield from item.notes()
