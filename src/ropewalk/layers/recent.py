"""`Recent`: the batches that a switch may have to ask for, because the feed does not tell them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from operator import ne
from typing import Final

from ..domain.change import Applied, Batch
from ..domain.record import Key

MOST_KEYS: Final = 20_000
"""How many keys of batches are remembered that the feed does not tell: for exact answers."""


class Recent:
    """Keep the keys of the latest batches, and which of these have no answer yet."""

    def __init__(self) -> None:
        """Know of none."""
        self._lock = threading.Lock()
        self._keys: OrderedDict[str, tuple[Key, ...]] = OrderedDict()
        self._count = 0
        self._doubtful: set[str] = set()
        self._highest = 0

    @property
    def keys(self) -> Mapping[str, tuple[Key, ...]]:
        """The keys of each batch by its id, the oldest first."""
        return self._keys

    @property
    def doubtful(self) -> AbstractSet[str]:
        """The ids of batches without an answer: they may have been applied, or not."""
        return self._doubtful

    @property
    def highest(self) -> int:
        """The greatest number of a commit that was answered."""
        return self._highest

    def begin(self, batch: Batch) -> bool:
        """Keep the keys of a batch that is under way; return whether it was not known."""
        with self._lock:
            if batch.id in self._keys:
                return False
            keys = tuple([change.key for change in batch.changes])
            self._keys[batch.id] = keys
            self._doubtful.add(batch.id)
            self._count += len(keys)
            while self._count > MOST_KEYS and len(self._keys) > 1:
                self._drop(next(iter(self._keys)))
            return True

    def end(self, batch: Batch, applied: Applied, *, seq: int, feeds: bool) -> None:
        """Note that a batch has its answer, and forget it if the feed tells all its keys."""
        told = feeds and all(map(ne, applied.versions, applied.previous))
        with self._lock:
            self._doubtful.discard(batch.id)
            if told:
                self._drop(batch.id)
            self._highest = max(self._highest, seq)

    def forget(self, batch: Batch) -> None:
        """Forget a batch that was refused."""
        with self._lock:
            self._drop(batch.id)

    def clear(self) -> None:
        """Forget all batches."""
        with self._lock:
            self._keys.clear()
            self._count = 0
            self._doubtful.clear()

    def _drop(self, batch_id: str) -> None:
        self._count -= len(self._keys.pop(batch_id, ()))
        self._doubtful.discard(batch_id)
