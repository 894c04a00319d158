"""Thread files in both shapes, each thread after the one it was forked from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from ...domain.legacy.fields import Fields, fit, is_id
from ...domain.legacy.keeping import difference, join
from ...domain.legacy.shapes import own_thread, thread_parts
from ...domain.legacy.values import JsonObject, canonical, excerpt
from ...domain.limits import MAX_LABEL_BYTES
from ...domain.moment import to_micros
from ...domain.source import Finding, Problem, SourceItem
from ...domain.thread import Fork, Position, Thread, ThreadStatus
from ..text import digest_of, load_document
from .survey import THREAD, Found, fork_of
from .traces import Traces
from .visit import Item, Visit, guarded


@dataclass(frozen=True, slots=True)
class _File:
    """A thread's file taken apart: the known fields, and all metadata of both levels as one."""

    fields: Fields
    metadata: JsonObject
    kept: JsonObject


@dataclass(slots=True)
class Threads:
    """Reads thread files so that a thread comes after the one it was forked from."""

    visit: Visit
    _roots: dict[str, str] = field(default_factory=dict[str, str])
    _digests: dict[str, str] = field(default_factory=dict[str, str])

    def read(self) -> Iterator[Finding | None]:
        """Go through the threads, each followed by its branch and its snapshot."""
        for found in parents_first(self.visit.of(THREAD)):
            yield from guarded(self._thread(found), found.place)
            yield None

    def _thread(self, found: Found) -> Iterator[Finding]:
        document = load_document(found.path)
        digest = digest_of(document)
        item = Item(self.visit, "thread", found.place)
        wanted = document.get("thread_id", found.path.stem)
        if isinstance(wanted, str) and self._digests.get(wanted) == digest:
            item.id = wanted
            item.note("same_document", f"the very same thread {wanted} was read from elsewhere")
            yield from item.notes()
            return
        file = self._take_apart(document)
        created, updated = self._times(file)
        if created is None:
            reason = "tells no time of the thread that can be read"
            text, raw = excerpt(str(document)), canonical(document)
            yield Problem(code="no_time", place=found.place, reason=reason, excerpt=text, raw=raw)
            return
        item.identify(wanted, digest)
        self._digests.setdefault(str(wanted), digest)
        if file.fields.raw.get("created_at") is None or "created_at" in file.fields.odd:
            item.note("time_guessed", f"created_at cannot be read; took {created.isoformat()}")
        thread = self._build(item, file, created, updated or created)
        self.visit.register.bind(thread.id, thread.session_id)
        item.tell_odd(file.fields)
        yield SourceItem(
            kind="thread", source_id=thread.id, place=found.place, digest=digest, entity=thread
        )
        yield from item.notes()
        traces = Traces(self.visit, thread, document, found.place)
        yield from traces.branch()
        yield from traces.snapshot()
        yield from traces.dangling()

    def _take_apart(self, document: JsonObject) -> _File:
        known, metadata, kept = thread_parts(document)
        return _File(self.visit.fields(known), metadata, kept)

    def _times(self, file: _File) -> tuple[datetime | None, datetime | None]:
        created, updated = file.fields.moment("created_at"), file.fields.moment("updated_at")
        marks = ("last_snapshot_at", "restored_at", "last_rollback", "last_merge", "error_at")
        others = [updated, *(self.visit.times.read(file.metadata.get(mark)) for mark in marks)]
        return created or min(filter(None, others), default=None), updated

    def _build(self, item: Item, file: _File, created: datetime, updated: datetime) -> Thread:
        fields, metadata = file.fields, file.metadata
        session = metadata.get("session_id")
        if not (isinstance(session, str) and is_id(session)):
            session = self.visit.register.session_of(item.id)
        elif not self.visit.register.knows("session", session):
            item.tell_dangling("session", session)
        origin = self._origin(item, fork_of({**fields.raw, **metadata}), created)
        self._roots[item.id] = self._roots[origin.thread_id] if origin else item.id
        thread = Thread(
            id=item.id,
            session_id=session,
            title=_title(metadata),
            graph_id=fields.word_or_none("graph_id"),
            status=item.status(fields.raw.get("status"), ThreadStatus.ACTIVE),
            root_id=self._roots[item.id],
            origin=origin,
            created_at=created,
            updated_at=max(created, updated),
        )
        kept = {**file.kept, **difference(fields.raw, own_thread(thread, self.visit.times))}
        return replace(thread, metadata=join(metadata, kept))

    def _origin(self, item: Item, fork: JsonObject, created: datetime) -> Fork | None:
        source, checkpoint = fork.get("source_thread_id"), fork.get("source_checkpoint_id")
        if not isinstance(source, str):
            return None
        if source not in self._roots:
            there = source in self.visit.threads
            told = "which continues this one in turn" if there else "which is not there"
            item.note("dangling_thread", f"was forked from the thread {source!r}, {told}")
            return None
        named = checkpoint if isinstance(checkpoint, str) and is_id(checkpoint) else None
        at = self.visit.register.checkpoint_time(source, named) if named else None
        if at is None or named is None:
            until = Position(to_micros(created), "")
        else:
            until = Position(at, named).behind()
        return Fork(thread_id=source, until=until, checkpoint_id=named)


def _title(metadata: JsonObject) -> str:
    titles = (metadata.get(name) for name in ("title", "thread_name"))
    found = next((title for title in titles if isinstance(title, str) and title), "")
    return fit(found, MAX_LABEL_BYTES)


def parents_first(files: list[Found]) -> Iterator[Found]:
    """Go through thread files so that the source of a fork comes before it.

    Files of one id stay together; of threads that continue each other in a circle, the one that
    comes first by place begins.
    """
    by_id: dict[str, list[Found]] = {}
    for found in files:
        by_id.setdefault(found.id or "", []).append(found)
    done: set[str] = set()
    for found in files:
        line: list[str] = []
        name = found.id
        while name is not None and name in by_id and name not in done:
            done.add(name)
            line.append(name)
            name = by_id[name][0].parent
        while line:
            yield from by_id[line.pop()]
