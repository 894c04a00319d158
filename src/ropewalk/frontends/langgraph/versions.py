"""Versions of channels, which grow and are never given twice."""

from __future__ import annotations

from secrets import randbelow
from typing import Final

_DIGITS: Final = 16


def next_version(current: str | float | None) -> str:
    """Return the version that follows `current`: one more in front, something random behind it.

    Two branches that go on from one version get different ones, as LangGraph's own savers give
    them. A version that is a number, from a saver that counts plainly, is gone on from as well.
    """
    if current is None:
        count = 0
    elif isinstance(current, str):
        count = int(current.split(".")[0])
    else:
        count = int(current)
    return f"{count + 1:032}.{randbelow(10**_DIGITS):0{_DIGITS}}"
