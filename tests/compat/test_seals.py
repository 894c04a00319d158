"""Bodies that were sealed by every version so far: they must open, for ever.

`seals.json` is only ever added to: `python tools/freeze_seals.py` writes a sample for each new
name in `SAMPLES` and each new row of `STEPS`, and leaves the others alone.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from pydantic import BaseModel

from ropewalk.codecs.allowlist import Opaque, TypeRegistry
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.record import Key, Record
from ropewalk.testing.values import same

PLACE: Final = Path(__file__).with_name("seals.json")


class Color(Enum):
    """Members."""

    RED = "r"


class Level(IntEnum):
    """Numbers with names."""

    LOW = 1


class Pair(NamedTuple):
    """A tuple with names."""

    left: object
    right: object


@dataclass(frozen=True)
class Point:
    """A place."""

    x: object
    y: object = None


class User(BaseModel):
    """A model."""

    name: str
    tags: set[str] = set()
    _visits: int = 3


class Celsius:
    """A class with functions of its own."""

    def __init__(self, degrees: float) -> None:
        """Keep the degrees."""
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Celsius) and self.degrees == other.degrees

    def __hash__(self) -> int:
        return hash(self.degrees)


TYPES: Final = TypeRegistry()
TYPES.register(Color, tag="color")
TYPES.register(Level, tag="level")
TYPES.register(Pair, tag="pair")
TYPES.register(Point, tag="point")
TYPES.register(User, tag="user")
TYPES.register(Celsius, tag="celsius", to_plain=lambda value: value.degrees, from_plain=Celsius)

STEPS: Final[dict[str, tuple[str, ...]]] = {
    "msgpack": (),
    "msgpack|crc32": ("crc32",),
    "msgpack|zstd": ("zstd",),
    "msgpack|zstd|crc32": ("zstd", "crc32"),
}

ROME: Final = ZoneInfo("Europe/Rome")

SAMPLES: Final[dict[str, Any]] = {
    "plain": {"a": [1, -1, 1.5, None, True, False, "\u4e2d", b"\0\xff"], "b": {"c": {}}, "": []},
    "numbers": [0, 127, 128, 2**32, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 2**200],
    "floats": [0.0, -0.0, 1e300, float("inf"), float("nan"), complex(1, -0.0)],
    "texts": ["", "\0", "\ud800", "x" * 40, "x" * 300],
    "bytes": [b"", b"x" * 300, bytearray(b"x")],
    "exact": [Decimal("1.10"), Decimal("-Infinity"), Fraction(2, 3), UUID(int=7)],
    "times": [
        datetime(2026, 10, 25, 2, 30, 0, 5, tzinfo=ROME, fold=1),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8))),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8), "CST")),
        date(2026, 1, 1),
        time(1, 2, 3, 4),
        time(1, tzinfo=UTC),
        timedelta(days=-1, microseconds=1),
        UTC,
        ROME,
    ],
    "containers": [
        (1, (2,)),
        {1, "a"},
        frozenset({(1, 2)}),
        {2: "a", None: "b", (1, 2): "c", True: "d"},
        deque([1, 2], maxlen=5),
        deque(),
        OrderedDict(b=1, a=2),
        Counter(b=2, a=1),
        defaultdict(list, {"a": [1]}),
        defaultdict(None, {"a": 1}),
    ],
    "paths": [PurePosixPath("/a/b"), PureWindowsPath("C:\\a"), Path("relative/path")],
    "arrays": [
        np.arange(6).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["2026-01-01"], dtype="M8[D]"),
        np.array(["a", "bc"]),
        np.float32(1.5),
        np.str_("x\0"),
    ],
    "classes": [
        Color.RED,
        Level.LOW,
        Pair(1, (2,)),
        Point(Point(1, 2), [Color.RED]),
        User(name="Ada", tags={"a", "b"}),
        Celsius(36.6),
    ],
    "opaque": [Opaque("nobody knows", b"\x81\xa1a\x01")],
    "agent": {
        "messages": [
            {"role": "user", "content": "find me a train " * 100, "n": n} for n in range(9)
        ],
        "seen": {datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1)},
        "plan": deque([("search", {"to": "Rome"})]),
    },
}


def key_of(name: str) -> Key:
    """Return the key that a sample is sealed for."""
    return Key("compat", "sample", name)


def _frozen() -> dict[str, dict[str, str]]:
    frozen: dict[str, dict[str, str]] = json.loads(PLACE.read_text("utf-8"))
    return frozen


@pytest.mark.seed("7.2")
@pytest.mark.parametrize("name", sorted(_frozen()))
async def test_a_body_of_the_past_opens(name: str) -> None:
    """What any version sealed, this version opens as the same value."""
    entry = _frozen()[name]
    record = Record(
        key=key_of(name),
        version=1,
        created_at=0,
        updated_at=0,
        body=base64.b64decode(entry["body"]),
        seal=entry["seal"],
    )
    opened = await make_pipeline(types=TYPES).unseal(record)
    assert same(SAMPLES[name.partition(" ")[0]], opened)


def test_every_sample_is_frozen() -> None:
    """A new sample, and a new row of steps, is frozen before it is released."""
    expected = {f"{name} {steps}" for name in SAMPLES for steps in STEPS}
    assert expected <= _frozen().keys()


def test_every_row_of_steps_occurs() -> None:
    """Bodies that were and that were not worth compressing are both among the samples."""
    assert set(STEPS) == {entry["seal"] for entry in _frozen().values()}
