"""Dictionaries of Zstandard: the name that each has by its content."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

from ..domain.ports import Dictionary

MAGIC: Final = (0xEC30A437).to_bytes(4, "little")
"""A trained dictionary begins with these bytes (RFC 8878, 6); any other is content alone."""

MIN_BYTES: Final = 8
"""No dictionary is shorter."""

_NAME: Final = re.compile(r"[0-9a-f]{16}")


def named(content: bytes) -> Dictionary:
    """Return a dictionary under the name that its content has: BLAKE2b, 8 bytes in hexadecimal."""
    return Dictionary(blake2b(content, digest_size=8).hexdigest(), content)


def is_name(text: str) -> bool:
    """Tell whether a dictionary could have this name."""
    return _NAME.fullmatch(text) is not None
