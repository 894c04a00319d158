"""Session files of the current generation: the sessions, and their interactions in call order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from ...domain.legacy.fields import Fields, fit
from ...domain.legacy.keeping import difference, join
from ...domain.legacy.shapes import CONTEXT, INDEX, own_context, own_interaction
from ...domain.legacy.values import as_list, as_object, canonical, excerpt
from ...domain.limits import MAX_LABEL_BYTES
from ...domain.session import Interaction, Session, SessionStatus
from ...domain.source import Finding, Problem, SourceItem
from ..text import digest_of, load_document
from .survey import SESSION, Found
from .visit import Item, Visit, guarded


@dataclass(slots=True)
class Sessions:
    """Reads the files twice: sessions at first, interactions when all threads are there."""

    visit: Visit
    _ids: dict[str, str] = field(default_factory=dict[str, str])
    _digests: dict[str, str] = field(default_factory=dict[str, str])

    def read(self) -> Iterator[Finding | None]:
        """Go through the sessions, and remember which threads they name."""
        for found in self.visit.of(SESSION):
            yield from guarded(self._session(found), found.place)
            yield None

    def _session(self, found: Found) -> Iterator[Finding]:
        document = load_document(found.path)
        digest = digest_of(document)
        context = as_object(document.get(CONTEXT)) or {}
        wanted = context.get("session_id", found.path.stem)
        item = Item(self.visit, "session", found.place)
        if isinstance(wanted, str) and self._digests.get(wanted) == digest:
            item.id = wanted
            item.note("same_document", f"the very same session {wanted} was read from elsewhere")
            yield from item.notes()
            return
        fields, outer = self.visit.fields(context), self.visit.fields(document)
        created, guessed = self._created(fields, outer)
        if created is None:
            reason = "tells no time of the session that can be read"
            text, raw = excerpt(str(context)), canonical(document)
            yield Problem(code="no_time", place=found.place, reason=reason, excerpt=text, raw=raw)
            return
        id = item.identify(wanted, digest)
        self._ids[found.place] = id
        self._digests.setdefault(str(wanted), digest)
        if guessed:
            item.note("time_guessed", f"created_at cannot be read; took {created.isoformat()}")
        session = self._build(item, fields, outer, created=created)
        item.tell_odd(fields, outer)
        item.take_threads(as_list(context.get("thread_ids")) or ())
        yield SourceItem(
            kind="session", source_id=id, place=found.place, digest=digest, entity=session
        )
        yield from item.notes()

    def _created(self, fields: Fields, outer: Fields) -> tuple[datetime | None, bool]:
        """Return when a session began, and whether that is a guess."""
        created = fields.moment("created_at")
        if created is not None:
            return created, False
        entries = map(as_object, as_list(outer.raw.get("interactions")) or ())
        others = [
            outer.moment("created_at"),
            *(self.visit.times.read(entry.get("timestamp")) for entry in entries if entry),
            fields.moment("updated_at"),
            outer.moment("updated_at"),
        ]
        return next(filter(None, others), None), True

    def _build(self, item: Item, fields: Fields, outer: Fields, *, created: datetime) -> Session:
        metadata = fields.mapping("metadata")
        title = metadata.get("title")
        later = (fields.moment("updated_at"), outer.moment("updated_at"))
        session = Session(
            id=item.id,
            title=fit(title, MAX_LABEL_BYTES) if isinstance(title, str) else "",
            user_id=fields.word_or_none("user_id"),
            status=item.status(fields.raw.get("status"), SessionStatus.ACTIVE),
            created_at=created,
            updated_at=max([created, *filter(None, later)]),
        )
        kept = {name: value for name, value in outer.raw.items() if name != CONTEXT}
        if as_list(kept.get("interactions")) is not None:
            del kept["interactions"]
        kept[CONTEXT] = difference(fields.raw, own_context(session, metadata, self.visit.times))
        return replace(session, metadata=join(metadata, kept))

    def read_interactions(self) -> Iterator[Finding | None]:
        """Go through the interactions of every session that was read."""
        for found in self.visit.of(SESSION):
            session_id = self._ids.get(found.place)
            if session_id is None:
                continue
            yield from guarded(self._interactions(found, session_id), found.place)
            yield None

    def _interactions(self, found: Found, session: str) -> Iterator[Finding]:
        document = load_document(found.path)
        context = as_object(document.get(CONTEXT)) or {}
        before, _ = self._created(self.visit.fields(context), self.visit.fields(document))
        read: list[tuple[Interaction, Fields, Item, str]] = []
        for index, value in enumerate(as_list(document.get("interactions")) or ()):
            item = Item(self.visit, "interaction", f"{found.place}#interactions[{index}]")
            entry = as_object(value)
            if entry is None or before is None:
                reason = "an interaction that is no object" if before else "no time can be read"
                code = "not_object" if before else "no_time"
                text, raw = excerpt(repr(value)), canonical(value)
                yield Problem(code=code, place=item.place, reason=reason, excerpt=text, raw=raw)
                continue
            fields, digest = self.visit.fields(entry), digest_of(entry)
            item.identify(entry.get("interaction_id"), digest)
            interaction = self._interaction(item, session, fields, before=before)
            before = interaction.created_at
            read.append((interaction, fields, item, digest))
        order = [(interaction.created_at, interaction.id) for interaction, *_ in read]
        for index, (interaction, fields, item, digest) in enumerate(read):
            metadata = fields.mapping("metadata")
            own = own_interaction(interaction, metadata, self.visit.times)
            kept = difference(fields.raw, own)
            if order != sorted(order):
                kept[INDEX] = index
            entity = replace(interaction, metadata=join(metadata, kept))
            item.tell_odd(fields)
            yield SourceItem(
                kind="interaction",
                source_id=entity.id,
                place=item.place,
                digest=digest,
                entity=entity,
            )
            yield from item.notes()

    def _interaction(
        self, item: Item, session: str, fields: Fields, *, before: datetime
    ) -> Interaction:
        created = fields.moment("timestamp")
        if created is None:
            item.note("time_guessed", f"timestamp cannot be read; took {before.isoformat()}")
        thread = fields.link("thread_id")
        if thread is not None and thread not in self.visit.threads:
            item.tell_dangling("thread", thread)
        return Interaction(
            id=item.id,
            session_id=session,
            thread_id=thread,
            type=fields.word("interaction_type", "unknown"),
            content=fields.text("content"),
            created_at=created or before,
        )
