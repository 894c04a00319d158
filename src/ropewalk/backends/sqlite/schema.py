"""Numbered migrations: what this program needs in a file, applied once, by one process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from ...domain.errors import Corrupt, Invalid, Unavailable
from . import ledger
from .connection import Connection

APPLICATION_ID: Final = 0x526F7065
"""Marks a file as a store of ours: "Rope" in ASCII, at byte 68 of the file."""

_NUMBER_BITS: Final = 8
_DIGEST_BITS: Final = 23
"""What `user_version`, an integer of 32 bits with a sign, has of the migrations applied."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: a script that is never changed once a version with it is out."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the script, in hexadecimal digits."""
        return hashlib.sha256(self.script.encode()).hexdigest()


def mark(steps: Sequence[Migration]) -> int:
    """Return the `user_version` of a file with these migrations: their number and a digest."""
    if not steps:
        return 0
    scripts = "\0".join(step.script for step in steps)
    digest = int.from_bytes(hashlib.sha256(scripts.encode()).digest(), "big")
    return (digest % (1 << _DIGEST_BITS)) << _NUMBER_BITS | steps[-1].number


@cache
def migrations() -> tuple[Migration, ...]:
    """Return the migrations of this program, in order."""
    folder = files(__name__.rpartition(".")[0]) / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        Migration(int(name[:4]), name[5:-4], (folder / name).read_text("utf-8")) for name in names
    )


def recognise(connection: Connection, path: str) -> None:
    """Raise `Invalid` if the file is a database of another program; nothing is written."""
    # One moment for both looks: another process may be making the store right now.
    connection.run("begin")
    try:
        _recognise_now(connection, path)
    finally:
        connection.roll_back()


def _recognise_now(connection: Connection, path: str) -> None:
    owner = connection.pragma("application_id")
    if owner == APPLICATION_ID:
        return
    tables = connection.integer("select count(*) from sqlite_schema")
    if owner != 0 or tables != 0:
        message = f"{path} is a database of another program; name another file"
        raise Invalid(message, code="foreign_file", path=path)


def migrate(
    connection: Connection,
    path: str,
    *,
    steps: Sequence[Migration] | None = None,
    at: int | None = None,
) -> None:
    """Bring the schema up to date in one transaction; when two processes do, one does it all.

    `at` is the time that the ledger gets, in microseconds.

    Raises `Unavailable` (`schema_newer`) for a file of a newer program, and `Corrupt` where a
    migration was applied that is not the one of this program.
    """
    wanted = migrations() if steps is None else tuple(steps)
    if not _missing(connection, path, wanted):
        return
    connection.run("begin immediate")
    try:
        _recognise_now(connection, path)
        fresh = _missing(connection, path, wanted)
        for step in fresh:
            connection.run(step.script)
        ledger.fill(connection, wanted, fresh=fresh, at=at, backup=None)
        connection.pragma("user_version", mark(wanted))
        connection.pragma("application_id", APPLICATION_ID)
        connection.run("commit")
    finally:
        connection.roll_back()


def _missing(connection: Connection, path: str, wanted: Sequence[Migration]) -> list[Migration]:
    """Return the migrations that the file lacks, having checked those it has."""
    found = connection.integer("pragma user_version")
    number = found % (1 << _NUMBER_BITS)
    if number > len(wanted):
        message = (
            f"{path} was written by a newer version of this program (schema {number}, "
            f"this one knows {len(wanted)}): update the program"
        )
        raise Unavailable(message, code="schema_newer", path=path, schema=number)
    if found != mark(wanted[:number]):
        message = (
            f"the migrations of {path} up to {number} are not those of this program: "
            "restore the file from a backup, or open it with the program that wrote it"
        )
        raise Corrupt(message, code="schema_checksum", path=path, schema=number)
    return list(wanted[number:])
