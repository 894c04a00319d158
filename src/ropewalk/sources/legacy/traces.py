"""Branches and snapshots, which were never stored, rebuilt from their traces in thread files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ...domain.legacy.fields import is_id
from ...domain.legacy.values import JsonObject, as_list, as_object
from ...domain.moment import to_micros
from ...domain.source import Finding, SourceItem
from ...domain.thread import Branch, Position, Snapshot, Thread
from ..text import digest_of
from .survey import everything, fork_of
from .visit import Item, Visit

_MARKS: Final = frozenset(
    {"branch_name", "source_thread_id", "source_checkpoint_id", "branch_type", "total_steps"}
)
"""What forking and running wrote into a branch's metadata beside the caller's own."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What the file of a thread tells about other things than the thread itself."""

    visit: Visit
    thread: Thread
    document: JsonObject
    place: str

    def branch(self) -> Iterator[Finding]:
        """Rebuild the branch that this thread lives on, if it was forked.

        Its status is lost (`active`), and its time that of the thread, some milliseconds early.
        """
        fork = fork_of(self.document)
        source = fork.get("source_thread_id")
        if not isinstance(source, str):
            return
        item = Item(self.visit, "branch", f"{self.place}#branch")
        if not is_id(source):
            item.note("odd_value", f"source_thread_id cannot be an id: {source!r}")
            yield from item.notes()
            return
        thread, digest = self.thread, digest_of(fork)
        item.identify(fork.get("branch_id", f"branch~{thread.id}"), digest)
        name, checkpoint = fork.get("branch_name"), fork.get("source_checkpoint_id")
        named = checkpoint if isinstance(checkpoint, str) and is_id(checkpoint) else None
        metadata = as_object(self.document.get("metadata")) or {}
        register = self.visit.register
        if checkpoint is not None and not (named and register.checkpoint_time(source, named)):
            told = f"was made at the checkpoint {checkpoint!r} of {source}, which is not there"
            item.note("dangling_checkpoint", told)
        if source not in self.visit.threads:
            item.note("dangling_thread", f"was made from the thread {source}, which is not there")
        branch = Branch(
            id=item.id,
            name=name if isinstance(name, str) else "",
            source_thread_id=source,
            thread_id=thread.id,
            session_id=register.session_of(source) or thread.session_id,
            checkpoint_id=named,
            metadata={key: value for key, value in metadata.items() if key not in _MARKS},
            created_at=thread.created_at,
            updated_at=thread.created_at,
        )
        yield SourceItem(
            kind="branch", source_id=branch.id, place=item.place, digest=digest, entity=branch
        )
        yield from item.notes()

    def snapshot(self) -> Iterator[Finding]:
        """Rebuild the last snapshot of this thread: its name and description are lost."""
        marks = everything(self.document)
        wanted, at = marks.get("last_snapshot"), marks.get("last_snapshot_at")
        if not isinstance(wanted, str):
            return
        thread, digest = self.thread, digest_of({"last_snapshot": wanted, "last_snapshot_at": at})
        item = Item(self.visit, "snapshot", f"{self.place}#last_snapshot")
        item.identify(wanted, digest)
        created = self.visit.times.read(at)
        if created is None:
            created = thread.updated_at
            item.note(
                "time_guessed", f"last_snapshot_at cannot be read; took {created.isoformat()}"
            )
        snapshot = Snapshot(
            id=item.id,
            thread_id=thread.id,
            session_id=thread.session_id,
            name=item.id,
            until=Position(to_micros(created), ""),
            created_at=created,
        )
        yield SourceItem(
            kind="snapshot", source_id=snapshot.id, place=item.place, digest=digest, entity=snapshot
        )
        yield from item.notes()

    def dangling(self) -> Iterator[Finding]:
        """Note what else the file refers to and is not there; the references stay as they are."""
        item = Item(self.visit, "thread", self.place, self.thread.id)
        marks = everything(self.document)
        self._check(item, marks.get("merged_from"), what="merged with")
        self._check_checkpoint(item, self.thread.id, marks.get("rollback_checkpoint"))
        for shared in map(as_object, as_list(marks.get("shared_states")) or ()):
            if shared is not None:
                source = shared.get("source_thread_id")
                self._check(item, source, what="shares a state of")
                self._check_checkpoint(item, source, shared.get("checkpoint_id"))
        restored = marks.get("last_restored_snapshot")
        if isinstance(restored, str) and not self.visit.register.knows("snapshot", restored):
            item.note("dangling_snapshot", f"was restored from {restored}, which is not there")
        yield from item.notes()

    def _check(self, item: Item, thread: object, *, what: str) -> None:
        if isinstance(thread, str) and thread not in self.visit.threads:
            item.note("dangling_thread", f"{what} the thread {thread!r}, which is not there")

    def _check_checkpoint(self, item: Item, thread: object, checkpoint: object) -> None:
        if not (isinstance(thread, str) and isinstance(checkpoint, str)):
            return
        known = is_id(thread) and is_id(checkpoint)
        if not (known and self.visit.register.checkpoint_time(thread, checkpoint) is not None):
            told = f"refers to the checkpoint {checkpoint!r} of {thread}, which is not there"
            item.note("dangling_checkpoint", told)
