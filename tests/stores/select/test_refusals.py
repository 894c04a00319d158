"""What is not in the language is refused, in a sentence, before anything is read."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.stores.records import RecordStore
from ropewalk.stores.select.limits import DEFAULT_LIMITS
from ropewalk.stores.select.run import prepare

pytestmark = [pytest.mark.seed("1.5")]

# Text, and what the error must say.
REFUSED: list[tuple[Any, str]] = [
    # Other statements, and statements that only look like a SELECT.
    ("", "begins with SELECT"),
    ("DELETE FROM note", "begins with SELECT"),
    ("UPDATE note SET id = 'x'", "begins with SELECT"),
    ("DROP TABLE records", "begins with SELECT"),
    ("PRAGMA query_only = OFF", "begins with SELECT"),
    ("ATTACH DATABASE '/tmp/x.db' AS x", "begins with SELECT"),
    ("EXPLAIN SELECT id FROM note", "begins with SELECT"),
    ("(SELECT id FROM note)", "begins with SELECT"),
    ("WITH r AS (DELETE FROM note RETURNING id) SELECT id FROM r", "begins with SELECT"),
    ("WITH RECURSIVE r AS (SELECT 1) SELECT 1 FROM r", "begins with SELECT"),
    ("SELECT id INTO other FROM note", "INTO"),
    ("SELECT id FROM note FOR UPDATE", "FOR UPDATE"),
    ("SELECT id FROM note FOR SHARE", "FOR UPDATE"),
    ("SELECT id FROM note; DELETE FROM note", "one statement"),
    ("SELECT id FROM note;;", "one statement"),
    ("SELECT id FROM note -- all of it", "comments"),
    ("SELECT /* all */ id FROM note", "comments"),
    ("/* first */ SELECT id FROM note", "comments|begins with SELECT"),
    ("SELECT /*+ PARALLEL(8) */ id FROM note", "hint|comments"),
    ("SELECT 'open FROM note", "not closed"),
    ('SELECT "open FROM note', "not closed"),
    ("SELECT id FROM note WHERE", "is no SELECT|nothing|part of the language"),
    ("SELECT FROM note", "at least one column"),
    ("SELECT id, FROM note", "after a comma"),
    # Other sources.
    ("SELECT 1", "after FROM"),
    ("SELECT id FROM note, todo", "join"),
    ("SELECT a.id FROM note a JOIN todo b ON a.id = b.id", "join"),
    ("SELECT id FROM note CROSS JOIN todo", "join"),
    ("SELECT id FROM (SELECT id FROM note)", "not a subquery"),
    ("SELECT id FROM main.note", "quote a type that has a dot"),
    ("SELECT id FROM generate_series(1, 1000000000)", "no function 'generate_series'"),
    ("SELECT id FROM pragma_table_info('records')", "no function 'pragma_table_info'"),
    ("SELECT id FROM note TABLESAMPLE (1)", "TABLESAMPLE|no function"),
    ("SELECT id FROM note INDEXED BY i", "is no SELECT|part of the language"),
    ("SELECT id FROM note AS n(x)", "part of the language|no function 'n'"),
    ("SELECT id FROM ''", "FROM|is no SELECT"),
    # Subqueries, sets, windows.
    ("SELECT id FROM note UNION ALL SELECT id FROM todo", "UNION"),
    ("SELECT id FROM note EXCEPT SELECT id FROM todo", "EXCEPT"),
    ("SELECT id FROM note WHERE id IN (SELECT id FROM todo)", "subquery"),
    ("SELECT id FROM note WHERE EXISTS (SELECT 1 FROM todo)", "EXISTS"),
    ("SELECT (SELECT id FROM todo) FROM note", "Subquery|Select"),
    ("SELECT count(*) OVER () FROM note", "no function 'OVER'"),
    ("SELECT sum(data.n) FILTER (WHERE version = 1) FROM note", "no function 'FILTER'"),
    ("SELECT id FROM note WINDOW w AS (ORDER BY id)", "no function|WINDOW"),
    ("SELECT id FROM note QUALIFY row_number() = 1", "no function 'row_number'"),
    ("SELECT session_id, count(*) FROM note GROUP BY ROLLUP (session_id)", "no function 'ROLLUP'"),
    ("SELECT session_id FROM note GROUP BY ALL", "part of the language|no column"),
    # Other expressions.
    ("SELECT CASE WHEN id = 'a' THEN 1 END FROM note", "Case is not part"),
    ("SELECT CAST(id AS INTEGER) FROM note", "no function 'CAST'"),
    ("SELECT id::int FROM note", "Cast is not part"),
    ("SELECT id || 'x' FROM note", "DPipe is not part"),
    ("SELECT 'a' 'b' FROM note", "Concat is not part|is no SELECT"),
    ("SELECT version % 2 FROM note", "Mod is not part"),
    ("SELECT version & 1 FROM note", "BitwiseAnd is not part"),
    ("SELECT ~version FROM note", "BitwiseNot is not part"),
    ("SELECT data -> 'x' FROM note", "is not part"),
    ("SELECT data ->> '$.x' FROM note", "is not part"),
    ("SELECT id FROM note WHERE id GLOB '*'", "is not part"),
    ("SELECT id FROM note WHERE id ILIKE 'a'", "ILike is not part"),
    ("SELECT id FROM note WHERE id SIMILAR TO 'a'", "is not part"),
    ("SELECT id FROM note WHERE id IS 'a'", "IS compares with NULL"),
    ("SELECT id FROM note WHERE id IS DISTINCT FROM 'a'", "is not part|is no SELECT"),
    ("SELECT id FROM note WHERE (id, type) = ('a', 'b')", "Tuple is not part"),
    ("SELECT DATE '2026-01-01' FROM note", "Cast is not part"),
    ("SELECT INTERVAL '1' DAY FROM note", "Interval is not part"),
    ("SELECT CURRENT_TIMESTAMP FROM note", "is not part|no column"),
    ("SELECT ARRAY[1] FROM note", "is not part|path is words"),
    ("SELECT x'00' FROM note", "is no SELECT|is not part"),
    ("SELECT 99999999999999999999 FROM note", "no number of 64 bits"),
    ("SELECT DISTINCT ON (id) id FROM note", "part of the language|no function"),
    ("SELECT TOP 5 id FROM note", "is no SELECT"),
    ("SELECT id FROM note FETCH FIRST 5 ROWS ONLY", "write LIMIT"),
    ("SELECT id FROM note LIMIT ALL", "LIMIT|no column"),
    ("SELECT id FROM note LIMIT -1", "LIMIT takes a whole number"),
    ("SELECT id FROM note LIMIT 1.5", "LIMIT takes a whole number"),
    ("SELECT id FROM note LIMIT 1 + 1", "LIMIT takes a whole number"),
    ("SELECT id FROM note LIMIT 1 OFFSET 'x'", "OFFSET takes a whole number"),
    ("SELECT id FROM note ORDER BY id COLLATE NOCASE", "Collate is not part"),
    # Functions.
    ("SELECT pg_sleep(10) FROM note", "no function 'pg_sleep'"),
    ("SELECT load_extension('x') FROM note", "no function 'load_extension'"),
    ("SELECT pg_read_file('/etc/passwd') FROM note", "no function 'pg_read_file'"),
    ("SELECT randomblob(1000000000) FROM note", "no function 'randomblob'"),
    ("SELECT \"load_extension\"('x') FROM note", "no function 'load_extension'"),
    ("SELECT portable_like('a', 'a', '') FROM note", "no function 'portable_like'"),
    ("SELECT group_concat(id) FROM note", "no function 'group_concat'"),
    ("SELECT lenght(id) FROM note", "did you mean 'length'"),
    ("SELECT len(id) FROM note", "no function 'len'"),
    ("SELECT ifnull(id, 'x') FROM note", "no function 'ifnull'"),
    ("SELECT coalesce(id) FROM note", "two values or more"),
    ("SELECT lower(id, type) FROM note", "part of the language|is no SELECT|takes"),
    ("SELECT lower() FROM note", "is no SELECT|takes"),
    ("SELECT by_day() FROM note", "takes 1 argument"),
    ("SELECT sum(DISTINCT data.n) FROM note", "Distinct is not part"),
    ("SELECT count(DISTINCT id, type) FROM note", "takes one value"),
    ("SELECT sum(*) FROM note", "Star is not part"),
    ("SELECT num(id) FROM note", r"num\(\) reads one path"),
    ("SELECT num(num(data.x)) FROM note", r"num\(\) reads one path"),
    ("SELECT num(data.x, data.y) FROM note", r"num\(\) reads one path"),
    ("SELECT round(data.n, version) FROM note", "0 to 15 digits"),
    ("SELECT round(data.n, 99) FROM note", "0 to 15 digits"),
    ("SELECT id FROM note WHERE id LIKE type", "LIKE takes a pattern that is written out"),
    ("SELECT id FROM note WHERE id LIKE 'a' ESCAPE 'ab'", "one character"),
    # Names.
    ("SELECT sesion_id FROM note", "did you mean 'session_id'"),
    ("SELECT other.id FROM note", "no column 'other.id'"),
    ("SELECT rowid FROM note", "no column 'rowid'"),
    ("SELECT place FROM note", "no column 'place'"),
    ("SELECT c0 FROM note", "no column 'c0'"),
    ("SELECT body FROM note", "no column 'body'"),
    ("SELECT space FROM note", "no column 'space'"),
    ("SELECT id AS a, type AS a FROM note", "two columns .* are called 'a'"),
    ("SELECT id AS x FROM note WHERE x = 'a'", "no column 'x'"),
    ("SELECT id FROM note ORDER BY 2", "no column of that number"),
    ("SELECT id FROM note ORDER BY 'id'", "no column of that number"),
    ("SELECT id FROM note GROUP BY 0", "no column of that number"),
    ("SELECT n.* FROM note n", "path is words|is not part"),
    ("SELECT id FROM note WHERE id = ?", "parameters have names"),
    ("SELECT id FROM note WHERE id = @x", "Parameter is not part"),
    ("SELECT id FROM note WHERE id = $1", "no column"),
    ("SELECT id FROM note WHERE id = :x", ":x has no value"),
    # Types.
    ("SELECT id FROM note WHERE id = 1", "one type"),
    ("SELECT id FROM note WHERE num(data.n) = '1'", "one type"),
    ("SELECT id FROM note WHERE bool(data.ok) = 1", "one type"),
    ("SELECT id FROM note WHERE id IN ('a', 1)", "one type"),
    ("SELECT id FROM note WHERE data.x = data.y", r"write num\(data.x\)"),
    ("SELECT id FROM note WHERE id", "WHERE takes a bool"),
    ("SELECT id FROM note WHERE 1", "WHERE takes a bool"),
    ("SELECT id FROM note WHERE id = 'a' OR version", "OR takes a bool"),
    ("SELECT id + 1 FROM note", r"\+ takes a number"),
    ("SELECT sum(id) FROM note", r"sum\(\) takes a number"),
    ("SELECT max(data.n) FROM note", r"write num\(data.n\)"),
    ("SELECT count(DISTINCT data.n) FROM note", r"write num\(data.n\)"),
    ("SELECT id FROM note ORDER BY data.n", r"write num\(data.n\)"),
    ("SELECT DISTINCT data.n FROM note", r"write num\(data.n\)"),
    # Groups.
    ("SELECT id, count(*) FROM note", "add it to GROUP BY"),
    ("SELECT data.n FROM note GROUP BY num(data.n)", "add it to GROUP BY"),
    ("SELECT count(*) FROM note ORDER BY id", "add it to GROUP BY"),
    ("SELECT id FROM note WHERE count(*) > 1", "HAVING"),
    ("SELECT count(*) FROM note GROUP BY count(*)", "HAVING"),
    ("SELECT id FROM note HAVING version = 1", "HAVING needs GROUP BY"),
    ("SELECT sum(count(*)) FROM note", "of another function"),
    ("SELECT DISTINCT session_id FROM note ORDER BY id", "only by columns of its answer"),
    # What is no text.
    (None, "a query is a text, not NoneType"),
    (b"SELECT id FROM note", "a query is a text, not bytes"),
    (["SELECT id FROM note"], "a query is a text, not list"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_a_hostile_or_mistaken_text_is_refused(
    text: Any,  # noqa: ANN401 (some are no texts)
    says: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`Invalid`, with a sentence that names what is wrong; the parser writes nothing to the log."""
    with caplog.at_level(logging.DEBUG), pytest.raises(Invalid, match=says) as caught:
        prepare(text, {}, space="here", limits=DEFAULT_LIMITS)
    assert "\x1b" not in caught.value.message
    assert [] == caplog.records


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ([("id", "a")], "params must be a dict"),
        ({"di": "a"}, ":id has no value"),
        ({"id": "a", "idd": "b"}, "no parameter :idd: did you mean 'id'"),
        ({"id": ["a"]}, r"IN \(:a, :b\)"),
        ({"id": b"a"}, "not bytes"),
        ({"id": 2**63}, "64 bits"),
        ({"id": float("nan")}, "nan"),
        ({"id": "\ud800"}, "lone surrogate"),
        ({"id": 1}, "one type"),
    ],
)
async def test_a_wrong_parameter_is_refused_by_name(
    records: RecordStore,
    params: Any,  # noqa: ANN401 (some are no dictionaries)
    says: str,
) -> None:
    """Missing, superfluous and unbearable values are `Invalid`, and so is a type that is wrong."""
    with pytest.raises(Invalid, match=says):
        await records.query("SELECT id FROM note WHERE id = :id", params)


async def test_a_refused_query_reads_nothing_and_harms_nothing(notes: RecordStore) -> None:
    """After all of them the store is as it was."""
    before = await notes.list()
    for text, _ in REFUSED:
        with pytest.raises(Invalid):
            await notes.query(text)
    assert before == await notes.list()


VOCABULARY = """
SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT AND OR NOT IN BETWEEN LIKE IS NULL AS DISTINCT
CASE WHEN THEN END UNION JOIN OVER ON INTO id note data num count sum lower x 1 2.5 'a'
. , ( ) [ ] = < > + - * / ' " ; : ? :: || -- /* */ $ @ # ` { } \\ é
"""
WORDS = st.lists(st.sampled_from([*VOCABULARY.split(), "\0", "\n"]), max_size=25).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(text=WORDS.map("SELECT {}".format) | WORDS | st.text(max_size=60))
def test_any_text_is_answered_or_refused(text: str) -> None:
    """Whatever is asked, the answer is a plan or `Invalid`, and nothing else is raised."""
    with contextlib.suppress(Invalid):
        plan = prepare(text, {}, space="here", limits=DEFAULT_LIMITS)
        assert plan.statement.text.startswith("SELECT ")
