"""A scan under way: one page at a time, each of one moment, with no lock in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...domain.ports import Clock
from ...domain.query import Query
from ...domain.record import Key, Record
from .folder import Folder

_RECORDS: Final = 256
_BYTES: Final = 8 * 1024 * 1024
_LOOKS: Final = 20_000
"""How much a page holds at most, and how many headers are looked at for it."""


class Scan:
    """Remember which keys are still to come.

    The keys are those that were there at the beginning, so that a record which moves in the order
    meanwhile is neither missed nor seen twice; each is looked at when its turn comes.
    """

    def __init__(self, folder: Folder, query: Query, *, clock: Clock) -> None:
        self._folder = folder
        self._query = query
        self._clock = clock
        self._now = 0
        self._left = query.limit
        self._keys: Iterator[Key] | None = None
        self.done = query.limit == 0

    def page(self, deadline: float) -> list[Record]:
        """Return the next records, possibly none although there are more: see `done`."""
        with self._folder.reading(deadline):
            if self.done:
                return []
            keys = self._keys
            if keys is None:
                self._now = self._clock.now()
                keys = self._folder.index.walk(self._query)
            page = self._fill(keys)
            if self._keys is None and not self.done:
                # The lists may change from here on.
                keys = iter(list(keys))
            self._keys = keys
            return page

    def _fill(self, keys: Iterator[Key]) -> list[Record]:
        page: list[Record] = []
        size = 0
        for looks, key in enumerate(keys, start=1):
            header = self._folder.index.get(key)
            if header is not None and self._is_meant(header.record):
                if self._query.bodies:
                    page.append(self._folder.record(header))
                    size += header.size
                else:
                    page.append(header.record)
                if self._left is not None:
                    self._left -= 1
                    if not self._left:
                        break
            if len(page) == _RECORDS or size >= _BYTES or looks == _LOOKS:
                return page
        self.done = True
        return page

    def _is_meant(self, record: Record) -> bool:
        return self._query.matches(record, self._now) and self._query.within(record)
