"""An SQLite in memory for one query: it holds the cells, and can do nothing but answer."""

# pyright: reportUnknownMemberType=false
# The stubs of apsw name a class that Python has only from 3.12 on.

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import apsw

from . import functions
from .limits import refused
from .statement import LIKE, OURS, PLACE, TABLE

if TYPE_CHECKING:
    from .cells import Value
    from .halt import Halt
    from .statement import Statement

Answer: TypeAlias = list[tuple["Value", ...]]

_STEPS: Final = 10_000
"""Instructions of SQLite's machine between two looks at the clock: about a tenth of a ms."""

_FUNCTIONS: Final[Mapping[str, tuple[Callable[..., str | int | None], int]]] = {
    OURS["lower"]: (functions.lower, 1),
    OURS["upper"]: (functions.upper, 1),
    OURS["length"]: (functions.length, 1),
    OURS["by_day"]: (functions.by_day, 1),
    OURS["by_hour"]: (functions.by_hour, 1),
    LIKE: (functions.like, 3),
}
_ALLOWED: Final = frozenset(
    {*_FUNCTIONS, "abs", "round", "coalesce", "count", "sum", "avg", "min", "max", "nullif"}
)


def run(statement: Statement, rows: Sequence[tuple[Value, ...]], halt: Halt) -> Answer:
    """Answer a statement over the cells of some records; raise `Invalid` where it cannot be."""
    connection = apsw.Connection(":memory:")
    try:
        _load(connection, len(statement.cells), rows, halt)
        _lock(connection, halt)
        return list(connection.execute(statement.text, statement.values))
    except apsw.InterruptError:
        halt.check()
        raise
    except (apsw.SQLError, apsw.TooBigError) as error:
        if "overflow" not in str(error):
            raise
        message = "a sum or abs() of integers goes beyond 64 bits; write sum(1.0 * ...) for a float"
        raise refused(message) from error
    finally:
        connection.close()


def _load(
    connection: apsw.Connection, width: int, rows: Sequence[tuple[Value, ...]], halt: Halt
) -> None:
    names = ", ".join([f"{PLACE} INTEGER PRIMARY KEY", *(f"c{place}" for place in range(width))])
    connection.execute(f"CREATE TABLE {TABLE} ({names})")
    marks = ", ".join("?" * (width + 1))
    # Sorting may not leave anything on the disk.
    connection.execute("PRAGMA temp_store = MEMORY")
    with connection:
        text = f"INSERT INTO {TABLE} VALUES ({marks})"  # noqa: S608 (marks alone)
        connection.executemany(text, _numbered(rows, halt))


def _numbered(rows: Sequence[tuple[Value, ...]], halt: Halt) -> Iterator[tuple[Value, ...]]:
    for place, row in enumerate(rows):
        if place % 1_000 == 0:
            halt.check()
        yield (place, *row)


def _lock(connection: apsw.Connection, halt: Halt) -> None:
    """Allow nothing but to read the one table through the functions of the language."""
    for name, (function, arguments) in _FUNCTIONS.items():
        _register(connection, name, function, arguments)
    connection.execute("PRAGMA query_only = ON")
    connection.authorizer = _authorize
    connection.set_progress_handler(halt.due, _STEPS)


def _register(
    connection: apsw.Connection,
    name: str,
    function: Callable[..., str | int | None],
    arguments: int,
) -> None:
    connection.create_scalar_function(name, function, arguments, deterministic=True)


def _authorize(operation: int, first: str | None, second: str | None, *_: str | None) -> int:
    allowed = (
        operation == apsw.SQLITE_SELECT
        or (operation == apsw.SQLITE_READ and first == TABLE)
        or (operation == apsw.SQLITE_FUNCTION and second in _ALLOWED)
    )
    return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY
