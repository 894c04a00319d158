"""`Training`: make dictionaries for the compressor out of what is written, beside the writing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.ports import Dictionary, Sealer
    from .forest import Forest

_STAGES: Final = ((20, 10 * 1024), (250, 32 * 1024), (5_000, 64 * 1024))
"""After so many nodes of content, a dictionary of so many bytes; each is kept with the store."""

_MOST_SAMPLE: Final = 8 * 1024
_MOST_BYTES: Final = 2 * 1024 * 1024


class Training:
    """Gather what is written, train in a thread, and hand the outcome over at a later save.

    A dictionary that is trained on content is content: it stays in the space.
    """

    def __init__(self, forest: Forest, sealer: Sealer) -> None:
        """Train for `forest`."""
        self._forest = forest
        self._sealer = sealer
        self._samples: list[bytes] = []
        self._bytes = 0
        self._seen = 0
        self._stage: int | None = None
        self._made: Dictionary | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    async def offer(self, bodies: Sequence[bytes]) -> None:
        """Take new nodes as samples; adopt a dictionary that has become ready."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            await self._forest.adopt(made)
        if self._stage is None:
            self._stage = await self._first_stage()
        if self._stage >= len(_STAGES):
            self._samples.clear()
            return
        self._take(bodies)
        need, size = _STAGES[self._stage]
        if self._seen >= need and self._thread is None:
            self._stage += 1
            samples = tuple(self._samples)
            self._thread = threading.Thread(
                target=self._train, args=(samples, size), name="ropewalk-training", daemon=True
            )
            self._thread.start()

    def _take(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            self._seen += 1
            if len(body) <= _MOST_SAMPLE and self._bytes < _MOST_BYTES:
                self._samples.append(body)
                self._bytes += len(body)

    async def _first_stage(self) -> int:
        """Begin behind the stages that earlier programs have done with this space."""
        current = await self._forest.dictionary()
        if current is None:
            return 0
        done = [at for at, (_, size) in enumerate(_STAGES) if len(current.content) > size // 2]
        return done[-1] + 1 if done else 0

    def _train(self, samples: Sequence[bytes], size: int) -> None:
        made = self._sealer.train(samples, size=size)
        with self._lock:
            self._made = made
            self._thread = None
