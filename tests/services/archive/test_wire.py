"""What archives write of MessagePack leads back to the same bytes, whatever they are."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Corrupt
from ropewalk.services.archive.wire import packed, shown
from ropewalk.testing.values import VALUES

pytestmark = pytest.mark.seed("7.3")


@given(st.binary(max_size=200))
def test_any_bytes_come_back(data: bytes) -> None:
    """Bytes that are no MessagePack, or not the shortest form of it, are kept as bytes."""
    line = json.dumps(shown(data), allow_nan=False)
    assert data == packed(json.loads(line))


@settings(max_examples=50)
@given(VALUES)
def test_any_value_comes_back(value: object) -> None:
    """Every value that a store keeps comes back byte for byte, through text of JSON."""
    data = MsgPack().dumps(value)
    line = json.dumps(shown(data), allow_nan=False, ensure_ascii=False)
    assert data == packed(json.loads(line))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"role": "user", "n": 3}, {"role": "user", "n": 3}),
        (1.0, 1.0),
        (2**60, {"$int": str(2**60)}),
        (float("inf"), {"$float": struct.pack(">d", float("inf")).hex()}),
        (b"xx", {"$bytes": "eHg="}),
        ({"$bytes": 1}, {"$map": [["$bytes", 1]]}),
        ((1, 2), {"$ext": 32, "value": [1, 2]}),
    ],
)
def test_forms_are_plain(value: object, expected: object) -> None:
    """What JSON has a form for stands there as it is; the rest says what it is."""
    assert expected == shown(MsgPack().dumps(value))


@pytest.mark.parametrize(
    "line",
    [
        {"$int": "one"},
        {"$bytes": "?"},
        {"$strange": 1},
        {"$bytes": "eHg=", "more": 1},
        {"$map": [1]},
        {"$float": "00"},
        {"$msgpack": 3},
    ],
)
def test_what_no_archive_has_is_refused(line: object) -> None:
    """A `$` object of another form is damage, and no value."""
    with pytest.raises(Corrupt):
        packed(line)
