"""What questions have in common, as far as it decides how long they take: their shapes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from ...domain.query import AnyOf, Query
from ...domain.record import Key

_MOST_KEYS: Final = 32
_MOST_RECORDS: Final = 64
"""More than so many at once are never read on a loop's thread."""


ONE: Final = 1
"""The shape of reading one key, or one id: `of_keys` of it."""


def of_keys(keys: Sequence[Key]) -> Hashable | None:
    """Return the shape of reading `keys`, `None` where they are many."""
    number = len(keys)
    return number.bit_length() if number <= _MOST_KEYS else None


def of_page(query: Query, count: int) -> Hashable | None:
    """Return the shape of reading a page of `count` records, `None` where it is long."""
    return (count.bit_length(), query.order, *_of(query)) if count <= _MOST_RECORDS else None


def of_feed(count: int) -> Hashable | None:
    """Return the shape of reading `count` commits, `None` where they are many."""
    return ("feed", count.bit_length()) if count <= _MOST_RECORDS else None


def of_tally(query: Query, sums: Sequence[str], group_by: Sequence[str]) -> Hashable:
    """Return the shape of a tally."""
    return (*sums, "", *group_by, *_of(query))


def _of(query: Query) -> tuple[Hashable, ...]:
    """Return where a query looks, and which conditions it has, whatever their values are."""
    return (
        query.space,
        query.kinds,
        query.session_id is None,
        query.thread_id is None,
        *[
            tuple((c.field, c.op) for c in part.conditions)
            if isinstance(part, AnyOf)
            else (part.field, part.op)
            for part in query.where
        ],
    )
