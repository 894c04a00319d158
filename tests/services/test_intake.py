"""Imports: everything is written once, and what cannot be is reported without stopping."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from ropewalk.domain.history import Message
from ropewalk.domain.session import Session
from ropewalk.domain.source import Finding, Inventory, Note, Problem, Skipped, SourceItem
from ropewalk.services.intake import BATCH, Intake
from ropewalk.services.storage import Storage

WHEN = datetime(2025, 11, 1, tzinfo=UTC)


class Lines:
    """A source that brings one session, many messages, and one of everything to report."""

    def __init__(self, count: int, *, bad: int | None = None) -> None:
        """Bring `count` messages, of which number `bad` cannot be kept."""
        self._count = count
        self._bad = bad

    async def scan(self) -> Inventory:
        """Count what is there."""
        return Inventory(place="lines", kinds={"session": 1, "message": self._count})

    async def read(self) -> AsyncIterator[Finding]:
        """Bring it."""
        session = Session(id="s", created_at=WHEN, updated_at=WHEN)
        yield SourceItem(kind="session", source_id="s", place="s.json", digest="0", entity=session)
        yield Note(code="odd", place="s.json", reason="looks odd")
        for n in range(self._count):
            id_ = "x" * 5_000 if n == self._bad else f"m{n}"
            yield SourceItem(
                kind="message",
                source_id=id_,
                place=f"m.jsonl:{n + 1}",
                digest=str(n),
                entity=Message(
                    id=id_, session_id="s", role="user", created_at=WHEN + timedelta(seconds=n)
                ),
            )
        yield Problem(code="torn", place="m.jsonl:999", reason="ends in the middle")
        yield Skipped(format="g1", place="old.json", items=1, reason="an older generation")


async def test_everything_is_brought_and_reported(storage: Storage) -> None:
    """Items are written in batches with their own ids and times; the rest is in the report."""
    count = 2 * BATCH + 7

    report = await Intake(storage).bring(Lines(count))

    assert {"session": 1, "message": count} == report.brought
    assert (["odd"], ["torn"], ["g1"]) == (
        [note.code for note in report.notes],
        [problem.code for problem in report.problems],
        [skipped.format for skipped in report.skipped],
    )
    assert not report.is_complete
    assert count == await storage.history.count(session_id="s")
    assert WHEN + timedelta(seconds=3) == (await storage.history.get("m3")).created_at


async def test_an_import_can_be_run_again(storage: Storage) -> None:
    """The second run writes what is missing and leaves the rest as it is."""
    await Intake(storage).bring(Lines(5))
    await storage.sessions.update("s", title="changed since")

    report = await Intake(storage).bring(Lines(8))

    assert ({"message": 3}, {"session": 1, "message": 5}) == (report.brought, report.present)
    assert "changed since" == (await storage.sessions.get("s")).title


@pytest.mark.seed("1.5")
async def test_what_cannot_be_kept_is_named_and_stops_nothing(storage: Storage) -> None:
    """One impossible id among many is reported with its place; the others are written."""
    seen: list[int] = []

    report = await Intake(storage).bring(
        Lines(20, bad=7), progress=lambda so_far: seen.append(so_far.brought.total())
    )

    assert (19, {"message": 1}) == (report.brought["message"], report.refused)
    [refused] = [p for p in report.problems if p.place == "m.jsonl:8"]
    assert "max_id_bytes" in refused.reason
    assert [1] == seen
