"""How a class becomes plain and back: enums, named tuples, dataclasses and pydantic models."""

from __future__ import annotations

import dataclasses
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, Flag
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from .format import Value
from .refusal import Refused

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from pydantic import BaseModel

ToPlain: TypeAlias = Callable[[Value], Value]
FromPlain: TypeAlias = Callable[[Value], Value]

FIELDS: Final = "fields"
"""Where the fields of a model lie in its plain form: a step that paths leave out."""

# A class that derives from one of these holds more than its fields.
_CONTENT: Final = (
    *(int, float, complex, str, bytes, bytearray),
    *(list, tuple, dict, set, frozenset, deque, BaseException),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A class, the tag that stands for it in stored data, and the way there and back."""

    cls: type
    tag: str
    to_plain: ToPlain
    from_plain: FromPlain


def derive(cls: type[object]) -> tuple[ToPlain, FromPlain] | None:
    """Return the way there and back of a class that says itself what it consists of, or `None`.

    Reading restores the very fields that were written and runs neither `__init__` nor validators:
    what was kept comes back as it was. Fields that the class has got since take their defaults;
    fields that it has no longer are an error.
    """
    if issubclass(cls, Enum):
        return _enum(cls)
    if tuple in cls.__mro__ and hasattr(cls, "_fields") and hasattr(cls, "_field_defaults"):
        return _named_tuple(cls)
    if is_model(cls):
        return _model(cast("type[BaseModel]", cls))
    if dataclasses.is_dataclass(cls) and not issubclass(cls, _CONTENT):
        return _dataclass(cls)
    return None


def is_model(cls: type) -> bool:
    """Tell whether `cls` is a model of pydantic 2."""
    pydantic = sys.modules.get("pydantic")
    return (
        pydantic is not None
        and issubclass(cls, pydantic.BaseModel)
        and hasattr(cls, "model_validate")
    )


def _enum(cls: type[Enum]) -> tuple[ToPlain, FromPlain]:
    # A combination of flags has no name of its own, a member has one that outlives its value.
    if issubclass(cls, Flag):
        return (lambda member: member.value), cls
    return (lambda member: member.name), (lambda name: cls[name])


def _named_tuple(cls: Value) -> tuple[ToPlain, FromPlain]:
    names: tuple[str, ...] = cls._fields
    defaults: Mapping[str, object] = cls._field_defaults

    def to_plain(value: Value) -> dict[str, object]:
        _refuse_more(value, ())
        return dict(zip(names, tuple(value), strict=True))

    def from_plain(plain: Value) -> object:
        whole = _complete(plain, names, lambda name: defaults[name])
        return cls._make(whole[name] for name in names)

    return to_plain, from_plain


def _dataclass(cls: type[DataclassInstance]) -> tuple[ToPlain, FromPlain]:
    fields = {field.name: field for field in dataclasses.fields(cls)}

    def to_plain(value: Value) -> dict[str, object]:
        _refuse_more(value, fields)
        return {name: getattr(value, name) for name in fields}

    def default(name: str) -> object:
        field = fields[name]
        if field.default_factory is not dataclasses.MISSING:
            return field.default_factory()
        if field.default is dataclasses.MISSING:
            raise KeyError(name)
        return field.default

    def from_plain(plain: Value) -> object:
        made = cls.__new__(cls)
        for name, item in _complete(plain, fields, default).items():
            object.__setattr__(made, name, item)
        return made

    return to_plain, from_plain


def _model(cls: type[BaseModel]) -> tuple[ToPlain, FromPlain]:
    from pydantic import BaseModel

    def to_plain(value: Value) -> dict[str, object]:
        names = cls.model_fields
        _refuse_more(value, names)
        state = BaseModel.__getstate__(value)
        fields = {name: state["__dict__"][name] for name in names}
        plain: dict[str, object] = {FIELDS: fields, "set": sorted(value.model_fields_set)}
        for part in ("extra", "private"):
            if state[f"__pydantic_{part}__"] is not None:
                plain[part] = state[f"__pydantic_{part}__"]
        return plain

    def default(name: str) -> object:
        field = cls.model_fields[name]
        if field.is_required():
            raise KeyError(name)
        return field.get_default(call_default_factory=True)

    def from_plain(plain: Value) -> object:
        made = cls.__new__(cls)
        BaseModel.__setstate__(
            made,
            {
                "__dict__": _complete(plain[FIELDS], cls.model_fields, default),
                "__pydantic_extra__": plain.get("extra"),
                "__pydantic_fields_set__": set(plain["set"]),
                "__pydantic_private__": _private(cls, plain.get("private")),
            },
        )
        return made

    return to_plain, from_plain


def _private(cls: type[BaseModel], stored: Mapping[str, object] | None) -> dict[str, object] | None:
    from pydantic_core import PydanticUndefined

    whole = {name: mark.get_default() for name, mark in cls.__private_attributes__.items()}
    whole = {name: item for name, item in whole.items() if item is not PydanticUndefined}
    return whole | dict(stored) if stored else whole or None


def _refuse_more(value: object, fields: Iterable[str]) -> None:
    """Refuse an object that carries attributes beyond its fields, for they would be lost."""
    cls = type(value)
    for name in getattr(value, "__dict__", {}).keys() - set(fields):
        # What is computed again when asked for, and notes of typing, are no loss.
        derived = isinstance(getattr(cls, name, None), cached_property)
        if not derived and not (name.startswith("__") and name.endswith("__")):
            reason = (
                f"holds a {cls.__qualname__} with an attribute {name!r} that is no field and "
                "would be lost; register the class with to_plain and from_plain"
            )
            raise Refused(reason, code="unknown_attribute", kind=cls)


def _complete(
    plain: Mapping[str, object], fields: Iterable[str], default: Callable[[str], object]
) -> dict[str, object]:
    """Return the stored fields with those added since; raise `LookupError` for any other gap."""
    known = list(fields)
    if gone := sorted(plain.keys() - set(known)):
        message = f"there is no field {', '.join(gone)} any more"
        raise LookupError(message)
    return {name: plain[name] if name in plain else default(name) for name in known}
