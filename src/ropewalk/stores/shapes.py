"""Tell the shapes of a user's values apart, in words that type checkers follow."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeGuard


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Tell whether `value` has keys and values."""
    # Asking an abstract class takes as long as several calls, and nearly every mapping is a `dict`.
    return isinstance(value, (dict, Mapping))


def is_dict(value: object) -> TypeGuard[dict[Any, Any]]:
    """Tell whether `value` is a dictionary, of any subclass."""
    return isinstance(value, dict)


def is_row(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Tell whether `value` is a list or a tuple."""
    return isinstance(value, list | tuple)


def is_tuple(value: object) -> TypeGuard[tuple[Any, ...]]:
    """Tell whether `value` is a tuple."""
    return isinstance(value, tuple)


def is_group(value: object) -> TypeGuard[Collection[Any]]:
    """Tell whether `value` is a list, tuple or set, as opposed to one text."""
    return isinstance(value, list | tuple | set | frozenset)
