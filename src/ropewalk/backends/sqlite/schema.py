"""Numbered migrations: what this program needs in a file, applied once, by one process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, cast

from ...domain.errors import Corrupt, Invalid, Unavailable
from .connection import Connection

APPLICATION_ID: Final = 0x526F7065
"""Marks a file as a store of ours: "Rope" in ASCII, at byte 68 of the file."""

_TABLE: Final = (
    "create table if not exists migration ("
    "number integer primary key, name text not null, checksum text not null, "
    "applied_at integer not null) strict"
)


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
    mark = connection.pragma("application_id")
    if mark == APPLICATION_ID:
        return
    tables = connection.integer("select count(*) from sqlite_schema")
    if mark != 0 or tables != 0:
        message = f"{path} is a database of another program; name another file"
        raise Invalid(message, code="foreign_file", path=path)


def migrate(
    connection: Connection, path: str, *, now: int, steps: Sequence[Migration] | None = None
) -> None:
    """Bring the schema up to date in one transaction; when two processes do, one does it all.

    Raises `Unavailable` (`schema_newer`) for a file of a newer program, and `Corrupt` where a
    migration was applied that is not the one of this program.
    """
    wanted = migrations() if steps is None else tuple(steps)
    if not _missing(connection, path, wanted):
        return
    connection.run("begin immediate")
    try:
        _recognise_now(connection, path)
        connection.run(_TABLE)
        for step in _missing(connection, path, wanted):
            connection.run(step.script)
            connection.run(
                "insert into migration values (?, ?, ?, ?)",
                (step.number, step.name, step.checksum, now),
            )
            connection.pragma("user_version", step.number)
        connection.pragma("application_id", APPLICATION_ID)
        connection.run("commit")
    finally:
        connection.roll_back()


def _missing(connection: Connection, path: str, wanted: Sequence[Migration]) -> list[Migration]:
    """Return the migrations that the file lacks, having checked those it has."""
    exists = connection.rows(
        "select 1 from sqlite_schema where type = 'table' and name = 'migration'"
    )
    rows = connection.rows("select number, checksum from migration") if exists else []
    applied = dict(cast("list[tuple[int, str]]", rows))
    known = {step.number: step for step in wanted}
    newer = sorted(applied.keys() - known.keys())
    if newer:
        message = (
            f"{path} was written by a newer version of this program (schema {newer[-1]}, "
            f"this one knows {max(known, default=0)}): update the program"
        )
        raise Unavailable(message, code="schema_newer", path=path, schema=newer[-1])
    for number, checksum in applied.items():
        if checksum != known[number].checksum:
            message = (
                f"migration {number} of {path} is not the one of this program: "
                "restore the file from a backup, or open it with the program that wrote it"
            )
            raise Corrupt(message, code="schema_checksum", path=path, schema=number)
    return [step for step in wanted if step.number not in applied]
