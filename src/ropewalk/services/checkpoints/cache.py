"""`Cache`: nodes and leaves that were read or written lately, and need not be read again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...trees.batch import Forms
    from ...trees.form import Ref

_OVERHEAD: Final = 200
"""Bytes that an entry takes beside its content, roughly."""


class Cache:
    """The bodies of nodes that were read or written lately, up to so many bytes.

    As many bytes again go to leaves with all that lies below them: a state that is read again and
    again takes its items from there.
    """

    def __init__(self, most: int) -> None:
        """Begin empty, for so many bytes of each."""
        self._most = most
        self._leaves: OrderedDict[tuple[str, bytes], Forms] = OrderedDict()
        self._joined = 0
        self._size = 0
        self._bodies: OrderedDict[tuple[str, bytes], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, family: str, refs: Sequence[Ref]) -> dict[bytes, bytes]:
        """Return those of the nodes that are here."""
        bodies = self._bodies
        with self._lock:
            found: dict[bytes, bytes] = {}
            # Who was asked for last matters only where there will soon be no room.
            is_filling = 2 * self._size > self._most
            for digest, _ in refs:
                key = family, digest
                body = bodies.get(key)
                if body is not None:
                    found[digest] = body
                    if is_filling:
                        bodies.move_to_end(key)
            return found

    def put(self, family: str, bodies: Mapping[bytes, bytes]) -> None:
        """Remember nodes, and forget those that nobody asked for longest."""
        with self._lock:
            known, size = self._bodies, self._size
            for digest, body in bodies.items():
                key = family, digest
                if key not in known:
                    known[key] = body
                    size += len(body) + _OVERHEAD
            while size > self._most:
                _, body = known.popitem(last=False)
                size -= len(body) + _OVERHEAD
            self._size = size

    def joined(self, family: str, leaves: Iterable[bytes]) -> dict[bytes, Forms]:
        """Return what is known of some leaves, by their names."""
        known = self._leaves
        found: dict[bytes, Forms] = {}
        with self._lock:
            is_filling = 2 * self._joined > self._most
            for leaf in leaves:
                key = family, leaf
                forms = known.get(key)
                if forms is not None:
                    found[leaf] = forms
                    if is_filling:
                        known.move_to_end(key)
        return found

    def join(self, family: str, leaves: Mapping[bytes, Forms]) -> None:
        """Remember the forms of leaves, and forget those that nobody asked for longest."""
        with self._lock:
            for leaf, forms in leaves.items():
                if (family, leaf) not in self._leaves:
                    self._leaves[family, leaf] = forms
                    self._joined += len(forms[1]) + _OVERHEAD
            while self._joined > self._most:
                _, (_, old) = self._leaves.popitem(last=False)
                self._joined -= len(old) + _OVERHEAD


class Leaves:
    """The leaves of one family in the cache."""

    def __init__(self, cache: Cache, family: str) -> None:
        """Look into `cache`."""
        self._cache = cache
        self._family = family

    def joined(self, leaves: Iterable[bytes]) -> dict[bytes, Forms]:
        """Return what is known of some leaves, by their names."""
        return self._cache.joined(self._family, leaves)

    def join(self, leaves: Mapping[bytes, Forms]) -> None:
        """Remember the forms of some leaves."""
        self._cache.join(self._family, leaves)
