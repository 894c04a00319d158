"""Reports of migrations: Markdown for people, JSON for programs, the way back in the first line."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import click

from ...domain.address import redacted
from .text import clean, stamp

if TYPE_CHECKING:
    from ...domain.migration import Loss, Progress, Reject, RunReport, VerifyReport
    from .payload import Json

EVERY_SECONDS: Final = 10.0
EVERY_SECONDS_ON_TERMINAL: Final = 0.1
"""How often progress is told."""

PARTS: Final = (
    *("brought", "replaced", "present", "kept"),
    *("refused", "left_out", "vanished", "removed"),
)


def way_back(report: RunReport) -> str:
    """Return the command that takes a run back."""
    if report.rehearsal:
        return "a rehearsal: nothing was written to the target, and there is nothing to take back"
    plan = report.plan
    space = "" if plan.space == "default" else f" -s {plan.space}"
    return f"ropewalk migrate rollback {report.run} -u {redacted(plan.url)}{space}"


def payload(report: RunReport) -> dict[str, Json]:
    """Return a report for programs."""
    return {
        "rollback": None if report.rehearsal else way_back(report),
        "run": report.run,
        "plan": report.plan.name,
        "status": report.status.value,
        "complete": report.is_complete,
        "rehearsal": report.rehearsal,
        "since_last": report.since_last,
        "started_at": stamp(report.started_at),
        "ended_at": None if report.ended_at is None else stamp(report.ended_at),
        "changes": report.changes,
        **{part: dict(_part(report, part)) for part in PARTS},
        "losses": [_loss(loss) for loss in report.losses],
        "notes": [_loss(note) for note in report.notes],
    }


def _part(report: RunReport, part: str) -> Mapping[str, int]:
    counts: Mapping[str, int] = getattr(report, part)
    return counts


def _loss(loss: Loss) -> Json:
    return {
        "code": loss.code,
        "count": loss.count,
        "reason": loss.reason,
        "allowed": loss.allowed,
        "places": list(loss.places),
    }


def markdown(report: RunReport) -> Iterator[str]:
    """Go through the lines of a report for people."""
    yield f"`{way_back(report)}`" if not report.rehearsal else way_back(report)
    yield ""
    what = "Rehearsal" if report.rehearsal else "Run"
    yield f"# {what} {report.run} of {clean(report.plan.name)}: {_ending(report)}"
    yield ""
    told = [part for part in PARTS if _part(report, part)]
    kinds = dict.fromkeys(kind for part in told for kind in _part(report, part))
    if kinds:
        yield f"| kind | {' | '.join(part.replace('_', ' ') for part in told)} |"
        yield f"| --- |{' ---: |' * len(told)}"
        for kind in kinds:
            numbers = (str(_part(report, part).get(kind, 0)) for part in told)
            yield f"| {clean(kind)} | {' | '.join(numbers)} |"
        yield ""
    yield from _listed("Stays behind", report.losses, allowed=True)
    yield from _listed("To know", report.notes, allowed=False)
    yield f"{report.changes} changes."


def _ending(report: RunReport) -> str:
    lost = sum(loss.count for loss in report.losses if not loss.allowed)
    return f"{report.status.value}, {lost} not brought" if lost else report.status.value


def _listed(heading: str, losses: Sequence[Loss], *, allowed: bool) -> Iterator[str]:
    if not losses:
        return
    yield f"## {heading}"
    yield ""
    for loss in losses:
        mark = " (allowed)" if allowed and loss.allowed else ""
        yield f"- {loss.count} x `{clean(loss.code)}`{mark}: {clean(loss.reason)}"
        yield from (f"  - {clean(place)}" for place in loss.places)
    yield ""


def verified(report: VerifyReport) -> dict[str, Json]:
    """Return a comparison for programs."""
    return {
        "sound": report.is_sound,
        "plan": report.name,
        "items": dict(report.items),
        "compared": dict(report.compared),
        "unreadable": report.unreadable,
        "left_out": report.left_out,
        "dangling": report.dangling,
        "difference_count": report.difference_count,
        "differences": [
            {
                "code": each.code,
                "kind": each.kind,
                "id": each.source_id,
                "place": each.place,
                "reason": each.reason,
            }
            for each in report.differences
        ],
    }


def comparison(report: VerifyReport) -> Iterator[str]:
    """Go through the lines of a comparison for people."""
    for each in report.differences:
        where = f"{clean(each.kind)} {clean(each.source_id)} ({clean(each.place)})"
        yield f"{where}: {clean(each.reason)} [{each.code}]"
    more = report.difference_count - len(report.differences)
    if more:
        yield f"... and {more} more"
    yield (
        f"{sum(report.items.values())} items, {sum(report.compared.values())} compared in depth, "
        f"{report.dangling} references to nothing: {report.difference_count} differences"
    )


def save(path: Path, report: RunReport) -> None:
    """Write a report beside its run: JSON where the file is called so, otherwise Markdown."""
    if path.suffix == ".json":
        text = json.dumps(payload(report), indent=2, ensure_ascii=False)
    else:
        text = "\n".join(markdown(report))
    path.write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")


@dataclass(slots=True)
class Rejects:
    """A file of everything that was not written: made when there is something to write."""

    path: Path
    count: int = 0
    _file: IO[str] | None = field(default=None)

    def add(self, reject: Reject) -> None:
        """Write one line: the reason, the place, and the item itself."""
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8", errors="surrogatepass")
        line: dict[str, Json] = {
            "code": reject.code,
            "reason": reject.reason,
            "place": reject.place,
            "kind": reject.kind,
            "id": reject.source_id,
            "loss": reject.is_loss,
            "raw": _raw(reject.raw),
        }
        if reject.size is not None:
            line["size"] = reject.size
        self._file.write(json.dumps(line) + "\n")
        self.count += 1

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()


def _raw(raw: bytes | None) -> Json:
    if raw is None:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"$base64": base64.b64encode(raw).decode()}


class Teller:
    """Says on stderr how far it is: on one line of a terminal, elsewhere every ten seconds."""

    def __init__(self, *, silent: bool) -> None:
        """Begin to count the seconds."""
        self._silent = silent
        self._terminal = sys.stderr.isatty()
        self._told_at = time.monotonic()
        self._open_line = False

    def show(self, progress: Progress) -> None:
        """Tell how much was done, how fast, and how long it will take, if it is time to tell."""
        now = time.monotonic()
        every = EVERY_SECONDS_ON_TERMINAL if self._terminal else EVERY_SECONDS
        if self._silent or now - self._told_at < every:
            return
        self._told_at = now
        told = ", ".join(f"{count} {kind}" for kind, count in progress.kinds.items())
        of = "" if progress.total is None else f" of {progress.total}"
        speed = f", {progress.rate:.0f}/s" if progress.rate else ""
        left = "" if progress.left is None else f", {progress.left:.0f} s left"
        line = f"{progress.done}{of} ({told}){speed}{left}"
        click.echo(f"\r\033[K{line}" if self._terminal else line, err=True, nl=not self._terminal)
        self._open_line = self._terminal

    def end(self) -> None:
        """Leave the line."""
        if self._open_line:
            click.echo(err=True)
