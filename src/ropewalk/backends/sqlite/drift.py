"""What the tables and indexes of a file should be: what its migrations make in an empty one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, cast

from ...domain.errors import Corrupt
from ...domain.schema import Drift, DriftKind
from .connection import Connection
from .patience import Patience
from .steps import Migration

_OBJECTS: Final = (
    "select type || ' ' || name, sql from sqlite_schema where name not glob 'sqlite_*' order by 1"
)
_DECLARED: Final = re.compile(r"CREATE INDEX label_\d+_[0-9a-f]{16} on record \(space, ")
"""How indexes begin that are made when a label is declared, see following.py."""

_SHOWN: Final = 3

_ADVICE: Final = {
    DriftKind.MISSING: "restore the file from a backup, or copy its records into a new store",
    DriftKind.CHANGED: "restore the file from a backup, or copy its records into a new store",
    DriftKind.EXTRA: "drop it, or keep it in a file of its own",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """The SQL of what must be there, and of what may be, by type and name."""

    must: Mapping[str, str]
    may: Mapping[str, str]


def expected(steps: Sequence[Migration]) -> Expected:
    """Apply migrations to an empty database in memory, and return what they make."""
    nobody = Patience(0, threading.Event())
    with closing(Connection(":memory:", nobody, create=True)) as empty:
        for step in steps:
            empty.run(step.script)
        must = _objects(empty)
        empty.indexes.need_all()
        may = {name: sql for name, sql in _objects(empty).items() if name not in must}
    return Expected(must, may)


def drifts(connection: Connection, steps: Sequence[Migration]) -> Iterator[Drift]:
    """Go through what differs from what `steps` make, in order of type and name."""
    there, wanted = _objects(connection), expected(steps)
    for name in sorted({*there, *wanted.must}):
        if name not in there:
            yield _drift(DriftKind.MISSING, name, "the migrations make it, and it is not there")
        elif name in wanted.must or name in wanted.may:
            if there[name] != {**wanted.may, **wanted.must}[name]:
                reason = f"it is not as the migrations make it, but: {_in_a_line(there[name])}"
                yield _drift(DriftKind.CHANGED, name, reason)
        elif not _DECLARED.match(there[name]):
            yield _drift(DriftKind.EXTRA, name, "no migration makes it")


def check(connection: Connection, path: str, steps: Sequence[Migration]) -> None:
    """Raise `Corrupt` where anything is missing or changed; what others added may stay."""
    wrong = [drift for drift in drifts(connection, steps) if drift.kind is not DriftKind.EXTRA]
    if wrong:
        named = "; ".join(str(drift) for drift in wrong[:_SHOWN])
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        message = f"the schema of {path} is not what its migrations make: {named}{more}"
        raise Corrupt(message, code="schema_drift", path=path, objects=[d.what for d in wrong])


def _objects(connection: Connection) -> dict[str, str]:
    rows = cast("list[tuple[str, str | None]]", connection.rows(_OBJECTS))
    return {name: sql or "" for name, sql in rows}


def _drift(kind: DriftKind, what: str, reason: str) -> Drift:
    return Drift(kind=kind, what=what, reason=f"{reason}; {_ADVICE[kind]}")


def _in_a_line(sql: str) -> str:
    return " ".join(re.sub(r"--[^\n]*", "", sql).split())
