"""A record's file is for people first, and says exactly what the record is."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.backends.file.commits import Outcome, Row, dump_row, load_row
from ropewalk.backends.file.format import SEPARATOR, dump_header, is_as_written, load_header
from ropewalk.backends.file.text import Damage, dump, dump_lines, load
from ropewalk.domain.limits import MAX_INT64, MIN_INT64
from ropewalk.domain.record import Key, Record

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
INT64 = st.integers(MIN_INT64, MAX_INT64)
LABEL = (
    TEXT | st.just("") | INT64 | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)

RECORD = Record(
    key=Key("default", "message", "m-1"),
    version=3,
    created_at=1_750_000_000_000_000,
    updated_at=1_750_000_000_000_001,
    session_id="s",
    labels={"zeta": 1, "role": "user", "cost": 0.5, "ok": True, "title": "Zürich → 東京"},
    seal="msgpack|crc32",
    expires_at=1_900_000_000_000_000,
)

GOLDEN = """\
{
  "space": "default",
  "kind": "message",
  "id": "m-1",
  "version": 3,
  "created_at": "2025-06-15T15:06:40.000000Z",
  "updated_at": "2025-06-15T15:06:40.000001Z",
  "expires_at": "2030-03-17T17:46:40.000000Z",
  "session_id": "s",
  "labels": {
    "cost": 0.5,
    "ok": true,
    "role": "user",
    "title": "Zürich → 東京",
    "zeta": 1
  },
  "seal": "msgpack|crc32",
  "size": 4,
  "check": "85dfb303"
}
---
"""


def test_a_header_is_as_it_ever_was() -> None:
    """The bytes of a header are part of the format: fields in order, labels sorted."""
    assert GOLDEN.encode() == dump_header(RECORD, b"body")


def test_a_header_that_was_written_can_be_read() -> None:
    """Reading the golden header gives the record again, and where its body is."""
    data = GOLDEN.encode()
    header = load_header(data)
    assert (RECORD, 4, len(data)) == (header.record, header.size, header.offset)


@given(
    key=st.builds(Key, TEXT, TEXT, TEXT),
    labels=st.dictionaries(TEXT, LABEL, max_size=5),
    times=st.tuples(INT64, INT64, st.none() | INT64),
    parents=st.tuples(st.none() | TEXT, st.none() | TEXT),
    version=st.integers(1, MAX_INT64),
    seal=st.text(st.characters(), max_size=10),
)
def test_every_record_comes_back(
    *,
    key: Key,
    labels: dict[str, str | int | float | bool],
    times: tuple[int, int, int | None],
    parents: tuple[str | None, str | None],
    version: int,
    seal: str,
) -> None:
    """Any record is the same after writing and reading, label types and far times included."""
    record = Record(
        key=key,
        version=version,
        created_at=times[0],
        updated_at=times[1],
        expires_at=times[2],
        session_id=parents[0],
        thread_id=parents[1],
        labels=labels,
        seal=seal,
    )
    data = dump_header(record, b"7 bytes")
    again = load_header(data).record
    assert record == again
    assert [type(value) for _, value in sorted(labels.items())] == [
        type(value) for _, value in sorted(again.labels.items())
    ]
    assert data.index(SEPARATOR) == len(data) - len(SEPARATOR)
    assert dump_header(again, b"7 bytes") == data


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"version": 3', '"version": 0', "version"),
        ('"version": 3', '"version": "3"', "version"),
        ('"version": 3', '"version": true', "version"),
        ('"size": 4', '"size": -1', "size"),
        ('"size": 4', '"size": 4, "comment": "mine"', "comment"),
        (',\n  "size": 4', "", "size"),
        ('"2025-06-15T15:06:40.000000Z"', '"yesterday"', "created_at"),
        ('"2025-06-15T15:06:40.000000Z"', '"2025-06-15T15:06:40"', "created_at"),
        ('"cost": 0.5', '"cost": NaN', "cost"),
        ('"cost": 0.5', '"cost": [0.5]', "cost"),
        ('"id": "m-1"', '"id": ""', "id"),
        ('"id": "m-1"', '"id": "\\ud800"', "id"),
        ('"session_id": "s"', '"session_id": 7', "session_id"),
        ('  "seal"', "<<<<<<< HEAD", "JSON"),
    ],
)
def test_a_wrong_header_is_refused(old: str, new: str, reason: str) -> None:
    """A header that this store would not write is damage, and the reason names the field."""
    assert old in GOLDEN
    with pytest.raises(Damage, match=reason):
        load_header(GOLDEN.replace(old, new, 1).encode())


def test_text_that_plays_tricks_is_shown_as_an_escape() -> None:
    """Control and direction characters are written as escapes: what people see is what is there."""
    trick = "a\x9b31m\u202eb\u2028\x7f"
    data = dump(trick)
    assert data == b'"a\\u009b31m\\u202eb\\u2028\\u007f"'
    assert json.loads(data) == trick


def test_lines_are_json_all_the_same() -> None:
    """The form with a line for each field is the same value."""
    value: dict[str, object] = {"a": {"b": {"c": []}, "d": {}}, "e": [1, {"f": None}]}
    assert load(dump_lines(value)) == value
    assert dump_lines(value).count(b"\n") == 8


def test_a_commit_is_as_it_ever_was() -> None:
    """The line of a commit is part of the format."""
    row = Row(7, 1_750_000_000_000_000, "b", "me", (Outcome(Key("s", "k", "ö"), 2, 1),))
    line = (
        '{"seq":7,"at":"2025-06-15T15:06:40.000000Z","batch":"b","actor":"me",'
        '"changes":[{"key":["s","k","ö"],"version":2,"previous":1}],"check":"a966da2a"}\n'
    )
    assert line.encode() == dump_row(row)
    assert row == load_row(line.encode())


def test_lines_of_older_programs_are_read() -> None:
    """A header and a commit without a check are what they say, and nobody calls them damaged."""
    old = re.sub(r',\n  "check": "\w+"', "", GOLDEN).encode()
    assert RECORD == load_header(old).record
    assert is_as_written(old, RECORD)
    row = Row(7, 1_750_000_000_000_000, "b", "me", (Outcome(Key("s", "k", "ö"), 2, 1),))
    line = re.sub(rb',"check":"\w+"', b"", dump_row(row))
    assert b"check" not in line
    assert row == load_row(line)


def test_a_flipped_bit_in_a_header_is_known() -> None:
    """Whatever bit of a header is another: it cannot be read, or it is not as it was written."""
    data = GOLDEN.encode()
    record = replace(RECORD, body=b"body")
    assert is_as_written(data, record)
    for bit in range(8 * len(data)):
        after = bytearray(data)
        after[bit // 8] ^= 1 << bit % 8
        try:
            header = load_header(bytes(after))
        except Damage:
            continue
        assert not is_as_written(bytes(after), replace(header.record, body=b"body")), bit


def test_a_body_without_a_seal_is_part_of_the_check() -> None:
    """What no codec has given a checksum has that of its file."""
    bare = replace(RECORD, seal="", body=b"body")
    data = dump_header(bare, b"body")
    assert is_as_written(data, bare)
    assert not is_as_written(data, replace(bare, body=b"bodx"))


def test_a_flipped_bit_in_a_commit_is_refused() -> None:
    """Whatever bit of a line is another, the line is damaged."""
    row = Row(7, 1_750_000_000_000_000, "b", "me", (Outcome(Key("s", "k", "ö"), 2, 1),))
    line = dump_row(row).removesuffix(b"\n")
    for bit in range(8 * len(line)):
        after = bytearray(line)
        after[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damage):
            load_row(bytes(after))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"seq":1}',
        b'{"seq":"1","at":1,"changes":[]}',
        b'{"seq":1,"at":1,"changes":[7]}',
        b'{"seq":1,"at":1,"changes":[{"key":["a","b"],"version":1,"previous":0}]}',
        b'{"seq":1,"at":1,"changes":[{"key":["a","b",""],"version":1,"previous":0}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_wrong_commit_is_refused(line: bytes) -> None:
    """A line that this store would not write is damage, however wrong it is."""
    with pytest.raises(Damage):
        load_row(line)
