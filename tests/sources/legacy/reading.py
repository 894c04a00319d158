"""Read a legacy folder in a test: its items by kind, and what was told about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from ropewalk.domain.source import Finding, Note, Problem, Skipped, SourceItem
from ropewalk.sources.legacy.reader import LegacySource

from .writing import ZONE, Tree

E = TypeVar("E")


@dataclass(slots=True)
class Told:
    """Everything that was told, in order."""

    findings: list[Finding] = field(default_factory=list[Finding])

    @classmethod
    def of(cls, findings: Iterable[Finding | None]) -> Told:
        """Take what a reader yields."""
        return cls([finding for finding in findings if finding is not None])

    @property
    def items(self) -> list[SourceItem]:
        """The items."""
        return [finding for finding in self.findings if isinstance(finding, SourceItem)]

    def entities(self, type: type[E]) -> list[E]:
        """Return the entities of one type."""
        return [item.entity for item in self.items if isinstance(item.entity, type)]

    def only(self, type: type[E]) -> E:
        """Return the one entity of a type."""
        [entity] = self.entities(type)
        return entity

    def ids(self, kind: str) -> list[str]:
        """Return the ids of one kind, in order."""
        return [item.source_id for item in self.items if item.kind == kind]

    def problems(self) -> list[tuple[str, str]]:
        """Return place and code of every problem."""
        found = (finding for finding in self.findings if isinstance(finding, Problem))
        return [(problem.place, problem.code) for problem in found]

    def notes(self) -> list[tuple[str | None, str]]:
        """Return id and code of every note."""
        found = (finding for finding in self.findings if isinstance(finding, Note))
        return [(note.source_id, note.code) for note in found]

    def skipped(self) -> Iterator[Skipped]:
        """Go through what was recognised and left."""
        return (finding for finding in self.findings if isinstance(finding, Skipped))


async def read(tree: Tree) -> Told:
    """Read a folder through the front."""
    return Told([finding async for finding in LegacySource(tree.root, tz=ZONE).read()])
