"""`Intake`: bring everything that a foreign source holds into a store, and report the rest."""

from __future__ import annotations

from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from ..domain.errors import Conflict, Corrupt, Denied, RopewalkError, Unavailable
from ..domain.history import EntryKind
from ..domain.source import Note, Problem, Skipped, SourceItem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from ..domain.source import Finding, Source
    from .modules import Modules

Adopt: TypeAlias = "Callable[..., Awaitable[None]]"

BATCH: Final = 200
"""Entities written in one batch."""


@dataclass(slots=True)
class IntakeReport:
    """What an import did, by kind, and everything a person must know about the rest.

    `brought` was written; `present` was there before, under the same id. `refused` could not be
    written; each is among the `problems`, with its place and reason.
    """

    brought: Counter[str] = field(default_factory=Counter[str])
    present: Counter[str] = field(default_factory=Counter[str])
    refused: Counter[str] = field(default_factory=Counter[str])
    notes: list[Note] = field(default_factory=list[Note])
    problems: list[Problem] = field(default_factory=list[Problem])
    skipped: list[Skipped] = field(default_factory=list[Skipped])

    @property
    def is_complete(self) -> bool:
        """Whether everything that the source holds and we know how to read is in the store."""
        return not self.problems


class Intake:
    """Writes what a `Source` brings through the managers, in batches, parents first.

    What is in the store already (the same kind and id) is left as it is, so that an import that
    was broken off can be run again.
    """

    def __init__(self, modules: Modules) -> None:
        """Write into the space of `modules`."""
        self._adopt: dict[str, Adopt] = {
            "session": modules.sessions.adopt,
            "interaction": modules.sessions.adopt_interactions,
            "thread": modules.threads.adopt,
            "branch": modules.threads.adopt_branches,
            "snapshot": modules.threads.adopt_snapshots,
            "checkpoint": modules.checkpoints.adopt,
        }
        self._adopt |= {kind.value: modules.history.adopt for kind in EntryKind}

    async def bring(
        self, source: Source, *, progress: Callable[[IntakeReport], None] | None = None
    ) -> IntakeReport:
        """Read `source` to its end and write what it brings; return what was done.

        What cannot be read or written is reported and does not stop the rest; only a store that
        is `Corrupt`, `Denied` or `Unavailable` does. `progress` is called after each batch.
        """
        report = IntakeReport()
        waiting: list[SourceItem] = []
        findings = cast("AsyncGenerator[Finding, None]", source.read())
        async with aclosing(findings):
            async for finding in findings:
                if not isinstance(finding, SourceItem):
                    _note(report, finding)
                    continue
                # One manager's items go together, whatever their kinds.
                adopt = self._adopt[finding.kind]
                if waiting and (len(waiting) == BATCH or self._adopt[waiting[0].kind] != adopt):
                    await self._write(waiting, report)
                    waiting = []
                    if progress is not None:
                        progress(report)
                waiting.append(finding)
        if waiting:
            await self._write(waiting, report)
        return report

    async def _write(self, items: list[SourceItem], report: IntakeReport) -> None:
        kind = items[0].kind
        try:
            await self._adopt[kind](*(item.entity for item in items))
        except (Corrupt, Denied, Unavailable):
            raise  # it lies with the store: no other item would fare better
        except RopewalkError as error:
            if len(items) > 1:  # one of them is the reason: find it, and write the others
                middle = len(items) // 2
                await self._write(items[:middle], report)
                await self._write(items[middle:], report)
            elif isinstance(error, Conflict):
                report.present[kind] += 1
            else:
                report.refused[kind] += 1
                report.problems.append(_refusal(items[0], error))
        else:
            report.brought.update(item.kind for item in items)


def _note(report: IntakeReport, finding: Note | Problem | Skipped) -> None:
    lists: dict[type, list[Any]] = {
        Note: report.notes,
        Problem: report.problems,
        Skipped: report.skipped,
    }
    lists[type(finding)].append(finding)


def _refusal(item: SourceItem, error: RopewalkError) -> Problem:
    return Problem(
        code=error.code,
        place=item.place,
        reason=f"{item.kind} {item.source_id!r} cannot be kept: {error.message}",
    )
