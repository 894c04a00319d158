"""What the language of queries says, clause by clause."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ropewalk.domain.change import Batch, Put
from ropewalk.domain.errors import Corrupt
from ropewalk.domain.ports import Backend
from ropewalk.domain.record import Key
from ropewalk.stores.records import RecordStore
from ropewalk.stores.select.limits import DEFAULT_LIMITS
from ropewalk.stores.select.run import prepare

pytestmark = [pytest.mark.seed("1.1"), pytest.mark.seed("2.3")]

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOON_MICROS = 1_767_355_200_000_000

# Query, and for each row of the answer its values.
CHOSEN: list[tuple[str, list[list[Any]]]] = [
    ("SELECT id FROM note", [["a"], ["b"], ["c"], ["d"], ["e"]]),
    ("select ID from note limit 2", [["a"], ["b"]]),
    ('SELECT id, type FROM "my todo"', [["z", "my todo"]]),
    ("SELECT id FROM nothing", []),
    ("SELECT id FROM Note", []),
    ("SELECT id FROM note;", [["a"], ["b"], ["c"], ["d"], ["e"]]),
    ("SELECT n.id FROM note AS n WHERE n.data.n = 3", [["a"]]),
    ("SELECT note.id FROM note WHERE note.version = 1 LIMIT 1", [["a"]]),
    # Paths, read as a type; what lies there and is of another type is NULL.
    ("SELECT num(data.n), text(data.n), bool(data.ok) FROM note WHERE id IN ('a', 'c')",
     [[3, None, True], [None, "3", None]]),
    ('SELECT text(data.who.name), num(data.tags[1].y), num(data.tags."1".y) FROM note LIMIT 3',
     [["Ada", None, None], [None, None, None], [None, 7, 7]]),
    ("SELECT num(data.\"odd key.x\") FROM note WHERE id = 'e'", [[1]]),
    ("SELECT num(metadata.deep.er), num(metadata.\"deep.er\") FROM note WHERE id = 'e'",
     [[1, None]]),
    ('SELECT id FROM note WHERE num(metadata."deep.er") = 1', []),
    ("SELECT num(data.at), num(data.big) FROM note WHERE id IN ('b', 'e')",
     [[NOON_MICROS, None], [None, 2.0**70]]),
    # A bare path is read as what it is compared with; in the list it is given as it is.
    ("SELECT data.tags, metadata.lang FROM note WHERE data.n = '3'", [[["x", {"y": 7}], "It"]]),
    ("SELECT data.at FROM note WHERE metadata.lang = 'de'", [[NOON]]),
    ("SELECT metadata, data FROM note WHERE id = 'a'",
     [[{"lang": "it"}, {"n": 3, "who": {"name": "Ada"}, "ok": True}]]),
    ("SELECT id FROM note WHERE data.ok", [["a"]]),
    ("SELECT id FROM note WHERE NOT data.ok", [["d"]]),
    ("SELECT id FROM note WHERE data.ok IS FALSE", [["d"]]),
    ("SELECT id FROM note WHERE data.ok IS NOT TRUE", [["b"], ["c"], ["d"], ["e"]]),
    ("SELECT id FROM note WHERE data.who IS NOT NULL", [["a"]]),
    ("SELECT id FROM note WHERE metadata.lang IS NULL", [["d"], ["e"]]),
    ("SELECT id FROM note WHERE length(metadata.long) = 5000", [["d"]]),
    ("SELECT id FROM note WHERE metadata.long LIKE '%zz'", [["d"]]),
    # Conditions.
    ("SELECT id FROM note WHERE session_id = 's1' AND thread_id IS NULL", [["b"]]),
    ("SELECT id FROM note WHERE id < 'c' OR id >= 'e'", [["a"], ["b"], ["e"]]),
    ("SELECT id FROM note WHERE id <> 'a' AND id != 'b' AND NOT id = 'c'", [["d"], ["e"]]),
    ("SELECT id FROM note WHERE data.n BETWEEN 1.5 AND 3", [["a"], ["b"]]),
    ("SELECT id FROM note WHERE data.n NOT BETWEEN 1.5 AND 3", [["d"]]),
    ("SELECT id FROM note WHERE metadata.lang NOT IN ('it', 'fr')", [["b"], ["c"]]),
    ("SELECT id FROM note WHERE metadata.lang LIKE 'I_'", [["a"], ["c"]]),
    ("SELECT id FROM note WHERE metadata.lang NOT LIKE '%T'", [["b"]]),
    ("SELECT id FROM note WHERE metadata.lang NOT LIKE '!%T' ESCAPE '!'", [["a"], ["b"], ["c"]]),
    ("SELECT id FROM note WHERE session_id = NULL", []),
    # Arithmetic.
    ("SELECT num(data.n) / 2, num(data.n) / 0, 7 - num(data.n) * 2 FROM note LIMIT 1",
     [[1.5, None, 1]]),
    ("SELECT 9223372036854775807 + version, -num(data.n) FROM note LIMIT 1", [[2.0**63, -3]]),
    # Functions.
    ("SELECT lower(id), upper(metadata.lang), length(metadata.lang) FROM note WHERE id = 'c'",
     [["c", "IT", 2]]),
    ("SELECT abs(data.n), round(data.n), round(1.25, 1) FROM note WHERE id = 'd'", [[4, -4, 1.3]]),
    ("SELECT coalesce(session_id, thread_id, '-') FROM note LIMIT 2", [["-"], ["s1"]]),
    ("SELECT by_day(created_at), by_hour(created_at) FROM note LIMIT 2",
     [["2026-01-02", "2026-01-02T12"], ["2026-01-03", "2026-01-03T13"]]),
    # Groups.
    ("SELECT count(*) FROM note", [[5]]),
    ("SELECT count(*), sum(data.n), max(id) FROM nothing", [[0, None, None]]),
    ("SELECT count(data.n), count(data.who), count(DISTINCT session_id) FROM note", [[4, 1, 1]]),
    ("SELECT sum(data.n), avg(data.n), min(num(data.n)), max(num(data.n)) FROM note",
     [[0.5, 0.5 / 3, -4, 3]]),
    ("SELECT session_id, count(*) FROM note GROUP BY session_id", [[None, 3], ["s1", 2]]),
    ("SELECT lower(metadata.lang) AS l, count(*) AS n FROM note GROUP BY l ORDER BY n DESC, l",
     [[None, 2], ["it", 2], ["de", 1]]),
    ("SELECT by_day(created_at), count(*) FROM note GROUP BY 1 ORDER BY 1 DESC LIMIT 1",
     [["2026-01-06", 1]]),
    ("SELECT session_id FROM note GROUP BY session_id HAVING count(*) > 2", [[None]]),
    ("SELECT session_id, count(*) AS n FROM note GROUP BY session_id HAVING n = 2", [["s1", 2]]),
    ("SELECT 1 + count(*) * 2 FROM note", [[11]]),
    # Order: ties stay oldest first, NULL comes first upwards and last downwards, if not said.
    ("SELECT id FROM note ORDER BY session_id DESC", [["b"], ["e"], ["a"], ["c"], ["d"]]),
    ("SELECT id FROM note ORDER BY num(data.n)", [["c"], ["e"], ["d"], ["b"], ["a"]]),
    ("SELECT id FROM note ORDER BY num(data.n) NULLS LAST LIMIT 3 OFFSET 1", [["b"], ["a"], ["c"]]),
    ("SELECT id AS x FROM note ORDER BY x DESC LIMIT 2", [["e"], ["d"]]),
    ("SELECT DISTINCT session_id FROM note", [[None], ["s1"]]),
    ("SELECT DISTINCT session_id AS s, 1 AS one FROM note ORDER BY s DESC", [["s1", 1], [None, 1]]),
]  # fmt: skip


async def test_a_query_means_what_the_page_says(notes: RecordStore) -> None:
    """Every line of the table, on every back end."""
    for text, expected in CHOSEN:
        rows = await notes.query(text)
        assert (text, expected) == (text, [list(row.values()) for row in rows])


def test_ties_are_broken_by_the_statement_and_not_by_luck() -> None:
    """Every statement says its whole order."""
    for text, last in (
        ("SELECT id FROM note", "place"),
        ("SELECT id FROM note ORDER BY version DESC", "c1 DESC NULLS LAST, place"),
        (
            "SELECT type, count(*) FROM note GROUP BY type ORDER BY 2",
            "count(*) ASC NULLS FIRST, c0",
        ),
        ("SELECT DISTINCT id, type FROM note", "1, 2"),
    ):
        written = prepare(text, {}, space="here", limits=DEFAULT_LIMITS).statement.text
        assert last == written.partition("ORDER BY ")[2].partition(" LIMIT")[0]


async def test_columns_are_named_by_what_they_are(notes: RecordStore) -> None:
    """AS decides; else the field, the end of the path, the function, or the place, numbered."""
    [row] = await notes.query(
        'SELECT id, num(data.n), data.who.name, metadata, lower(id), 1 + 1, version AS "a b" '
        "FROM note WHERE id = 'a'"
    )
    assert ["id", "n", "name", "metadata", "lower", "column6", "a b"] == list(row)
    [row] = await notes.query(
        "SELECT count(*), sum(data.n), sum(version), count(id) AS sum_2 FROM note"
    )
    assert {"count": 5, "sum": 0.5, "sum_3": 5, "sum_2": 5} == row


async def test_a_star_is_everything(notes: RecordStore) -> None:
    """All columns of the header, with times in microseconds, and both dictionaries."""
    [row] = await notes.query("SELECT * FROM note WHERE id = 'b'")
    expected = {
        "id": "b",
        "type": "note",
        "session_id": "s1",
        "thread_id": None,
        "version": 1,
        "created_at": NOON_MICROS + 25 * 3_600_000_000,
        "updated_at": NOON_MICROS + 25 * 3_600_000_000,
        "expires_at": None,
        "metadata": {"lang": "de"},
        "data": {"n": 1.5, "at": NOON},
    }
    assert expected == row
    assert list(expected) == list(row)


async def test_values_are_bound_and_never_written_into_the_text(notes: RecordStore) -> None:
    """A parameter is a value, whatever it says; its type counts like any other."""
    for value in ("it", "' OR 1 = 1 --", "'; DROP TABLE records; --", "it\0", "%"):
        rows = await notes.query("SELECT id FROM note WHERE metadata.lang = :v", {"v": value})
        assert ([{"id": "a"}] if value == "it" else []) == rows
    named = {"n": 1.5, "ok": True, "since": NOON, "s": None, "many": 2, "skip": 1}
    text = (
        "SELECT id FROM note WHERE (data.n >= :n OR data.ok = :ok OR session_id = :s) "
        "AND created_at >= :since LIMIT :many OFFSET :skip"
    )
    assert [{"id": "b"}] == await notes.query(text, named)


async def test_times_are_microseconds(notes: RecordStore) -> None:
    """Header times compare with numbers and with aware datetimes."""
    text = "SELECT id, created_at FROM note WHERE created_at = :at"
    expected = [{"id": "a", "created_at": NOON_MICROS}]
    assert expected == await notes.query(text, {"at": NOON})
    assert expected == await notes.query(text, {"at": NOON_MICROS})
    assert expected == await notes.query(text.replace(":at", str(NOON_MICROS)))


@pytest.mark.seed("8.2")
async def test_a_damaged_record_stops_a_query_that_looks_into_it(
    notes: RecordStore, backend: Backend
) -> None:
    """No answer is made of what cannot be read; headers and labels can still be asked."""
    [record] = await backend.get([Key("here", "note", "b")])
    assert record is not None
    put = Put(key=record.key, body=b"\xc1", seal=record.seal, labels=record.labels)
    await backend.apply(Batch((put,)))
    with pytest.raises(Corrupt) as caught:
        await notes.query("SELECT sum(data.n) FROM note")
    assert record.key == caught.value.facts["key"]
    assert [{"id": "b"}] == await notes.query(
        "SELECT id FROM note WHERE text(metadata.lang) = 'de'"
    )


async def test_values_in_the_answer_are_the_callers_own(notes: RecordStore) -> None:
    """Changing an answer changes nothing that is stored."""
    [row] = await notes.query("SELECT data FROM note WHERE id = 'a'")
    row["data"]["who"]["name"] = "Eve"
    assert [{"name": "Ada"}] == await notes.query("SELECT data.who.name FROM note WHERE id = 'a'")
