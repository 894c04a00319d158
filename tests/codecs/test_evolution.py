"""Classes change their fields while their objects are stored: what fits is kept, the rest told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, Field, PrivateAttr

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.testing.values import Value


def _evolve(old: type[Any], new: type[Any], value: Value) -> Value:
    before, after = TypeRegistry(), TypeRegistry()
    before.register(old, tag="thing")
    after.register(new, tag="thing")
    return MsgPack(after).loads(MsgPack(before).dumps(value))


def test_new_fields_take_their_defaults() -> None:
    """A class that has got fields since opens its older objects."""

    @dataclass
    class Data:
        """Before."""

        a: int

    @dataclass
    class MoreData:
        """After."""

        a: int
        b: int = 2
        c: list[int] = field(default_factory=lambda: [3])

    class Model(BaseModel):
        """Before."""

        a: int

    class MoreModel(BaseModel):
        """After."""

        a: int
        b: int = 2
        c: list[int] = Field(default_factory=lambda: [3])
        _d: int = PrivateAttr(default=4)

    class Row(NamedTuple):
        """Before."""

        a: int

    class MoreRow(NamedTuple):
        """After."""

        a: int
        b: int = 2

    assert MoreData(1) == _evolve(Data, MoreData, Data(1))
    model = _evolve(Model, MoreModel, Model(a=1))
    assert MoreModel(a=1) == model
    assert 4 == model._d  # noqa: SLF001
    assert MoreRow(1) == _evolve(Row, MoreRow, Row(1))


@pytest.mark.parametrize("names", [("a", "b"), ("b",), ()], ids=["gone", "renamed", "required"])
def test_fields_that_do_not_fit_are_told(names: tuple[str, ...]) -> None:
    """A field that is gone, and a new one without a default, are errors, not silent losses."""

    @dataclass
    class Data:
        """After."""

        a: int

    class Model(BaseModel):
        """After."""

        a: int

    class Row(NamedTuple):
        """After."""

        a: int

    forms: list[tuple[type[Any], Value]] = [
        (Data, dict.fromkeys(names, 1)),
        (Row, dict.fromkeys(names, 1)),
        (Model, {"fields": dict.fromkeys(names, 1), "set": []}),
    ]
    for cls, plain in forms:
        old, new = TypeRegistry(), TypeRegistry()
        old.register(Stored, tag="thing", to_plain=lambda stored: stored.plain, from_plain=Stored)
        new.register(cls, tag="thing")
        with pytest.raises(Invalid, match="a stored 'thing' cannot be made again") as caught:
            MsgPack(new).loads(MsgPack(old).dumps(Stored(plain)))
        assert "rebuild_failed" == caught.value.code


class Stored:
    """A class that stands for an older form."""

    def __init__(self, plain: object) -> None:
        """Keep what was read."""
        self.plain = plain


def test_members_are_kept_by_name() -> None:
    """A member whose value has changed since is still that member."""

    class Old(Enum):
        """Before."""

        A = 1

    class New(Enum):
        """After."""

        A = "one"

    old, new = TypeRegistry(), TypeRegistry()
    old.register(Old, tag="state")
    new.register(New, tag="state")
    assert New.A is MsgPack(new).loads(MsgPack(old).dumps(Old.A))
