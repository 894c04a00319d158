"""`Opaque`: a typed value whose class is not known here, kept as it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .errors import Invalid

MAX_TAG_BYTES: Final = 255
"""Longest tag of a type, in UTF-8 bytes."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A typed value whose class is not registered here: kept and written back byte for byte.

    `tag` names the type; `data` is its plain form as MessagePack. What another program wrote as an
    extension has the tag `name:code`, such as `langgraph:5`.
    """

    tag: str
    data: bytes

    def __post_init__(self) -> None:
        """Refuse a tag that could not be written."""
        check_tag(self.tag)


def check_tag(tag: str) -> str:
    """Return `tag` if it may stand in stored data; raise `Invalid` otherwise."""
    try:
        size = len(tag.encode())
    except UnicodeEncodeError as error:
        message = f"the tag {tag!r} holds a lone surrogate; use valid Unicode"
        raise Invalid(message, code="bad_text", field="tag") from error
    if not 1 <= size <= MAX_TAG_BYTES:
        message = f"a tag has 1 to {MAX_TAG_BYTES} bytes, not {size}"
        raise Invalid(message, code="bad_tag", field="tag", size=size)
    return tag
