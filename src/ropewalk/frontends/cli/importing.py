"""`ropewalk import`: bring what another program wrote into a store, and account for all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from .command import Example, Group
from .exits import Exit

EXITS: Final = (
    Exit.DONE,
    Exit.USAGE,
    Exit.PARTLY,
    Exit.NOT_FOUND,
    Exit.BUSY,
    Exit.DAMAGED,
    Exit.DENIED,
    Exit.UNREACHABLE,
)

_ARCHIVE: Final = "archive"
_ARCHIVES: Final = (".jsonl", ".jsonl.zst")
"""How the names of files end that need no further word."""


class _Importing(Group):
    """A group in which the name of a file stands for the archive that it is."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is meant, `archive` where a file is named in its place."""
        first = args[0]
        if first not in self.places and (first.endswith(_ARCHIVES) or Path(first).is_file()):
            args = [_ARCHIVE, *args]
        return super().resolve_command(ctx, args)


group: Final = _Importing(
    "import",
    help=(
        "Bring an archive, or the data of another program, into a store.\n\n"
        "`ropewalk import FILE` brings what `ropewalk export` wrote. What is in the "
        "store already, under the same id, is left as it is; so an import that was broken off can "
        "be run again. What is read is never changed."
    ),
    places={
        _ARCHIVE: ("restore:archive", "Bring an archive into a store."),
        "legacy": (
            "legacy:legacy",
            "Bring sessions, threads, history and checkpoints out of JSON files.",
        ),
    },
    examples=[
        Example(
            "ropewalk import legacy old sqlite:///agent.db --tz +08:00",
            "bring the folder old into agent.db",
        ),
    ],
    exits=EXITS,
)
