"""Labels inside SQLite keep their type, their exact value, their order and every character."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ropewalk.backends.sqlite import functions, labels
from ropewalk.backends.sqlite.conditions import condition_sql, label_code
from ropewalk.backends.sqlite.connection import Connection, Row
from ropewalk.backends.sqlite.fragments import Sql
from ropewalk.backends.sqlite.patience import Patience
from ropewalk.domain.cursor import rank
from ropewalk.domain.errors import Corrupt
from ropewalk.domain.labels import Label
from ropewalk.domain.limits import MAX_INT64, MIN_INT64
from ropewalk.domain.query import AnyOf, Condition, Op
from ropewalk.domain.record import Key, Record

ODD_TEXTS: Final = (
    "",
    "\0",
    "\1",
    "\0\1\2",
    "a\0",
    "a\0b",
    "\ud7ff",
    "\ue000",
    "\U0010ffff",
    'a"b',
)

TEXTS: Final = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.text(st.sampled_from("\0\1\2ab\ud7ff\ue000\U0010ffff"), max_size=5),
    st.text(max_size=8),
)

NUMBERS: Final = st.one_of(
    st.integers(MIN_INT64, MAX_INT64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 0.0, -0.0, 1, 1.0, 0.1, 5e-324, 2**53, 2**53 + 1, float(2**53)]),
    st.sampled_from([MAX_INT64, float(2**63), MIN_INT64, float(MIN_INT64), 1e300, -1e300]),
)

VALUES: Final = st.one_of(st.booleans(), NUMBERS, TEXTS)

# A fixture of the function's own is not made anew for each example, and need not be.
SHARED: Final = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200
)


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Open a connection that knows our functions, to ask it about single values."""
    with closing(Connection(":memory:", Patience(1, threading.Event()))) as connection:
        functions.register(connection)
        yield connection


def _exact(value: Label | None) -> tuple[type, object]:
    """Return what tells any two labels apart: 1 from 1.0, 1 from True, 0.0 from -0.0."""
    return type(value), value.hex() if isinstance(value, float) else value


def _answer(connection: Connection, coded: str | None, sql: Sql, *, where: str = "1") -> list[Row]:
    """Return what SQL says about one row that has these labels and nothing else."""
    words = ("with row(labels) as (values (?))", "select", sql.text, "from row where", where)
    return connection.rows(" ".join(words), (coded, *sql.values))


def _holds(connection: Connection, condition: Condition | AnyOf, coded: str | None) -> bool:
    sql = condition_sql(condition)
    return bool(_answer(connection, coded, Sql("1", sql.values), where=sql.text))


@given(st.dictionaries(TEXTS.filter(bool), VALUES, max_size=5))
def test_labels_come_back_exactly(held: dict[str, Label]) -> None:
    """Every name and every value is read as it was written, to the last bit of a float."""
    coded = labels.encode(held)
    assert (coded is None) == (held == {})
    returned = labels.decode(coded or "{}")
    assert {name: _exact(value) for name, value in held.items()} == {
        name: _exact(value) for name, value in returned.items()
    }


@SHARED
@given(
    name=TEXTS.filter(bool),
    other=st.sampled_from(['a"b', "a.b", "a[0]", "$", "*", "%", "é", 'x"]', "a\\", "#-1"]),
    value=VALUES,
)
def test_sqlite_finds_exactly_the_label_that_is_meant(
    connection: Connection, name: str, other: str, value: Label
) -> None:
    """No name, whatever it looks like, is read as a path into another; NUL ends nothing."""
    coded = labels.encode({name: value})
    for asked in (name, other):
        ((found,),) = _answer(connection, coded, label_code(asked))
        expected = _exact(value) if asked == name else None
        assert expected == (None if found is None else _exact(labels.decode_value(found)))


@given(TEXTS, TEXTS)
def test_texts_keep_order_and_beginnings(left: str, right: str) -> None:
    """Without their NULs, two texts compare as they did, and one begins with the other or not."""
    a, b = labels.escape(left), labels.escape(right)
    assert "\0" not in a
    assert (left < right, left == right) == (a < b, a == b)
    assert left.startswith(right) == a.startswith(b)


@given(TEXTS, TEXTS)
def test_the_range_of_a_beginning(text: str, prefix: str) -> None:
    """A text begins with another exactly where it lies between it and its successor."""
    end = labels.successor(prefix)
    assert text.startswith(prefix) == (text >= prefix and (end is None or text < end))


@given(VALUES, VALUES)
@example(2**53, float(2**53))
@example(MAX_INT64, float(2**63))
@example(0, -0.0)
@example(left=1, right=True)
def test_equal_values_have_equal_codes(left: Label, right: Label) -> None:
    """One value's code is among those that equal another exactly where the two are equal."""
    assert (rank(left) == rank(right)) == (labels.encode_value(left) in labels.equals(right))


@SHARED
@given(
    actual=st.none() | VALUES,
    wanted=VALUES,
    op=st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]),
)
@example(actual=2**53 + 1, wanted=float(2**53), op="gt")
@example(actual=float(2**63), wanted=MAX_INT64, op="gt")
@example(actual=5e-324, wanted=0, op="le")
def test_comparisons_agree(
    connection: Connection, actual: Label | None, wanted: Label, op: Op
) -> None:
    """Each comparison of any two values is answered by SQL as by `Condition.matches`."""
    held: dict[str, Label] = {} if actual is None else {"x": actual}
    record = Record(key=Key("s", "k", "i"), version=1, created_at=0, updated_at=0, labels=held)
    condition = Condition("labels.x", op, wanted)
    assert condition.matches(record) == _holds(connection, condition, labels.encode(held))


@SHARED
@given(actual=st.none() | VALUES, prefix=TEXTS)
def test_beginnings_agree(connection: Connection, actual: Label | None, prefix: str) -> None:
    """`prefix` is answered by SQL as by `Condition.matches`: letter by letter, case and all."""
    held: dict[str, Label] = {} if actual is None else {"x": actual}
    record = Record(key=Key("s", "k", "i"), version=1, created_at=0, updated_at=0, labels=held)
    condition = Condition("labels.x", "prefix", prefix)
    assert condition.matches(record) == _holds(connection, condition, labels.encode(held))


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 33_000])
def test_lists_of_any_length(connection: Connection, count: int) -> None:
    """`in` takes as many values as one likes, of all types, and finds exactly those."""
    values: tuple[Label, ...] = tuple(
        (n, f"text {n}\0", n + 0.5, True)[n % 4] for n in range(count)
    )
    condition = Condition("labels.x", "in", values)
    inside = values[count // 2 :: max(count // 5, 1)]
    outside: tuple[Label, ...] = (-1, "text", 0.25, False, f"text {count + 1}\0")
    found = [_holds(connection, condition, labels.encode({"x": x})) for x in (*inside, *outside)]
    assert [True] * len(inside) + [False] * len(outside) == found
    assert not _holds(connection, condition, None)


def test_thousands_of_conditions(connection: Connection) -> None:
    """Conditions are joined so flatly that thousands of them are not too deep for SQLite."""
    conditions = tuple(Condition("labels.x", "eq", n) for n in range(2_500))
    coded = labels.encode({"x": 2_321})
    found = [_holds(connection, AnyOf(conditions[:size]), coded) for size in (2_500, 2_000)]
    assert [True, False] == found


@pytest.mark.parametrize("coded", ["[]", "7", '{"x":null}', '{"x":"z"}', '{"x":"b2"}', '{"x":[1]}'])
def test_what_was_never_written_is_no_label(coded: str) -> None:
    """Anything but what `encode` writes raises `ValueError`, and never a wrong value."""
    with pytest.raises(ValueError, match=r"stands for no label|no JSON object"):
        labels.decode(coded)


@pytest.mark.seed("8.2")
def test_a_damaged_float_is_corrupt(connection: Connection) -> None:
    """A float that is none stops the query with `Corrupt`; it does not count as some number."""
    with pytest.raises(Corrupt):
        _holds(connection, Condition("labels.x", "lt", 5), '{"x":"f1.2.3"}')
