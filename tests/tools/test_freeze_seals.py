"""The tool that freezes seals adds what is new, and never touches what is there."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Final

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.domain.record import Key

FREEZE: Final = runpy.run_path(
    str(Path(__file__).parent.parent.parent / "tools" / "freeze_seals.py")
)["freeze"]


def house(**samples: object) -> dict[str, object]:
    """Return what the tool reads from the test of the frozen seals."""
    return {
        "STEPS": {"msgpack": (), "msgpack|crc32": ("crc32",)},
        "TYPES": TypeRegistry(),
        "SAMPLES": samples,
        "key_of": _key_of,
    }


def _key_of(name: str) -> Key:
    return Key("compat", "sample", name)


async def test_new_samples_are_added_for_every_row_of_steps() -> None:
    """Each sample is sealed once for each row, under a key of its own."""
    frozen: dict[str, dict[str, str]] = {}
    assert 2 == await FREEZE(house(one=1), frozen)
    assert {"one msgpack", "one msgpack|crc32"} == frozen.keys()
    assert {"seal": "msgpack", "body": "AQ=="} == frozen["one msgpack"]


async def test_what_is_frozen_stays() -> None:
    """A sample that is there is left alone, even where it would be sealed otherwise today."""
    old = {"seal": "msgpack", "body": "written long ago"}
    frozen = {"one msgpack": old}
    assert 3 == await FREEZE(house(one=1, two=2), frozen)
    assert old is frozen["one msgpack"]
    assert 4 == len(frozen)
    assert 0 == await FREEZE(house(one=1, two=2), frozen)
