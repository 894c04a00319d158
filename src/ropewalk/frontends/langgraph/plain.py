"""Models of plain values as bytes, and models put together again out of such bytes."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, cast

import ormsgpack
from pydantic import BaseModel

_PLAIN: Final = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""With these, and without a function for the rest, nothing but plain values can be written."""

_fields = attrgetter("__dict__")
_extra = attrgetter("__pydantic_extra__")


def held_by(models: Sequence[object]) -> bytes | None:
    """Return all that these models hold, `None` where that is more than plain values.

    Plain are texts, numbers, bytes, lists and dictionaries with text keys.
    """
    try:
        return ormsgpack.packb(
            [list(map(_fields, models)), list(map(_extra, models))], None, _PLAIN
        )
    except (TypeError, AttributeError):  # another value, or a model that is half made
        return None


def is_faithful(held: bytes) -> bool:
    """Tell whether models made of `held` hold the same again, to the byte."""
    try:
        return ormsgpack.packb(ormsgpack.unpackb(held), None, _PLAIN) == held
    except ValueError:  # an extension, which means nothing here
        return False


def made_of(
    held: bytes, kinds: Sequence[type], given: Sequence[frozenset[str]] | None = None
) -> list[object]:
    """Return new models that hold just this; `given` are the fields that count as set."""
    fields, extras = cast("list[list[Any]]", ormsgpack.unpackb(held))
    new, put = object.__new__, object.__setattr__
    models: list[object] = []
    for place, kind in enumerate(kinds):
        model = cast("BaseModel", new(kind))
        put(model, "__dict__", fields[place])
        put(model, "__pydantic_extra__", extras[place])
        put(model, "__pydantic_fields_set__", set(given[place] if given else ()))
        put(model, "__pydantic_private__", None)
        models.append(model)
    return models
