"""How a command ends: one number for each thing that a script would do next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from ...domain.errors import (
    Conflict,
    Corrupt,
    Denied,
    Invalid,
    NotFound,
    RopewalkError,
    Unavailable,
)


class Exit(IntEnum):
    """The exit codes; a code that is not here never leaves the program."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PARTLY = 3
    NOT_FOUND = 4
    CONFLICT = 5
    BUSY = 6
    DAMAGED = 7
    DENIED = 8
    NO_STORE = 10
    SCHEMA = 11
    UNREACHABLE = 12
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What the code says, in a few words."""
        return _MEANINGS[self]


_MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.DONE: "done",
    Exit.FAILED: "failed, or a check of doctor failed",
    Exit.USAGE: "the command, an option or a setting is wrong",
    Exit.PARTLY: "partly done: see the problems that were reported",
    Exit.NOT_FOUND: "what was asked for is not there",
    Exit.CONFLICT: "it is there already, or somebody else changed it",
    Exit.BUSY: "the store is locked by somebody else: try again",
    Exit.DAMAGED: "what is stored is damaged",
    Exit.DENIED: "not allowed",
    Exit.NO_STORE: "there is no store",
    Exit.SCHEMA: "the store was written by a newer program",
    Exit.UNREACHABLE: "the store does not answer: try again",
    Exit.INTERRUPTED: "interrupted",
}

_BY_CODE: Final[Mapping[str, Exit]] = {
    "busy": Exit.BUSY,
    "foreign_file": Exit.NO_STORE,
    "no_permission": Exit.DENIED,
    "no_store": Exit.NO_STORE,
    "not_a_store": Exit.NO_STORE,
    "other_format": Exit.SCHEMA,
    "read_only": Exit.DENIED,
    "schema_newer": Exit.SCHEMA,
}

_BY_CLASS: Final[Mapping[type[RopewalkError], Exit]] = {
    NotFound: Exit.NOT_FOUND,
    Conflict: Exit.CONFLICT,
    Denied: Exit.DENIED,
    Invalid: Exit.USAGE,
    Corrupt: Exit.DAMAGED,
    Unavailable: Exit.UNREACHABLE,
}


def exit_of(error: RopewalkError) -> Exit:
    """Return the code that an error ends with: by what happened, else by its class."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    return next((code for cls, code in _BY_CLASS.items() if isinstance(error, cls)), Exit.FAILED)
