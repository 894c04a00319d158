"""JSON lines: split at line feeds only, and everything whole is found in what is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.legacy.values import canonical
from ropewalk.domain.source import Problem
from ropewalk.sources import lines as module
from ropewalk.sources.lines import Line, read_lines

from .legacy.writing import line_of, message

FIRST: Final = line_of(message("first", content='{"record_id": "nested"} 长文本🐉'))
SECOND: Final = line_of(message("second"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file to write lines into."""
    return tmp_path / "session_1.jsonl"


def read(file: Path, data: bytes) -> tuple[list[tuple[str, object]], list[tuple[str, str]]]:
    """Return the records with their places, and the problems with their codes."""
    file.write_bytes(data)
    found = list(read_lines(file, "f"))
    records = [(f.place, f.value.get("record_id")) for f in found if isinstance(f, Line)]
    return records, [(f.place, f.code) for f in found if isinstance(f, Problem)]


@pytest.mark.seed("7.1")
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_lines_end_at_line_feeds(file: Path, end: bytes) -> None:
    """Both ends of line will do, blank lines count, and the last line needs no end."""
    found = read(file, end.join([FIRST, b"", b"  ", SECOND]))
    assert ([("f:1", "first"), ("f:4", "second")], []) == found


def test_separators_of_unicode_end_no_line(file: Path) -> None:
    """U+2028, U+2029, U+0085, vertical tab and form feed may stand in a line as they are."""
    content = "a\u2028b\u2029c\u0085d\u000be\u000cf"
    data = b'{"record_id": "x", "content": "' + content.encode() + b'"}'
    file.write_bytes(b"\xef\xbb\xbf" + data.replace(b"\x0b", b"\\u000b").replace(b"\x0c", b"\\f"))
    [line] = read_lines(file, "f")
    assert isinstance(line, Line)
    assert content == line.value["content"]


def test_what_python_wrote_is_read(file: Path) -> None:
    """Bare NaN and infinities, integers of any size, NUL and half a surrogate pair are values."""
    text = '{"a": [NaN, Infinity, -Infinity, 1%s, "\\u0000", "\\ud83d"]}' % ("0" * 4000)
    file.write_text(text)
    [line] = read_lines(file, "f")
    assert isinstance(line, Line)
    expected = b'{"a":[NaN,Infinity,-Infinity,1%b,"\\u0000","\xed\xa0\xbd"]}' % (b"0" * 4000)
    assert expected == canonical(line.value)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (SECOND[:-1], "torn"),
        (SECOND[:60], "torn"),
        (b'{"a": 1', "torn"),
        (b'{"a": 1, }', "not_json"),
        (b"\0\0\0\0", "not_json"),
        (b"[1, 2]", "not_object"),
        (b"null", "not_object"),
        (SECOND.replace(b"hello", b"he\xffo"), "not_utf8"),
        (b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "too_deep"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "number_too_long"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_damage_is_told_by_line_and_stops_nothing(file: Path, data: bytes, code: str) -> None:
    """A line that cannot be read is a problem of its place; those around it are read."""
    found = read(file, FIRST + b"\n" + data + b"\n" + SECOND)
    assert ([("f:1", "first"), ("f:3", "second")], [("f:2", code)]) == found


@pytest.mark.seed("7.1")
@given(cut=st.integers(1, len(FIRST)))
def test_a_record_glued_behind_a_torn_one_is_read(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    """Wherever the first was cut off, in the middle of a character too, the second is whole."""
    file = tmp_path_factory.mktemp("glued") / "f.jsonl"
    records, problems = read(file, FIRST[:cut] + SECOND + b"\n")
    if cut == len(FIRST):
        assert ([("f:1", "first"), ("f:1", "second")], []) == (records, problems)
    else:
        assert ([("f:1", "second")], [("f:1", "torn")]) == (records, problems)


def test_a_nested_object_of_a_torn_record_is_no_record(file: Path) -> None:
    """Of a torn record nothing is taken, even if a part of it is whole."""
    torn = b'{"record_id": "a", "tool_input": {"record_id": "b"}, "tool_out'
    assert ([("f:1", "second")], [("f:1", "torn")]) == read(file, torn + SECOND)


def test_the_excerpt_of_a_problem_can_be_printed(file: Path) -> None:
    """An excerpt holds no control characters and is short, whatever stands in the file."""
    file.write_bytes(b'{"a": "\x1b[31m\xff\xfe' + b"x" * 10_000)
    [problem] = read_lines(file, "f")
    assert isinstance(problem, Problem)
    assert problem.excerpt.isprintable()
    assert 400 == len(problem.excerpt)
    assert problem.excerpt.startswith('{"a": "\\x1b[31m')


def test_a_line_beyond_all_records_is_skipped(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than any record is told, and never held in memory as a whole."""
    monkeypatch.setattr(module, "MAX_ITEM_BYTES", len(FIRST) + 10)
    data = FIRST + b"\n" + b'{"a": "' + b"x" * 3_000_000 + b'"}\n' + SECOND
    found = read(file, data)
    assert ([("f:1", "first"), ("f:3", "second")], [("f:2", "too_big")]) == found


def test_a_file_that_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    """A file that is gone, or is none, is a problem of its first line."""
    for path in (tmp_path / "gone.jsonl", tmp_path):
        [problem] = read_lines(path, "f")
        assert isinstance(problem, Problem)
        assert ("unreadable", "f:1") == (problem.code, problem.place)
