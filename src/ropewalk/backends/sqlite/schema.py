"""Bringing a file up to date: all migrations that it lacks at once, by one process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from ...domain.errors import Corrupt, Invalid, Unavailable
from . import drift, ledger
from .connection import Connection
from .steps import Migration, mark, migrations, number_of

APPLICATION_ID: Final = 0x526F7065
"""Marks a file as a store of ours: "Rope" in ASCII, at byte 68 of the file."""

Aside: TypeAlias = Callable[[int], str]
"""Copies the file, whose schema has this number, and returns where the copy lies."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was applied to a file that had `before` migrations, and where its copy lies."""

    before: int
    applied: tuple[Migration, ...] = ()
    backup: str | None = None


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
    aside: Aside | None = None,
    always: bool = False,
) -> Migrated:
    """Bring the schema up to date in one transaction; when two processes do, one does it all.

    `at` is the time that the ledger gets, in microseconds. A store that has records is copied by
    `aside` before anything in it is rewritten, or `always`; nobody writes between the copy and
    the migrations. Raises `Unavailable` (`schema_newer`) for a file of a newer program, and
    `Corrupt` where a migration was applied that is not the one of this program, or where the
    schema is not what its migrations make.
    """
    wanted = migrations() if steps is None else tuple(steps)
    if not missing(connection, path, wanted):
        return Migrated(len(wanted))
    kept: str | None = None
    connection.run("begin immediate")
    try:
        _recognise_now(connection, path)
        fresh = missing(connection, path, wanted)
        before = len(wanted) - len(fresh)
        if before and fresh:
            drift.check(connection, path, wanted[:before])
            if aside is not None and (always or any(step.rewrites for step in fresh)):
                kept = aside(before)
        for step in fresh:
            connection.run(step.script)
        if before and fresh:
            drift.check(connection, path, wanted)
        ledger.fill(connection, wanted, fresh=fresh, at=at, backup=kept)
        connection.pragma("user_version", mark(wanted))
        connection.pragma("application_id", APPLICATION_ID)
        connection.run("commit")
    except BaseException:
        connection.roll_back()
        if kept is not None:
            # The store is as it was, and its copy of no use.
            Path(kept).unlink()
        raise
    return Migrated(before, tuple(fresh), kept)


def missing(connection: Connection, path: str, wanted: Sequence[Migration]) -> list[Migration]:
    """Return the migrations that the file lacks, having checked those it has."""
    # Read once: another process may be making the store right now.
    told = connection.integer("pragma user_version")
    number = _applied(told, path, wanted)
    if told != mark(wanted[:number]):
        message = (
            f"the migrations of {path} up to {number} are not those of this program: "
            "restore the file from a backup, or open it with the program that wrote it"
        )
        raise Corrupt(message, code="schema_checksum", path=path, schema=number)
    return list(wanted[number:])


def applied(connection: Connection, path: str, wanted: Sequence[Migration]) -> int:
    """Return how many migrations the file has; raise `Unavailable` for one of a newer program."""
    return _applied(connection.integer("pragma user_version"), path, wanted)


def _applied(told: int, path: str, wanted: Sequence[Migration]) -> int:
    number = number_of(told)
    if number > len(wanted):
        message = (
            f"{path} was written by a newer version of this program (schema {number}, "
            f"this one knows {len(wanted)}): update the program"
        )
        raise Unavailable(message, code="schema_newer", path=path, schema=number, known=len(wanted))
    return number
