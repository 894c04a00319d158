"""`Visit`: one passage through a source, and what its readers share on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from ...domain.errors import Corrupt
from ...domain.legacy.fields import Fields, Times, is_id
from ...domain.legacy.values import excerpt
from ...domain.source import Finding, Note, Problem
from ..register import Register
from ..text import problem_of
from .survey import Found

S = TypeVar("S", bound=StrEnum)

ENTRY: Final = "entry"
"""The one topic of all six kinds of history entries: readers look them up by id alone."""


def guarded(
    findings: Iterator[Finding],
    place: str,
    *,
    text: str = "",
    whole: Callable[[], bytes] | None = None,
) -> Iterator[Finding]:
    """Go through findings; damage that only shows on the way ends them with a problem.

    `text` is the excerpt, and `whole` makes all of it, where the damage itself brings none.
    """
    try:
        yield from findings
    except Corrupt as error:
        error.facts.setdefault("excerpt", text)
        if whole is not None and "raw" not in error.facts:
            error.facts["raw"] = whole()
        yield problem_of(error, place)
    except RecursionError:
        # Parsed at the limit of nesting, and now looked at from some frames further down.
        reason = "nested too deeply to be read"
        raw = None if whole is None else whole()
        yield Problem(code="too_deep", place=place, reason=reason, excerpt=text, raw=raw)


@dataclass(slots=True)
class Visit:
    """Where to read, in which zone, and what was met so far."""

    times: Times
    register: Register
    files: list[Found] = field(default_factory=list[Found])
    threads: set[str] = field(default_factory=set[str])

    def of(self, format: str) -> list[Found]:
        """Return the files of one format, in the order they were found."""
        return [found for found in self.files if found.format == format]

    def fields(self, raw: dict[str, object]) -> Fields:
        """Read the fields of a raw object in this visit's zone."""
        return Fields(raw, self.times)


@dataclass(slots=True)
class Item:
    """The item that is being read: its name, and what there is to know about it."""

    visit: Visit
    kind: str
    place: str
    id: str = ""
    _notes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def note(self, code: str, reason: str) -> None:
        """Add something to know about the item."""
        self._notes.append((code, reason))

    def notes(self) -> Iterator[Finding]:
        """Go through the notes made so far, under the id that the item has got by now."""
        for code, reason in self._notes:
            yield Note(
                code=code, place=self.place, reason=reason, kind=self.kind, source_id=self.id
            )

    def identify(self, wanted: object, digest: str, *, topic: str | None = None) -> str:
        """Give the item an id of its own: the one wanted, if it can be an id and is free.

        An id that is taken gets `~2`, `~3` and so on; in the place of one that cannot be an id
        stands the kind with the beginning of the digest.
        """
        topic = topic or self.kind
        name = wanted if isinstance(wanted, str) and is_id(wanted) else ""
        self.id = self.visit.register.claim(topic, name or f"{self.kind}~{digest[:32]}")
        if not name:
            shown = excerpt(wanted) if isinstance(wanted, str) else repr(wanted)
            self.note("replaced_id", f"{shown} cannot be an id; kept as {self.id}")
        elif self.id != name:
            self.note("duplicate_id", f"the id {name} was used before; kept as {self.id}")
        return self.id

    def tell_odd(self, *read: Fields) -> None:
        """Note every field whose value had to be replaced; the original is kept in the metadata."""
        for fields in read:
            for reason in fields.odd.values():
                self.note("odd_value", reason)

    def status(self, raw: object, default: S) -> S:
        """Return the status that `raw` names, or the default with a note."""
        try:
            return default if raw is None else type(default)(str(raw))
        except ValueError:
            self.note("unknown_status", f"status {raw!r} is unknown; it became {default}")
            return default

    def take_threads(self, threads: Iterable[object]) -> None:
        """Bind the threads that a session names to it; note those that are not there, or not its.

        A thread belongs to the first session that names it.
        """
        register = self.visit.register
        for thread in threads:
            if not isinstance(thread, str) or thread not in self.visit.threads:
                self.note("dangling_thread", f"names the thread {thread!r}, which is not there")
            elif (other := register.session_of(thread)) is not None:
                self.note("shared_thread", f"names the thread {thread}, as session {other} does")
            else:
                register.bind(thread, self.id)

    def tell_dangling(self, what: str, id: str) -> None:
        """Note a reference to a session or thread that is not there, once for each."""
        if self.visit.register.meet(f"dangling {what}", id) == 1:
            self.note(f"dangling_{what}", f"refers to the {what} {id}, which is not there")
