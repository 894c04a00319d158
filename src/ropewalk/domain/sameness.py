"""`same`: whether two values of a user are the same value, types included, at any depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast


def same(left: object, right: object) -> bool:
    """Tell whether two values are the same: 1 is not True and not 1.0, and a NaN is itself."""
    if left is right:
        return True
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return _same_keys(
            cast("Mapping[object, object]", left), cast("Mapping[object, object]", right)
        )
    if isinstance(left, list | tuple):
        one, other = cast("Sequence[object]", left), cast("Sequence[object]", right)
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(left, float) and left != left:  # noqa: PLR0124 (so is a NaN told)
        return right != right  # noqa: PLR0124
    return bool(left == right)


def _same_keys(left: Mapping[object, object], right: Mapping[object, object]) -> bool:
    return len(left) == len(right) and all(
        name in right and same(value, right[name]) for name, value in left.items()
    )
