"""`ropewalk import`: bring what another program wrote into a store, and account for all of it."""

from __future__ import annotations

from typing import Final

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

group: Final = Group(
    "import",
    help=(
        "Bring the data of another program into a store.\n\n"
        "What is in the store already, under the same id, is left as it is; so an import that was "
        "broken off can be run again. What is read is never changed."
    ),
    places={
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
