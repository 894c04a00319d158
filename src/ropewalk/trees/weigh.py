"""Tell cheaply whether a value is light enough to be serialised in one go."""

from __future__ import annotations

from typing import Any, Final

LIGHT: Final = 4_096
"""Units that a light value has at most: one for each value in it, and for 64 characters or bytes.

Such a value takes well under a millisecond to write, in which nothing else can run.
"""

_PER_UNIT: Final = 64


def is_light(value: Any) -> bool:  # noqa: ANN401 (a user's value)
    """Tell whether lists, dictionaries, texts and bytes in `value` add up to little.

    Objects of other types count as one: how big they are is not seen from outside.
    """
    parts: list[Any] = [value]
    size = 0
    # It grows while it is gone through.
    for part in parts:
        kind = part.__class__
        if kind is str or kind is bytes:
            size += len(part)
        elif kind is dict or kind is list or kind is tuple:
            if len(parts) + len(part) > LIGHT:
                return False
            parts += part.values() if kind is dict else part
    return len(parts) + size // _PER_UNIT <= LIGHT
