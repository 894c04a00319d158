"""Enums, named tuples, dataclasses and models come back field by field, without their code run."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto
from functools import cached_property
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, RootModel, SecretStr

from ropewalk.codecs.allowlist import TypeRegistry
from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.errors import Invalid
from ropewalk.testing.values import Value, same

T = TypeVar("T")


class Color(Enum):
    """Members whose values are anything."""

    RED = object()
    ALSO_RED = RED
    TUPLE = (1, "x")


class Level(IntEnum):
    """Members that are numbers."""

    LOW = 1


class Role(StrEnum):
    """Members that are texts."""

    USER = "user"


class Mode(Flag):
    """Members that combine."""

    READ = auto()
    WRITE = auto()


class Bits(IntFlag):
    """Members that combine, with numbers that have no name."""

    ONE = 1
    TWO = 2


class Pair(NamedTuple):
    """A tuple with names."""

    left: Value
    right: Any = 2


class Counted(Pair):
    """A named tuple whose making is counted."""

    made: ClassVar[int] = 0

    def __new__(cls, *args: object) -> Self:
        """Count."""
        cls.made += 1
        return super().__new__(cls, *args)


@dataclass
class Plain:
    """A mutable class with every sort of field."""

    a: int
    seed: InitVar[int] = 3
    b: list[int] = field(default_factory=list[int])
    c: int = field(init=False)
    shared: ClassVar[int] = 9

    def __post_init__(self, seed: int) -> None:
        """Compute a field, which must not be computed again."""
        self.c = seed * self.a

    @cached_property
    def double(self) -> int:
        """Return what can be computed again at any time."""
        return self.a * 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """An immutable class without a dictionary."""

    at: datetime
    inner: Pair | None = None


@dataclass
class Box(Generic[T]):
    """A generic class."""

    content: T


class Address(BaseModel):
    """A model inside a model."""

    street: str


class User(BaseModel):
    """A model with validators, aliases, private attributes and defaults."""

    model_config = ConfigDict(validate_assignment=True)
    checked: ClassVar[int] = 0

    name: str = Field(alias="userName")
    address: Address | None = None
    tags: set[str] = set()
    at: datetime | None = None
    _visits: int = PrivateAttr(default=0)

    @property
    def visits(self) -> int:
        """Return what is private."""
        return self._visits

    def visit(self, times: int) -> None:
        """Change what is private."""
        self._visits += times

    @pydantic.field_validator("name")
    @classmethod
    def check(cls, value: str) -> str:
        """Change the value, so that validating twice would show."""
        cls.checked += 1
        return value + "!"

    @cached_property
    def upper(self) -> str:
        """Return what can be computed again."""
        return self.name.upper()


class Open(BaseModel):
    """A model that takes further fields."""

    model_config = ConfigDict(extra="allow")
    a: int = 1


class Numbers(RootModel[list[int]]):
    """A model of one list."""


class Holder(BaseModel, Generic[T]):
    """A generic model."""

    content: T


class Login(BaseModel):
    """A model with a secret."""

    password: SecretStr


KINDS = (
    *(Color, Level, Role, Mode, Bits, Pair, Counted, Plain, Frozen, Box),
    *(Address, User, Open, Numbers, Holder, Holder[int], Login),
)


def pack_of(*classes: type[Any]) -> MsgPack:
    """Return a serializer that knows these classes."""
    types = TypeRegistry()
    for cls in classes:
        types.register(cls)
    return MsgPack(types)


PACK = pack_of(*KINDS)


def _user() -> User:
    user = User(
        userName="Ada",
        address=Address(street="x"),
        tags={"a", "b"},
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    user.visit(7)
    return user


@pytest.mark.parametrize(
    "value",
    [
        Color.RED,
        Color.TUPLE,
        Level.LOW,
        Role.USER,
        Mode.READ,
        Mode.READ | Mode.WRITE,
        Mode(0),
        Bits.ONE | Bits.TWO,
        Bits(8),
        Pair(1),
        Pair(Pair(1, (2,)), {"x"}),
        Plain(2, 5, [1]),
        Frozen(at=datetime(2026, 1, 1, tzinfo=UTC), inner=Pair(1)),
        Box(Box(1)),
        Box[int](1),
        Address(street="x"),
        _user(),
        Open.model_validate({"a": 2, "b": {"c": (1,)}}),
        Numbers([1, 2]),
        Holder[int](content=3),
        Holder(content=Address(street="x")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_it_comes_back(value: Value) -> None:
    """Type and every field survive, alone and nested."""
    for whole in (value, {"k": [value]}, (value,)):
        assert same(whole, PACK.loads(PACK.dumps(whole)))
        assert whole == PACK.loads(PACK.dumps(whole))


def test_members_are_keys() -> None:
    """An enum, a named tuple and a frozen dataclass may be keys."""
    frozen = Frozen(at=datetime(2026, 1, 1, tzinfo=UTC))
    value = {Role.USER: 1, Color.RED: 2, Pair(1): 3, frozen: 4}
    assert same(value, PACK.loads(PACK.dumps(value)))


def test_no_code_of_the_class_runs() -> None:
    """Constructors, `__post_init__` and validators belong to making, not to keeping."""
    plain = Plain(2, 5)
    plain.c = 99
    assert 99 == PACK.loads(PACK.dumps(plain)).c
    counted = Counted(1, 2)
    before = Counted.made
    assert counted == PACK.loads(PACK.dumps(counted))
    assert before == Counted.made
    user = _user()
    checked = User.checked
    assert "Ada!" == PACK.loads(PACK.dumps(user)).name
    assert checked == User.checked


def test_a_model_keeps_what_was_set_and_its_private_part() -> None:
    """Fields that were set, further fields and private attributes survive."""
    user = PACK.loads(PACK.dumps(_user()))
    assert {"name", "address", "tags", "at"} == user.model_fields_set
    assert 7 == user.visits
    assert {"b": 1} == PACK.loads(PACK.dumps(Open.model_validate({"b": 1}))).model_extra
    user.name = "Bob"
    assert "Bob!" == user.name


def test_what_is_cached_is_computed_again() -> None:
    """Cached properties are neither kept nor in the way."""
    plain, user = Plain(2, 5), _user()
    assert (4, "ADA!") == (plain.double, user.upper)
    kept, known = PACK.loads(PACK.dumps([plain, user]))
    assert ("double" in vars(kept), "upper" in vars(known)) == (False, False)
    assert (4, "ADA!") == (kept.double, known.upper)


def test_an_attribute_that_is_no_field_is_not_lost() -> None:
    """Attributes beyond the fields are refused by name and path."""
    plain = Plain(1)
    plain.note = "x"  # type: ignore[attr-defined]
    with pytest.raises(Invalid, match=r"^a\[0\] holds a Plain with an attribute 'note'"):
        PACK.dumps({"a": [plain]})
    counted = Counted(1, 2)
    counted.note = "x"  # type: ignore[attr-defined]
    with pytest.raises(Invalid, match="attribute 'note'"):
        PACK.dumps(counted)


def test_a_field_that_was_never_set_is_told() -> None:
    """An object that lacks a field cannot be kept."""
    plain = Plain(1)
    del plain.c
    with pytest.raises(Invalid, match="Plain that cannot be made plain: AttributeError"):
        PACK.dumps(plain)


def test_paths_go_through_fields() -> None:
    """The path of what is refused has the names that the program uses."""

    class Foo:
        """A class that nobody registered."""

    for value, path in (
        (Plain(1, 2, [Foo()]), "m.b[0]"),  # type: ignore[list-item]
        (Pair(1, Foo()), "m.right"),
        (Open.model_validate({"b": [Foo()]}), "m.extra.b[0]"),
        (Holder(content={"k": Foo()}), "m.content.k"),
        (Login(password=SecretStr("hush")), "m.password"),
    ):
        with pytest.raises(Invalid) as caught:
            PACK.dumps({"m": value})
        assert path == caught.value.facts["path"]
        assert "hush" not in caught.value.message


def test_an_object_that_holds_itself_is_refused() -> None:
    """A circle through fields is found."""
    box: Box[Any] = Box(None)
    box.content = {"back": [box]}
    with pytest.raises(Invalid, match=r"^a\.content\.back\[0\] holds a, in which it lies"):
        PACK.dumps({"a": box})


@dataclass
class Named(dict[str, int]):
    """A dataclass that is a dictionary too."""

    name: str


class Broken(ValueError):
    """An error."""


@pytest.mark.parametrize("cls", [Named, Broken, type("Own", (list,), {})])
def test_a_class_with_other_content_needs_its_own_functions(cls: type[Any]) -> None:
    """What is more than its fields is not derived: part of it would be lost."""
    with pytest.raises(Invalid, match="to_plain and from_plain"):
        TypeRegistry().register(cls)
