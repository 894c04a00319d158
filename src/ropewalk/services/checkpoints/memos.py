"""`Memos`: what is remembered of the states that were written last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ...trees.memo import StateMemo

_MOST_MEMOS: Final = 512
_MOST_BYTES: Final = 64 * 1024 * 1024


class Memos:
    """What writers remember of the states that were written last, for whoever goes on from them.

    Each is handed out once: going on from a state changes what is remembered of it.
    """

    def __init__(self) -> None:
        """Begin without memories."""
        self._memos: OrderedDict[tuple[str, bytes], StateMemo] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def take(self, key: tuple[str, bytes]) -> StateMemo | None:
        """Hand out a memo, which is gone from here then."""
        with self._lock:
            memo = self._memos.pop(key, None)
            self._weight -= memo.weight if memo else 0
            return memo

    def put(self, key: tuple[str, bytes], memo: StateMemo) -> None:
        """Remember a state, and forget the one that nobody asked for longest."""
        with self._lock:
            before = self._memos.pop(key, None)
            self._memos[key] = memo
            self._weight += memo.weight - (before.weight if before else 0)
            while len(self._memos) > _MOST_MEMOS or self._weight > _MOST_BYTES:
                _, oldest = self._memos.popitem(last=False)
                self._weight -= oldest.weight
