"""`ropewalk config`: settings, and how those of the legacy program become ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ...domain.errors import Conflict, Invalid
from .command import Example, Group, Invocation, command
from .exits import Exit
from .output import Output
from .text import clean

if TYPE_CHECKING:
    from ...domain.legacy.settings import Understood
    from .payload import Json

_EXITS: Final = (
    Exit.DONE,
    Exit.USAGE,
    Exit.NOT_FOUND,
    Exit.CONFLICT,
    Exit.DENIED,
)

group: Final = Group(
    "config",
    help="Take over the settings of another program.",
    places={
        "import": ("settings:take_over", "Turn the legacy program's configuration into ours."),
    },
    examples=[
        Example("ropewalk config import configs", "write ropewalk.toml for what is in configs"),
    ],
    exits=_EXITS,
)


@command(
    examples=[
        Example(
            "ropewalk config import configs/global.yaml",
            "write what it means for a store into ropewalk.toml",
        ),
        Example(
            "ropewalk config import configs --group production --dry-run",
            "read a whole folder, take one group of checkpoints, and write nothing",
        ),
    ],
    exits=_EXITS,
)
@click.argument("source", metavar="FILE", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("ropewalk.toml"),
    show_default=True,
    metavar="FILE",
    help="Where to write our settings.",
)
@click.option("--group", "which", metavar="NAME", help="The group of checkpoints that is meant.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--dry-run", is_flag=True, help="Write nothing, and show what would be written.")
@click.pass_obj
def take_over(
    invocation: Invocation,
    source: Path,
    *,
    output: Path,
    which: str | None,
    force: bool,
    dry_run: bool,
) -> int:
    """Turn the legacy program's configuration into ours.

    FILE is one of its YAML (or JSON) files, or the folder of all. Its place of checkpoints becomes
    the store beside the old database, which stays as it is. Whatever is no setting of a store is
    listed, with the reason and what to do instead.
    """
    from ...services.old_settings import read_old_settings

    understood = read_old_settings(source, group=which)
    if not understood.settings:
        message = (
            f"nothing in {source} says where checkpoints are, which is all that a store takes "
            "over; it is in configs/global.yaml, or in a group of configs/checkpoints/_group.yaml"
        )
        raise Invalid(message, code="no_settings", field="file")
    text = toml(understood.settings, origin=source)
    if not dry_run:
        _write(output, text, force=force)
    out = Output(invocation)
    if out.json:
        out.emit(_payload(understood, output, dry_run=dry_run))
    else:
        _show(out, understood, text if dry_run else f"written to {output}")
    return Exit.DONE


def toml(settings: Mapping[str, str], *, origin: Path) -> str:
    """Return settings as a file of ours; a text of JSON is one of TOML as well."""
    lines = [f"# Taken over from {clean(str(origin))} by `ropewalk config import`."]
    lines += [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def _write(output: Path, text: str, *, force: bool) -> None:
    """Write the file whole or not at all; raise `Conflict` where there is one."""
    if output.exists() and not force:
        message = f"{output} is there already: choose another --output, or write over it by --force"
        raise Conflict(message, code="exists", path=str(output))
    draft = output.with_name(f"{output.name}.new")
    draft.write_text(text, "utf-8")
    draft.replace(output)


def _payload(understood: Understood, output: Path, *, dry_run: bool) -> Json:
    return {
        "settings": dict(understood.settings),
        "written": None if dry_run else str(output),
        "taken": list(understood.taken),
        "not_taken": [
            {
                "key": remark.key,
                "value": remark.value,
                "code": remark.code,
                "reason": remark.reason,
            }
            for remark in understood.remarks
        ],
    }


def _show(out: Output, understood: Understood, ending: str) -> None:
    for key in understood.taken:
        out.line(f"taken over: {clean(key)}")
    if understood.remarks:
        out.heading("not taken over")
        for remark in understood.remarks:
            value = f" = {clean(remark.value)}" if remark.value else ""
            out.line(f"{clean(remark.key)}{value}")
            out.line(f"  {clean(remark.reason)} [{remark.code}]")
    out.line()
    out.line(ending.rstrip())
