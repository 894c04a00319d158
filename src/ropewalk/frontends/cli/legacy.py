"""`ropewalk import legacy`: the folder of the program that kept sessions in JSON files."""

from __future__ import annotations

import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from ...domain.errors import Invalid, NotFound
from ...domain.source import Note, Problem, Skipped, SourceItem
from ...services.intake import Intake, IntakeReport
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .opening import entered, run, settings
from .output import Column, Output
from .payload import Json
from .text import clean

if TYPE_CHECKING:
    from ...domain.source import Finding, Source

_OFFSET: Final = re.compile(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})")
_EXAMPLES: Final = 3
_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz", ".zip")

EVERY_SECONDS: Final = 10.0
EVERY_SECONDS_ON_TERMINAL: Final = 0.1
"""How often progress is told."""


def zone(text: str) -> tzinfo:
    """Return the zone of `+08:00` or `Asia/Shanghai`; raise `Invalid` for anything else."""
    offset = _OFFSET.fullmatch(text)
    if offset is not None and int(offset["hours"]) < 24 and int(offset["minutes"]) < 60:  # noqa: PLR2004
        span = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"]))
        return timezone(-span if offset["sign"] == "-" else span)
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = (
            f"{text!r} is no time zone: give the offset from UTC, such as +08:00, "
            "or a name such as Asia/Shanghai"
        )
        raise Invalid(message, code="bad_zone", field="tz") from error


@command(
    examples=[
        Example(
            "ropewalk import legacy old sqlite:///agent.db --tz +08:00",
            "bring the folder old into agent.db, which is made if it is not there",
        ),
        Example(
            "ropewalk import legacy old --tz Asia/Shanghai --dry-run --json",
            "read everything and write nothing",
        ),
    ],
    exits=EXITS,
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("store", metavar="[STORE]", required=False)
@click.option(
    "--tz",
    required=True,
    metavar="ZONE",
    help="The zone of the machine that wrote DIR: +08:00, or Asia/Shanghai.",
)
@click.option("--dry-run", is_flag=True, help="Read everything, write nothing, and report.")
@click.pass_obj
def legacy(
    invocation: Invocation, folder: Path, store: str | None, *, tz: str, dry_run: bool
) -> int:
    """Bring sessions, threads, history and checkpoints out of JSON files.

    DIR is the working directory of the legacy program. STORE is the URL of the store to bring it
    into; without it, the one of --url or of the configuration.

    The legacy program wrote its times without a zone, and nothing in its files says which it was:
    hence --tz. Ids, times and links are kept. What cannot be read is reported with its file and
    line, and does not stop the rest: then the exit code is 3.
    """
    return run(_legacy(invocation, folder, store, tz=zone(tz), dry_run=dry_run))


async def _legacy(
    invocation: Invocation, folder: Path, store: str | None, *, tz: tzinfo, dry_run: bool
) -> Exit:
    from ...factory import open_source

    output = Output(invocation)
    _check_folder(folder)
    source = open_source("legacy", folder, tz=tz)
    progress = Progress(silent=output.json)
    if dry_run:
        report = await rehearse(source, progress)
    else:
        async with entered(settings(invocation, url=store)) as storage:
            report = await Intake(storage).bring(source, progress=progress.show)
    progress.end()
    if output.json:
        output.emit(_payload(report, dry_run=dry_run))
    else:
        _show(output, report, dry_run=dry_run)
    return Exit.DONE if report.is_complete else Exit.PARTLY


def _check_folder(folder: Path) -> None:
    """Raise `NotFound` where there is no folder, and `Invalid` for an archive of one."""
    if folder.name.lower().endswith(_ARCHIVES):
        message = f"{folder} is an archive: unpack it (tar xf, unzip) and name the folder"
        raise Invalid(message, code="archive", field="DIR")
    if not folder.is_dir():
        message = f"there is no folder {folder}: name the one that the legacy program worked in"
        raise NotFound(message, code="no_source", path=str(folder))


async def rehearse(source: Source, progress: Progress) -> IntakeReport:
    """Read a source to its end and report as if all of it had been brought."""
    report = IntakeReport()
    findings = cast("AsyncGenerator[Finding, None]", source.read())
    async with aclosing(findings):
        async for finding in findings:
            match finding:
                case SourceItem():
                    report.brought[finding.kind] += 1
                    progress.show(report)
                case Note():
                    report.notes.append(finding)
                case Problem():
                    report.problems.append(finding)
                case Skipped():
                    report.skipped.append(finding)
    return report


class Progress:
    """Says on stderr how far it is: on one line of a terminal, elsewhere every ten seconds."""

    def __init__(self, *, silent: bool) -> None:
        """Begin to count the seconds."""
        self._silent = silent
        self._terminal = sys.stderr.isatty()
        self._every = EVERY_SECONDS_ON_TERMINAL if self._terminal else EVERY_SECONDS
        self._told_at = time.monotonic()
        self._open_line = False

    def show(self, report: IntakeReport) -> None:
        """Tell how much was brought, if it is time to tell."""
        now = time.monotonic()
        if self._silent or now - self._told_at < self._every:
            return
        self._told_at = now
        told = ", ".join(f"{count} {kind}" for kind, count in _done(report).items())
        click.echo(f"\r\033[K{told}" if self._terminal else told, err=True, nl=not self._terminal)
        self._open_line = self._terminal

    def end(self) -> None:
        """Leave the line."""
        if self._open_line:
            click.echo(err=True)


def _done(report: IntakeReport) -> Counter[str]:
    return report.brought + report.present


@dataclass(frozen=True, slots=True)
class _Gathered:
    """Notes of one code: how many, and where the first ones stand."""

    count: int
    first: Sequence[Note]


def _by_code(notes: Sequence[Note]) -> dict[str, _Gathered]:
    found: defaultdict[str, list[Note]] = defaultdict(list)
    for note in notes:
        found[note.code].append(note)
    return {code: _Gathered(len(all_), all_[:_EXAMPLES]) for code, all_ in sorted(found.items())}


def _by_format(skipped: Sequence[Skipped]) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for each in skipped:
        found[each.format, each.reason] += each.items
    return dict(sorted(found.items()))


def _payload(report: IntakeReport, *, dry_run: bool) -> Json:
    notes: dict[str, Json] = {
        code: {
            "count": gathered.count,
            "first": [{"place": note.place, "reason": note.reason} for note in gathered.first],
        }
        for code, gathered in _by_code(report.notes).items()
    }
    return {
        "complete": report.is_complete,
        "dry_run": dry_run,
        "brought": dict(report.brought),
        "present": dict(report.present),
        "refused": dict(report.refused),
        "notes": notes,
        "skipped": [
            {"format": format, "items": items, "reason": reason}
            for (format, reason), items in _by_format(report.skipped).items()
        ],
        "problems": [
            {
                "code": problem.code,
                "place": problem.place,
                "reason": problem.reason,
                "excerpt": problem.excerpt,
            }
            for problem in report.problems
        ],
    }


def _show(output: Output, report: IntakeReport, *, dry_run: bool) -> None:
    kinds = dict.fromkeys([*report.brought, *report.present, *report.refused])
    columns = [
        Column("kind", style="cyan"),
        Column("to bring" if dry_run else "brought", right=True),
    ]
    if not dry_run:
        columns += [Column("there before", right=True), Column("refused", right=True)]
    counts = (report.brought, report.present, report.refused)
    rows = [(kind, *(str(count[kind]) for count in counts)) for kind in kinds]
    output.table(columns, [row[: len(columns)] for row in rows])
    if report.notes:
        output.heading("to know")
        for code, gathered in _by_code(report.notes).items():
            output.line(f"{gathered.count} x {clean(code)}, for example:")
            for note in gathered.first:
                output.line(f"  {clean(note.place)}: {clean(note.reason)}")
    if report.skipped:
        output.heading("left out")
        for (format, reason), items in _by_format(report.skipped).items():
            output.line(f"{items} x {clean(format)}: {clean(reason)}")
    if report.problems:
        output.heading("problems")
        for problem in report.problems:
            output.line(f"{clean(problem.place)}: {clean(problem.reason)} [{clean(problem.code)}]")
            if problem.excerpt:
                output.line(f"  {clean(problem.excerpt)}")
    output.line()
    done = "would be brought" if dry_run else "brought"
    count = len(report.problems)
    ending = "complete" if not count else f"{count} problem{'s' if count > 1 else ''}"
    output.line(f"{report.brought.total()} {done}, {report.present.total()} there before: {ending}")
