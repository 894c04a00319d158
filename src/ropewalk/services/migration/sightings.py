"""`Sightings`: remember what was met in a run, eight bytes for each, to know what was not."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from hashlib import blake2b
from typing import Final

_CHUNK: Final = 65_536


class Sightings:
    """A set of texts that only grows; forgets the texts and keeps 64 bits of a hash of each.

    Of a million texts, two share their hash with a chance of one in 37 million.
    """

    def __init__(self) -> None:
        """Begin with nothing met."""
        self._fresh: set[int] = set()
        self._sorted: list[array[int]] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def __contains__(self, text: str) -> bool:
        """Tell whether a text was met."""
        return self._has(_hashed(text))

    def add(self, text: str) -> bool:
        """Take a text in; return whether it is new."""
        value = _hashed(text)
        if self._has(value):
            return False
        self._fresh.add(value)
        self._count += 1
        if len(self._fresh) == _CHUNK:
            self._settle()
        return True

    def _has(self, value: int) -> bool:
        if value in self._fresh:
            return True
        for part in self._sorted:
            at = bisect_left(part, value)
            if at < len(part) and part[at] == value:
                return True
        return False

    def _settle(self) -> None:
        """Put the fresh ones to the sorted ones; parts of one length become one of twice that."""
        part = array("Q", sorted(self._fresh))
        self._fresh.clear()
        while self._sorted and len(self._sorted[-1]) == len(part):
            part = _merged(self._sorted.pop(), part)
        self._sorted.append(part)


def _merged(left: array[int], right: array[int]) -> array[int]:
    whole = array("Q")
    at = 0
    for value in left:
        while at < len(right) and right[at] < value:
            whole.append(right[at])
            at += 1
        whole.append(value)
    whole.extend(right[at:])
    return whole


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
