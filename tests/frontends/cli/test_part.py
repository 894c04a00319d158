"""Parts of states by their paths, also inside objects that only their program knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import ropewalk
from ropewalk.domain.errors import NotFound
from ropewalk.frontends.cli.part import part_of, within

from .typing_it import in_other_process, typed

PROGRAM = """
import asyncio, dataclasses, ropewalk

@ropewalk.register_type(tag="travel.Leg")
@dataclasses.dataclass
class Leg:
    data: list
    note: str

@ropewalk.register_type(tag="travel.Trip")
@dataclasses.dataclass
class Trip:
    to: str
    legs: list
    by_day: dict

async def main():
    legs = [Leg([1, 2, 3], "to the sea"), Leg([], "home")]
    async with ropewalk.open("URL") as storage:
        await storage.threads.create(id="main")
        await storage.checkpoints.save("main", {"trips": [Trip("Rome", legs, {"1": "rest"})]})
        await storage.threads.create(id="whole")
        await storage.checkpoints.save("whole", legs[0])
        legs[1] = Leg([4, 5], "home again")
        by_day = {"1": "swim", "2.5": "home"}
        await storage.checkpoints.save("main", {"trips": [Trip("Bari", legs, by_day)]})

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the URL of a store that a program with classes of its own wrote."""
    url = f"sqlite:///{tmp_path_factory.mktemp('theirs') / 'theirs.db'}"
    in_other_process(PROGRAM.replace("URL", url))
    return url


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("trips.0.to", "Bari\n"),
        ("trips[0].legs[-1].note", "home again\n"),
        ("trips[0].legs.0.note[:6]", "to the\n"),
        ("trips[0].legs[0].data[1:]", "- 2\n- 3\n"),
        ("trips[0].legs[0].data", "- 1\n- 2\n- 3\n"),
        ("trips[0].by_day.1", "swim\n"),
        ('trips[0].by_day["2.5"]', "home\n"),
    ],
)
def test_a_path_leads_into_objects_of_another_program(theirs: str, path: str, shown: str) -> None:
    """By the names of their fields, whatever these are called, and on inside them."""
    answer = typed("show", "main", "--path", path, "-u", theirs)
    assert (0, shown) == (answer.code, answer.out)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("trips[0].tag", "no tag in trips[0]: there are to, legs, by_day"),
        ("trips[0].legs[7]", "no [7] in trips[0].legs: there are 2 items, from 0"),
        ("trips[0].legs[1].data.2", "no 2 in trips[0].legs[1].data: there are 2 items"),
        ("trips[0].to.x", "no x in trips[0].to: it has no parts"),
        ("trips[0].by_day[0:1]", "no [0:1] in trips[0].by_day: there are 1, 2.5"),
        ("trips[4].to", "no [4] in trips: there are 1 items, from 0"),
    ],
)
def test_what_is_not_in_such_an_object_is_said(theirs: str, path: str, said: str) -> None:
    """With what there is, and 4."""
    answer = typed("show", "main", "--path", path, "--json", "-u", theirs)
    assert 4 == answer.code
    assert said in answer.error["message"]
    assert path == answer.error["facts"]["path"]


def test_a_state_may_be_such_an_object(theirs: str) -> None:
    """Its path begins with a field."""
    assert "to the sea\n" == typed("show", "whole", "--path", "note", "-u", theirs).out
    answer = typed("show", "whole", "--path", "notes", "-u", theirs)
    assert 4 == answer.code
    assert "no notes in the state: there are data, note" in answer.err


def test_differences_are_told_field_by_field(theirs: str) -> None:
    """Where an object of theirs changed, the line says which of its fields."""
    assert [
        "trips[0].to Rome → Bari",
        "trips[0].legs[1].data [] → [2 items]",
        "trips[0].legs[1].note home → home again",
        "trips[0].by_day.1 rest → swim",
        'trips[0].by_day["2.5"] added: home',
    ] == typed("diff", "main", "-u", theirs).lines
    [told] = typed("diff", "main", "--json", "-u", theirs).json["differences"]
    assert "Rome" == told["old"]["fields"]["to"]


@dataclass
class Many:
    """Something with very many names in it."""

    names: dict[str, int]


def test_only_some_of_many_keys_are_named() -> None:
    """The error stays short."""
    value: Any = {f"k{n}": n for n in range(40)}
    with pytest.raises(NotFound, match=r"k0, k1, .*k11 and 28 more$"):
        within(Many(value), ["names", "k40"], "it")


async def test_only_what_is_on_the_way_is_asked_for(tmp_path: Path) -> None:
    """A part is read through `get_path`; the state is never opened whole."""
    async with ropewalk.open(f"sqlite:///{tmp_path / 'own.db'}") as storage:
        await storage.threads.create(id="main")
        saved = await storage.checkpoints.save("main", {"list": list(range(20_000))})
        with pytest.MonkeyPatch.context() as patch:
            patch.delattr(type(storage.checkpoints), "load")
            assert 7 == await part_of(storage, saved.id, "list[7]")
            assert [19_999] == await part_of(storage, saved.id, "list[-1:]")
            with pytest.raises(NotFound, match="20000 items"):
                await part_of(storage, saved.id, "list[20000]")
