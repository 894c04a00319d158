"""Keep slow shapes in the store, now and then, so that other processes can tell of them."""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import TYPE_CHECKING, Final

from ..domain.change import Batch
from ..domain.errors import RopewalkError
from ..domain.kept_shape import key_of, put_of

if TYPE_CHECKING:
    from ..domain.ports import Backend
    from ..domain.shape import Shape

LOGGER: Final = logging.getLogger("ropewalk.metrics")

EVERY: Final = 60.0
"""Seconds between two writes: what is counted meanwhile waits, and is lost with its process."""

_MOST: Final = 256


class Keeper:
    """Gather slow shapes, and add them to the records of their space once a minute at most."""

    def __init__(self) -> None:
        """Begin with none, and write the first at once."""
        self._lock = threading.Lock()
        self._waiting: dict[object, Shape] = {}
        self._next = 0.0

    def add(self, shape: Shape) -> None:
        """Take a shape with what was counted of it just now."""
        with self._lock:
            known = self._waiting.get(shape.key)
            if known is not None or len(self._waiting) < _MOST:
                self._waiting[shape.key] = shape if known is None else known.joined(shape)

    async def write(self, below: Backend, *, at_last: bool = False) -> None:
        """Write what waits, if it is time, or `at_last`.

        Nobody who asked a question shall hear that its price could not be noted: that goes to
        the log, and is lost.
        """
        with self._lock:
            if not self._waiting or (monotonic() < self._next and not at_last):
                return
            waiting, self._waiting = self._waiting, {}
            self._next = monotonic() + EVERY
        pairs = [(key, shape) for shape in waiting.values() if (key := key_of(shape)) is not None]
        if not pairs:
            return
        try:
            present = await below.get([key for key, _ in pairs], bodies=False)
            puts = [put_of(s, key, old) for (key, s), old in zip(pairs, present, strict=True)]
            await below.apply(Batch(tuple(puts), actor="ropewalk"))
        except RopewalkError as error:
            LOGGER.warning("%d slow shapes were not kept: %s", len(pairs), error)
