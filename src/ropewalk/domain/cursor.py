"""Keyset cursors: where a page ended, in a form that can leave the program and come back."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias, cast

from .errors import Invalid
from .labels import Label, check_label

_quoted: Final = json.encoder.encode_basestring_ascii
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Rank(IntEnum):
    """How values of different types sort beside each other."""

    ABSENT = 0
    BOOL = 1
    NUMBER = 2
    TEXT = 3


Ranked: TypeAlias = tuple[Rank, int | float | str]


def rank(value: object) -> Ranked:
    """Return the sort key of a label or header field: its type's rank, then its value.

    Two values are equal exactly where their ranks are: `True` differs from 1, and 1 equals 1.0.
    """
    if value is None:
        return Rank.ABSENT, 0
    if isinstance(value, bool):
        return Rank.BOOL, int(value)
    if isinstance(value, int | float):
        return Rank.NUMBER, value
    if isinstance(value, str):
        return Rank.TEXT, value
    message = f"cannot sort or compare by a {type(value).__name__}"
    raise Invalid(message, code="bad_type", field="value")


SortKey: TypeAlias = tuple[Ranked, str, str, str]


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in an ordered scan: the sorted value, then id, kind and space.

    It need not be the position of a record: an empty `id` lies before every record with the same
    value, and `id + NUL` right behind the record of that id.
    """

    value: Label | None
    id: str = ""
    kind: str = ""
    space: str = ""

    @property
    def key(self) -> SortKey:
        """The tuple that sorts as the scan does (ascending)."""
        return rank(self.value), self.id, self.kind, self.space

    def encode(self) -> str:
        """Write the cursor as URL-safe text without padding."""
        # An array of JSON, put together here: each page ends with one, and nearly all are by time.
        value = str(self.value) if type(self.value) is int else json.dumps(self.value)
        data = f"[{value},{_quoted(self.id)},{_quoted(self.kind)},{_quoted(self.space)}]"
        encoded = binascii.b2a_base64(data.encode(), newline=False)
        return encoded.translate(_URL_SAFE).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Read what `encode` wrote; raise `Invalid` for anything else."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            value, *names = _list(json.loads(data))
            if value is not None:
                check_label(value, field="cursor")
            id_, kind, space = map(_text, names)
            return cls(value, id_, kind, space)  # type: ignore[arg-type]
        except (ValueError, TypeError, binascii.Error, RecursionError) as error:
            message = "this is not a cursor of a page; pass the one that the last page returned"
            raise Invalid(message, code="bad_cursor", field="cursor") from error


def _list(value: object) -> list[object]:
    if isinstance(value, list):
        return cast("list[object]", value)
    raise TypeError(type(value).__name__)


def _text(value: object) -> str:
    if isinstance(value, str):
        value.encode()  # a lone surrogate is no text, and no back end could search for it
        return value
    raise TypeError(type(value).__name__)
