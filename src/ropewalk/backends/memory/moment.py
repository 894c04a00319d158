"""`Moment`: records as they were when it began, read in parts while others write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from ...domain.record import Record
from .places import Name


class Moment:
    """Look records up by their names, some at a time.

    Whoever writes notes beforehand what was there (`keep`), so that nobody copies everything, and
    nothing written since is seen.
    """

    __slots__ = ("_before", "_names", "_records", "is_over")

    def __init__(self, records: Mapping[Name, Record], names: Iterator[Name]) -> None:
        """Begin now; `names` must not change with the records."""
        self._records = records
        self._names = names
        self._before: dict[Name, Record | None] = {}
        self.is_over = False

    def keep(self, name: Name, record: Record | None) -> None:
        """Remember what was under a name before the first change of it."""
        self._before.setdefault(name, record)

    def take(self, count: int) -> list[Record | None]:
        """Return what was under the next names, `None` where there was nothing."""
        names = list(islice(self._names, count))
        self.is_over = len(names) < count
        before, records = self._before, self._records
        if before:
            return [before[name] if name in before else records.get(name) for name in names]
        return list(map(records.get, names))
