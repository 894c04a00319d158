"""Users' values on the screen: nothing breaks, nothing is taken for something else."""

from __future__ import annotations

import json
import math
import os
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ropewalk
from ropewalk.frontends.cli.outline import outline
from ropewalk.frontends.cli.payload import dumps, faithful
from ropewalk.testing.values import VALUES

from .typing_it import in_other_process, typed

LONG = bool(os.environ.get("ROPEWALK_LONG"))


class Color(Enum):
    """Something to choose from."""

    RED = 1


@dataclass
class Trip:
    """Something with fields."""

    to: str
    days: int


class Pair(NamedTuple):
    """Something with names and places."""

    left: int
    right: int


CASES: list[tuple[object, object, str]] = [
    (None, None, "null"),
    (2**70, 2**70, str(2**70)),
    (-0.0, -0.0, "-0.0"),
    (math.nan, {"$float": "nan"}, "!float nan"),
    (-math.inf, {"$float": "-inf"}, "!float -inf"),
    ("", "", '""'),
    ("true", "true", '"true"'),
    ("1.50", "1.50", '"1.50"'),
    ("- a", "- a", '"- a"'),
    ("a: b", "a: b", '"a: b"'),
    ("你好", "你好", "你好"),
    (b"\x00\xff", {"$bytes": "AP8="}, "!bytes AP8="),
    (bytearray(b"a"), {"$bytearray": "YQ=="}, "!bytearray YQ=="),
    (Decimal("1.20"), {"$decimal": "1.20"}, "!decimal 1.20"),
    (Fraction(1, 3), {"$fraction": "1/3"}, "!fraction 1/3"),
    (complex(1, -2), {"$complex": "1-2j"}, "!complex 1-2j"),
    (date(2025, 6, 15), {"$date": "2025-06-15"}, "!date 2025-06-15"),
    (time(9, 30), {"$time": "09:30:00"}, "!time 09:30:00"),
    (timedelta(1, 30, 500), {"$duration": "P1DT30.0005S"}, "!duration P1DT30.0005S"),
    (timedelta(-1), {"$duration": "-P1DT0S"}, "!duration -P1DT0S"),
    (
        datetime(2025, 6, 15, tzinfo=ZoneInfo("Europe/Rome")),
        {"$datetime": "2025-06-15T00:00:00+02:00[Europe/Rome]"},
        "!datetime 2025-06-15T00:00:00+02:00[Europe/Rome]",
    ),
    (datetime(2025, 6, 15, tzinfo=UTC), {"$datetime": "2025-06-15T00:00:00+00:00"}, ""),
    (timezone(timedelta(hours=8)), {"$zone": "UTC+08:00"}, "!zone UTC+08:00"),
    (UUID(int=1), {"$uuid": "00000000-0000-0000-0000-000000000001"}, ""),
    (PurePosixPath("a/b"), {"$path": "a/b"}, "!path a/b"),
    ((1, "a"), {"$tuple": [1, "a"]}, "!tuple\n- 1\n- a"),
    ({3, 1, 2}, {"$set": [1, 2, 3]}, "!set\n- 1\n- 2\n- 3"),
    (frozenset({"b", "a"}), {"$frozenset": ["a", "b"]}, ""),
    (deque([1]), {"$deque": [1]}, "!deque\n- 1"),
    ([], [], "[]"),
    ({}, {}, "{}"),
    ({"a": [{"b": 1}]}, {"a": [{"b": 1}]}, "a:\n  - b: 1"),
    ({1: "one"}, {"$dict": [[1, "one"]]}, "!dict\n1: one"),
    ({"$set": 1}, {"$dict": [["$set", 1]]}, ""),
    (OrderedDict(a=1), {"$ordereddict": [["a", 1]]}, "!ordereddict\na: 1"),
    (Counter(a=2), {"$counter": [["a", 2]]}, ""),
    (defaultdict(list, a=[1]), {"$defaultdict": [["a", [1]]]}, ""),
    (Color.RED, {"$enum": f"{__name__}.Color.RED"}, ""),
    (Trip("Rome", 2), {"$object": f"{__name__}.Trip", "fields": {"to": "Rome", "days": 2}}, ""),
    (Pair(1, 2), {"$object": f"{__name__}.Pair", "fields": {"left": 1, "right": 2}}, ""),
    (
        np.array([[1, 2]], dtype="int16"),
        {
            "$object": "numpy.ndarray",
            "fields": {"dtype": "int16", "shape": [1, 2], "data": [[1, 2]]},
        },
        "",
    ),
    ("one\ntwo", "one\ntwo", "|\n  one\n  two"),
]


# Numbered: what a set looks like differs from process to process.
@pytest.mark.parametrize(("value", "as_json", "shown"), CASES, ids=map(str, range(len(CASES))))
def test_every_type_has_its_form(value: object, as_json: object, shown: str) -> None:
    """JSON has the value itself or a tag; people see the same tag."""
    assert as_json == json.loads(dumps(faithful(value)))
    if shown:
        assert shown == "\n".join(outline(value))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: not isinstance(value, float) or math.isfinite(value))


@given(PLAIN)
@settings(max_examples=600 if LONG else 50)
def test_what_json_can_say_it_says_as_it_is(value: object) -> None:
    """Values of JSON's own types come through unchanged; tags are made only for others."""
    told = dumps(faithful(value))
    if "$" not in told:
        assert value == json.loads(told)


@given(VALUES)
@settings(max_examples=600 if LONG else 60, deadline=None)
def test_everything_that_can_be_kept_can_be_shown(value: object) -> None:
    """Whatever a state may hold is shown: as valid JSON, and in lines without control signs."""
    json.loads(dumps(faithful(value)))
    for line in outline(value):
        assert not any(
            ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in line if letter != "\t"
        )


def test_the_deepest_state_can_be_shown() -> None:
    """255 lists in one another, the most that is kept, do not exhaust the stack."""
    deep: Any = "bottom"
    for _ in range(254):
        deep = [deep]
    assert "bottom" in dumps(faithful(deep))
    assert list(outline(deep))[-1].endswith("bottom")


def test_what_a_model_wrote_cannot_move_the_cursor() -> None:
    """Escapes and signs that turn the direction of writing are written out."""
    [line] = outline("\x1b[2Jwiped \u202eesrever")
    assert "\\u001b[2Jwiped \\u202eesrever" in line or "\\x1b[2Jwiped \\u202eesrever" in line


def test_classes_of_another_program_are_shown_by_their_fields() -> None:
    """A dataclass that a program registered is readable here, where nobody knows its class."""
    code = (
        "import asyncio, dataclasses, ropewalk\n"
        "@ropewalk.register_type(tag='travel.Trip')\n"
        "@dataclasses.dataclass\n"
        "class Trip:\n"
        "    to: str\n"
        "    days: tuple\n"
        "async def main():\n"
        "    async with ropewalk.open('sqlite:///theirs.db') as storage:\n"
        "        await storage.threads.create(id='main')\n"
        "        await storage.checkpoints.save('main', {'trip': Trip('Rome', (1, 2))})\n"
        "asyncio.run(main())\n"
    )
    in_other_process(code)
    url = "sqlite:///theirs.db"
    shown = typed("show", "main", "--state", "-u", url).out
    assert "trip: !travel.Trip\n  to: Rome\n  days: !tuple\n    - 1\n    - 2\n" == shown
    told = typed("show", "main", "--path", "trip", "--json", "-u", url).json["value"]
    assert {"$object": "travel.Trip", "fields": {"to": "Rome", "days": {"$tuple": [1, 2]}}} == told
    assert "Rome\n" == typed("show", "main", "--path", "trip.to", "-u", url).out
    assert ropewalk.__version__
