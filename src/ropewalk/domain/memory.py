"""`Memory`: something to be known for good, under a key in a namespace, and what it is found by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from .errors import Invalid

Namespace: TypeAlias = tuple[str, ...]
"""Labels from the widest to the narrowest, as in `("users", "ada", "tastes")`."""

SEPARATOR: Final = "."
"""Ends each label in a path, so that a path begins with another only by whole labels."""

_END: Final = "\0"
"""Stands between path and key, and in no path."""


@dataclass(frozen=True, slots=True)
class Name:
    """Where a memory is: its namespace and its key in it."""

    namespace: Namespace
    key: str

    def __post_init__(self) -> None:
        """Refuse labels that could be taken for others."""
        check_namespace(self.namespace)

    @property
    def id(self) -> str:
        """The id of its record: ids of one namespace begin alike."""
        return path_of(self.namespace) + _END + self.key

    @classmethod
    def of(cls, id: str) -> Name:
        """Return the name that has this id."""
        path, _, key = id.partition(_END)
        return cls(namespace_of(path), key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A value under a name.

    Times are aware UTC datetimes. With `ttl` it is gone at `expires_at`, which is that long
    after it was last written or refreshed.
    """

    name: Name
    value: Mapping[str, Any]
    ttl: timedelta | None = None
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    """The vectors by which a memory is found, one for each text that was taken from it.

    `floats` has them one after the other, `dims` numbers each, of 4 bytes, the lowest first
    (IEEE 754 binary32, little-endian).
    """

    name: Name
    dims: int
    floats: bytes


def path_of(namespace: Namespace) -> str:
    """Write a namespace as one text: every label, and a separator behind it."""
    return "".join(label + SEPARATOR for label in namespace)


def namespace_of(path: str) -> Namespace:
    """Read what `path_of` wrote."""
    return tuple(path.split(SEPARATOR)[:-1])


def check_namespace(namespace: tuple[object, ...]) -> None:
    """Raise `Invalid` for a label that is no text, or empty, or has a separator or NUL in it."""
    for label in namespace:
        if not isinstance(label, str):
            problem = f"is not text but {type(label).__name__}"
        elif not label:
            problem = "is empty"
        elif SEPARATOR in label or _END in label:
            problem = f"has {SEPARATOR!r} or NUL in it"
        else:
            continue
        message = f"the label {label!r} of the namespace {namespace!r} {problem}; name it otherwise"
        raise Invalid(message, code="bad_namespace", field="namespace")
