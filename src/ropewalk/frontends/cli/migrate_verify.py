"""`ropewalk migrate verify`: compare the source with what was brought."""

from __future__ import annotations

import re

import click

from ...domain.errors import Invalid
from .command import Example, Invocation, command
from .exits import Exit
from .importing import EXITS
from .migrate_ends import meant, origin_of
from .migrate_report import Teller, comparison, verified
from .opening import run
from .output import Output


@command(
    examples=[
        Example("ropewalk migrate verify move.toml", "everything, in depth"),
        Example("ropewalk migrate verify last -u sqlite:///agent.db --sample 5%", "a sample"),
    ],
    exits=EXITS,
)
@click.argument("which", metavar="RUN|PLAN")
@click.option("--sample", metavar="SHARE", help="Compare a share in depth, such as 5% or 0.05.")
@click.option("--full", is_flag=True, help="Compare everything in depth, as without --sample.")
@click.pass_obj
def verify(invocation: Invocation, which: str, *, sample: str | None, full: bool) -> int:
    """Compare the source with what was brought.

    The source is read once more. Every item is looked for, with the hash of what was written and
    all that it refers to. Those of the sample (all, unless --sample says otherwise) are loaded and
    compared field by field, states included. Exit code 7 says that something differs. Nothing is
    changed.
    """
    if full and sample is not None:
        message = "--full and --sample say two things at once: choose one"
        raise click.UsageError(message)
    return run(_verify(invocation, which, share=1.0 if sample is None else _share(sample)))


def _share(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(%?)", text)
    share = float(found[1]) / (100 if found[2] else 1) if found else -1.0
    if not 0 <= share <= 1:
        message = f"{text!r} is no share: write 5% or 0.05"
        raise Invalid(message, code="bad_limit", field="sample")
    return share


async def _verify(invocation: Invocation, which: str, *, share: float) -> Exit:
    output = Output(invocation)
    teller = Teller(silent=output.json)
    async with (
        meant(invocation, which) as (storage, plan, _),
        origin_of(plan, storage) as source,
    ):
        report = await storage.migrations.verify(source, plan, sample=share, progress=teller.show)
    teller.end()
    if output.json:
        output.emit(verified(report))
    else:
        for line in comparison(report):
            output.line(line)
    return Exit.DONE if report.is_sound else Exit.DAMAGED
