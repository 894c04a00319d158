"""The ledger of a file: which migrations were applied to it, when, and by which program."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from .connection import Connection
from .steps import Migration

_THERE: Final = "select count(*) from sqlite_schema where type = 'table' and name = 'migration'"
_ALL: Final = "select number, name, checksum, applied_at, program, backup from migration"
_ENTER: Final = "insert into migration values (?, ?, ?, ?, ?, ?)"

_NAME: Final = "ledger"
"""The migration that makes the table."""

_NOW: Final = "cast((julianday('now') - 2440587.5) * 86400000000 as integer)"


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration as it was applied; `applied_at` is in microseconds, `None` if not known."""

    number: int
    name: str
    checksum: str
    applied_at: int | None
    program: str
    backup: str | None


def read(connection: Connection) -> Mapping[int, Entry]:
    """Return what the file says was applied, by number; nothing for a file without a ledger."""
    if not connection.integer(_THERE):
        return {}
    rows = cast("list[tuple[int, str, str, int | None, str, str | None]]", connection.rows(_ALL))
    return {row[0]: Entry(*row) for row in rows}


def fill(
    connection: Connection,
    wanted: Sequence[Migration],
    *,
    fresh: Sequence[Migration],
    at: int | None,
    backup: str | None,
) -> None:
    """Note the migrations that the ledger lacks, within the transaction that is under way.

    Those of `fresh` were applied in it, `at` microseconds; of the others nobody knows when.
    """
    if not connection.integer(_THERE):
        return
    known = read(connection)
    for step in wanted:
        if step.number in known:
            continue
        applied = step in fresh
        connection.run(
            _ENTER,
            (
                step.number,
                step.name,
                step.checksum,
                at if applied else None,
                program() if applied else "",
                backup if applied else None,
            ),
        )


def script(steps: Sequence[Migration], *, fresh: Sequence[Migration]) -> Iterator[str]:
    """Go through the statements by which somebody who applies `fresh` by hand fills the ledger.

    `steps` are all that the file has then.
    """
    if not any(step.name == _NAME for step in steps):
        return
    for step in steps:
        at = _NOW if step in fresh else "null"
        values = f"{step.number:d}, '{step.name}', '{step.checksum}', {at}, '', null"
        yield f"insert or ignore into migration values ({values});"  # noqa: S608 (our own names)


def program() -> str:
    """Return the version of this program."""
    # It is there already, and asking for the metadata of a package takes 15 milliseconds.
    return str(vars(sys.modules[__name__.partition(".")[0]])["__version__"])
