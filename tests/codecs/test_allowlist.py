"""Only registered classes are written and made, under the tags they were given."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from ropewalk.codecs.allowlist import TYPES, Opaque, TypeRegistry, register_type
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.testing.values import same


class Celsius:
    """A class that says nothing of what it consists of."""

    def __init__(self, degrees: float) -> None:
        """Keep the degrees."""
        self.degrees = degrees

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Celsius) and other.degrees == self.degrees

    def __hash__(self) -> int:
        return hash(self.degrees)


@dataclass(frozen=True)
class Point:
    """A place."""

    x: int
    y: int


class Light(Enum):
    """A state."""

    RED = "r"


def celsius(types: TypeRegistry) -> None:
    """Register the class that needs two functions."""
    types.register(Celsius, tag="celsius", to_plain=lambda value: value.degrees, from_plain=Celsius)


def test_a_registered_class_comes_back() -> None:
    """Classes are kept anywhere, also as keys, inside sets and inside one another."""
    types = TypeRegistry()
    celsius(types)
    types.register(Point)
    pack = MsgPack(types)
    value = [Celsius(1.5), {Point(1, 2): {Celsius(2.0)}}, (Point(3, 4),)]
    assert value == pack.loads(pack.dumps(value))


def test_a_registry_knows_only_what_it_was_told() -> None:
    """Another registry refuses the class, and reads its values without making them."""
    types = TypeRegistry()
    celsius(types)
    data = MsgPack(types).dumps([Celsius(1.5)])
    other = MsgPack(TypeRegistry())
    with pytest.raises(Invalid, match="register_type"):
        other.dumps([Celsius(1.5)])
    (kept,) = other.loads(data)
    assert Opaque("celsius", MsgPack().dumps(1.5)) == kept
    assert data == other.dumps([kept])
    assert [Celsius(1.5)] == MsgPack(types).loads(other.dumps([kept]))


def test_what_is_unknown_survives_wherever_it_lies() -> None:
    """Unknown types as keys, in sets, and around other unknown types are kept byte for byte."""
    types = TypeRegistry()
    celsius(types)
    types.register(Point)
    value = {Point(1, 2): [Celsius(0.0), (Celsius(1.0), {Point(5, 6)})]}
    data = MsgPack(types).dumps(value)
    stranger = MsgPack(TypeRegistry())
    assert data == stranger.dumps(stranger.loads(data))


def test_a_child_knows_what_its_parent_knows() -> None:
    """A registry of one pipeline adds to that of the process, and does not change it."""
    parent = TypeRegistry()
    celsius(parent)
    child = TypeRegistry(parent)
    child.register(Point)
    pack = MsgPack(child)
    assert [Celsius(1.0), Point(1, 2)] == pack.loads(pack.dumps([Celsius(1.0), Point(1, 2)]))
    assert parent.shape(Point) is None
    parent.register(Light)
    assert Light.RED is pack.loads(pack.dumps(Light.RED))


def test_register_is_a_decorator_with_and_without_arguments() -> None:
    """The class stays what it was."""
    types = TypeRegistry()

    @types.register
    @dataclass
    class Plain:
        """A class with the default tag."""

        a: int

    @types.register(tag="named")
    @dataclass
    class Named:
        """A class with a tag."""

        a: int

    pack = MsgPack(types)
    assert [Plain(1), Named(2)] == pack.loads(pack.dumps([Plain(1), Named(2)]))
    tags = [shape.tag for cls in (Plain, Named) if (shape := types.shape(cls))]
    assert [f"{__name__}.{Plain.__qualname__}", "named"] == tags


def test_the_process_has_one_registry() -> None:
    """`register_type` allows a class to every store of the process."""

    @register_type(tag="tests.allowlist.Local")
    @dataclass
    class Local:
        """A class of this test."""

        a: int

    assert [Local(1)] == MsgPack().loads(MsgPack().dumps([Local(1)]))
    assert TYPES.shape(Local) is not None


def test_a_class_that_moved_is_found_by_its_former_tag() -> None:
    """Data under an old tag opens as the present class, and is written under the new tag."""
    old, new = TypeRegistry(), TypeRegistry()
    old.register(Point, tag="app.geometry.Point")
    new.register(Point, tag="point", former={"app.geometry.Point": None})
    data = MsgPack(old).dumps(Point(1, 2))
    assert Point(1, 2) == MsgPack(new).loads(data)
    assert b"point" in MsgPack(new).dumps(MsgPack(new).loads(data))


def test_a_former_shape_has_a_way_of_its_own() -> None:
    """Data of a former shape is brought up to date while it is read."""
    types = TypeRegistry()
    types.register(
        Point, tag="point.2", former={"point.1": lambda plain: Point(plain[0], plain[1])}
    )
    old = TypeRegistry()
    old.register(Point, tag="point.1", to_plain=lambda point: [point.x, point.y], from_plain=list)
    assert Point(1, 2) == MsgPack(types).loads(MsgPack(old).dumps(Point(1, 2)))


def test_registering_twice_changes_nothing() -> None:
    """A module that is imported again may register its classes again."""
    types = TypeRegistry()
    for _ in range(2):
        types.register(Point, tag="point")
    assert Point(1, 2) == MsgPack(types).loads(MsgPack(types).dumps(Point(1, 2)))


def test_a_class_that_is_defined_again_takes_its_place() -> None:
    """A notebook cell that runs twice does not run into itself."""
    types = TypeRegistry()

    def define() -> type[Any]:
        @types.register
        @dataclass
        class Cell:
            """A class of a cell."""

            a: int

        return Cell

    first, second = define(), define()
    data = MsgPack(types).dumps(second(1))
    assert isinstance(MsgPack(types).loads(data), second)
    with pytest.raises(Invalid, match="not registered"):
        MsgPack(types).dumps(first(1))


def test_a_tag_has_one_owner() -> None:
    """A tag that another class has is refused, and nothing is changed by the attempt."""
    types = TypeRegistry()
    types.register(Point, tag="point")
    with pytest.raises(Invalid, match=r"belongs to .*Point already") as caught:
        types.register(Light, tag="light", former={"point": None})
    assert "tag_taken" == caught.value.code
    assert types.shape(Light) is None
    assert types.reader("light") is None
    types.register(Light, tag="light")
    assert Light.RED is MsgPack(types).loads(MsgPack(types).dumps(Light.RED))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"cls": Celsius}, "register it with to_plain and from_plain"),
        ({"cls": Celsius, "to_plain": str}, "or with neither"),
        ({"cls": Celsius, "from_plain": str}, "or with neither"),
        ({"cls": Point, "tag": ""}, "1 to 255 bytes, not 0"),
        ({"cls": Point, "tag": "\u00e9" * 128}, "1 to 255 bytes, not 256"),
        ({"cls": Point, "tag": "\ud800"}, "lone surrogate"),
        ({"cls": Point, "former": {"": None}}, "1 to 255 bytes, not 0"),
        ({"cls": dict, "to_plain": str, "from_plain": str}, "is kept as it is"),
        ({"cls": OrderedDict, "to_plain": str, "from_plain": str}, "is kept as it is"),
    ],
)
def test_a_wrong_registration_is_refused(arguments: dict[str, Any], words: str) -> None:
    """Each mistake is told in a sentence."""
    types = TypeRegistry()
    cls = arguments.pop("cls")
    with pytest.raises(Invalid, match=words):
        types.register(cls, **arguments)
    assert types.shape(cls) is None


def test_a_class_that_fails_to_become_plain_is_refused_by_its_path() -> None:
    """The error of `to_plain` is the cause, and the place is named."""
    types = TypeRegistry()

    def broken(value: Celsius) -> float:
        message = f"no {value.degrees}"
        raise LookupError(message)

    types.register(Celsius, to_plain=broken, from_plain=Celsius)
    with pytest.raises(Invalid, match=r"a\[0\] holds a Celsius .* LookupError: no 1\.5") as caught:
        MsgPack(types).dumps({"a": [Celsius(1.5)]})
    assert "to_plain_failed" == caught.value.code
    assert isinstance(caught.value.__cause__, LookupError)


def test_a_plain_form_may_not_hold_what_is_not_kept() -> None:
    """What `to_plain` returns is walked through like everything else, and named by its place."""
    types = TypeRegistry()
    types.register(
        Celsius, to_plain=lambda value: {"inner": [value.degrees, Light.RED]}, from_plain=Celsius
    )
    with pytest.raises(Invalid, match=r"^a\.inner\[1\] holds a Light"):
        MsgPack(types).dumps({"a": Celsius(1.0)})


def test_a_class_that_becomes_itself_is_refused() -> None:
    """A `to_plain` that never becomes plain ends in an error."""
    types = TypeRegistry()
    types.register(Celsius, to_plain=lambda value: value, from_plain=Celsius)
    with pytest.raises(Invalid, match="cannot hold itself"):
        MsgPack(types).dumps(Celsius(1.0))


def test_a_value_that_cannot_be_made_again_is_no_damage() -> None:
    """The error names the tag, has the cause, and says what to do."""
    old, new = TypeRegistry(), TypeRegistry()
    celsius(old)
    new.register(Celsius, tag="celsius", to_plain=str, from_plain=lambda plain: plain["degrees"])
    with pytest.raises(Invalid, match="a stored 'celsius' cannot be made again") as caught:
        MsgPack(new).loads(MsgPack(old).dumps([(Celsius(1.0),)]))
    assert ("rebuild_failed", {"tag": "celsius"}) == (caught.value.code, caught.value.facts)
    assert isinstance(caught.value.__cause__, TypeError)


def test_a_subclass_is_another_class() -> None:
    """Registering a class does not allow its subclasses, whose fields would be lost."""
    types = TypeRegistry()
    types.register(Point)

    @dataclass(frozen=True)
    class Point3(Point):
        """A place with a height."""

        z: int

    with pytest.raises(Invalid, match=r"register_type\(.*Point3\)"):
        MsgPack(types).dumps(Point3(1, 2, 3))


def test_opaque_values_have_tags_that_can_be_written() -> None:
    """An opaque value with an impossible tag is refused when it is made."""
    with pytest.raises(Invalid, match="255 bytes"):
        Opaque("x" * 256, b"")
    assert same(Opaque("x", b"\xc0"), MsgPack().loads(MsgPack().dumps(Opaque("x", b"\xc0"))))
