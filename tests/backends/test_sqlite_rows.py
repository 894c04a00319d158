"""A row of the file becomes a record only where every column holds what is written there."""

from __future__ import annotations

from typing import Final

import pytest

from ropewalk.backends.sqlite.indexes import Indexes
from ropewalk.backends.sqlite.names import Names
from ropewalk.backends.sqlite.rows import records_of
from ropewalk.domain.errors import Corrupt
from ropewalk.domain.limits import MAX_ID_BYTES
from ropewalk.domain.record import NO_LABELS, Key, Record

ROW: Final = (1, 2, "a", 3, 4, 5, 6, 7, 8, 9, '{"n":10}', b"body", 11)
"""Space, kind, id, version, times, expiry, session, thread, seal, labels, body, number."""

COLUMNS: Final = (
    *("space", "kind", "id", "version", "created_at", "updated_at", "expires_at"),
    *("session_id", "thread_id", "seal", "labels", "body"),
)
MAY_BE_ABSENT: Final = frozenset({"expires_at", "session_id", "thread_id", "labels", "body"})


def no_rows(_statement: str, _values: object) -> list[tuple[object, ...]]:
    """Find nothing: every name is at hand."""
    return []


@pytest.fixture
def names() -> Names:
    """Names that have a text for each number of the row."""
    known = Names(no_rows, Indexes(no_rows))
    known.texts.update({1: "lab", 2: "note", 7: "session", 8: "thread", 9: "msgpack"})
    return known


def test_a_row_is_a_record(names: Names) -> None:
    """With the texts of its names, and with a key that is known already."""
    wanted = Record(
        key=Key("lab", "note", "a"),
        version=3,
        created_at=4,
        updated_at=5,
        session_id="session",
        thread_id="thread",
        labels={"n": 10},
        body=b"body",
        seal="msgpack",
        expires_at=6,
    )
    assert [wanted, wanted] == records_of([ROW, ROW], names)
    key = Key("lab", "note", "a")
    assert key is records_of([ROW], names, key=key)[0].key


@pytest.mark.parametrize("column", sorted(MAY_BE_ABSENT))
def test_what_may_be_absent_is_none(names: Names, column: str) -> None:
    """And labels are the empty ones."""
    row: list[object] = [*ROW]
    row[COLUMNS.index(column)] = None
    wanted = NO_LABELS if column == "labels" else None
    assert wanted == getattr(records_of([tuple(row)], names)[0], column)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (column, value)
        for place, column in enumerate(COLUMNS)
        for value in (None, 1, 1.0, "1", b"1")
        if type(value) is not type(ROW[place]) and not (value is None and column in MAY_BE_ABSENT)
    ]
    + [("id", ""), ("id", "x" * (MAX_ID_BYTES + 1))],
)
def test_a_column_of_another_type_is_damage(names: Names, column: str, value: object) -> None:
    """It is told with the row that has it, also behind others that are sound."""
    row: list[object] = [*ROW]
    row[COLUMNS.index(column)] = value
    with pytest.raises(Corrupt, match="never written") as caught:
        records_of([ROW, tuple(row)], names)
    assert ("bad_row", "/".join(map(str, row[:3]))) == (
        caught.value.code,
        caught.value.facts["key"],
    )


def test_damaged_labels_are_told_when_they_are_looked_at(names: Names) -> None:
    """Not before: most readers never do."""
    row = (*ROW[:10], "{", *ROW[11:])
    [record] = records_of([row], names)
    with pytest.raises(Corrupt, match="never written"):
        len(record.labels)
