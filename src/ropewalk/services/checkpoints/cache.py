"""`Cache`: nodes and leaves that were read or written lately, and need not be read again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ...trees.copies import Made

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Mapping

    from ...domain.ports import Values
    from ...trees.batch import Forms
    from ...trees.read import Joined

V = TypeVar("V")

_OVERHEAD: Final = 200
"""Bytes that an entry takes beside its content, roughly."""

_weight: Final[Callable[[Made], int]] = attrgetter("weight")


class Kept(Generic[V]):
    """What was asked for lately, by its name in a family, up to so many bytes."""

    def __init__(self, most: int, weigh: Callable[[V], int]) -> None:
        """Begin empty; `weigh` says how many bytes a value takes."""
        self._most = most
        self._weigh = weigh
        self._size = 0
        self._values: OrderedDict[tuple[Hashable, bytes], V] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, family: Hashable, names: Iterable[bytes]) -> dict[bytes, V]:
        """Return those of the values that are here, by their names."""
        values = self._values
        found: dict[bytes, V] = {}
        with self._lock:
            # Who was asked for last matters only where there will soon be no room.
            is_filling = 2 * self._size > self._most
            for name in names:
                key = family, name
                value = values.get(key)
                if value is not None:
                    found[name] = value
                    if is_filling:
                        values.move_to_end(key)
        return found

    def put(self, family: Hashable, values: Mapping[bytes, V]) -> None:
        """Keep values, and forget those that nobody asked for longest."""
        weigh = self._weigh
        with self._lock:
            known, size = self._values, self._size
            for name, value in values.items():
                key = family, name
                if key not in known:
                    known[key] = value
                    size += weigh(value) + _OVERHEAD
            while size > self._most:
                _, old = known.popitem(last=False)
                size -= weigh(old) + _OVERHEAD
            self._size = size


class Cache:
    """What is remembered of the nodes of all families, each kind up to so many bytes.

    The bodies of nodes; the forms of leaves with all that lies below them; and what was made of
    those that were read again: a state that is read again and again is copied from there.
    """

    def __init__(self, most: int) -> None:
        """Begin empty, for so many bytes of each."""
        self.bodies: Kept[bytes] = Kept(most, len)
        self.forms: Kept[Forms] = Kept(most, _size)
        self.made: Kept[Made] = Kept(most, _weight)

    def joined(self, family: str, values: Values) -> Joined:
        """Return what is remembered of a family's leaves, for whoever reads with `values`."""
        return Leaves(self, family, values)


class Leaves:
    """The leaves of one family in the cache, as whoever reads with certain values makes them."""

    def __init__(self, cache: Cache, family: str, values: Values) -> None:
        """Look into `cache`."""
        self._cache = cache
        self._family = family
        self._here = family, values

    def joined(self, leaves: Iterable[bytes]) -> dict[bytes, Forms]:
        """Return what is known of some leaves, by their names."""
        return self._cache.forms.take(self._family, leaves)

    def join(self, leaves: Mapping[bytes, Forms]) -> None:
        """Remember the forms of some leaves."""
        self._cache.forms.put(self._family, leaves)

    def made(self, leaves: Iterable[bytes]) -> dict[bytes, Made]:
        """Return what was made of some leaves, by their names."""
        return self._cache.made.take(self._here, leaves)

    def keep(self, leaves: Mapping[bytes, Made]) -> None:
        """Remember what was made of some leaves."""
        self._cache.made.put(self._here, leaves)


def _size(forms: Forms) -> int:
    return len(forms[1])
