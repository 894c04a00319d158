"""`Sweeper`: removes what has expired, now and then, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Final, Generic, TypeVar

from ....domain.errors import RopewalkError

LOGGER: Final = logging.getLogger("ropewalk.langgraph")

R = TypeVar("R")


class Told(Generic[R]):
    """Something that was done, for callers who await it and for those who do not."""

    __slots__ = ("result",)

    def __init__(self, result: R) -> None:
        """Hold what came out."""
        self.result = result

    def __await__(self) -> Generator[Any, None, R]:
        """Return what came out, at once."""
        yield from ()
        return self.result

    def __eq__(self, other: object) -> bool:
        """Be equal to what came out."""
        return bool(self.result == other)

    def __hash__(self) -> int:
        """Hash as what came out."""
        return hash(self.result)

    def __bool__(self) -> bool:
        """Be as true as what came out."""
        return bool(self.result)

    def __repr__(self) -> str:
        """Show what came out."""
        return repr(self.result)


class Count(int):
    """A number, for callers who await it and for those who do not."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, int]:
        """Return the number, at once."""
        yield from ()
        return int(self)


class Sweeping(Future[None]):
    """A sweeper at work: done when it has stopped; awaiting it says that it has begun."""

    def __await__(self) -> Generator[Any, None, Sweeping]:
        """Return at once: it was begun before."""
        yield from ()
        return self


class Sweeper:
    """Call a sweep again and again until it is told to stop."""

    def __init__(self, sweep: Callable[[], int]) -> None:
        """Prepare; nothing is done before `start`."""
        self._sweep = sweep
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._running: Sweeping | None = None

    def start(self, interval: float) -> Sweeping:
        """Sweep every `interval` seconds from now on; one that sweeps already goes on as it is."""
        with self._lock:
            if self._running is not None and not self._running.done():
                return self._running
            self._stop = threading.Event()
            self._running = running = Sweeping()
            threading.Thread(
                target=self._work,
                args=(self._stop, running, interval),
                name="ropewalk-ttl-sweeper",
                daemon=True,
            ).start()
            return running

    def stop(self, timeout: float | None = None) -> bool:
        """Stop, waiting `timeout` seconds at most for a sweep under way; tell whether it ended."""
        with self._lock:
            running = self._running
            self._stop.set()
        if running is None:
            return True
        try:
            running.result(timeout)
        except TimeoutError:
            return False
        return True

    def _work(self, stop: threading.Event, running: Sweeping, interval: float) -> None:
        try:
            while not stop.wait(interval):
                try:
                    count = self._sweep()
                except RopewalkError:
                    LOGGER.exception("what has expired could not be swept away; it stays unseen")
                else:
                    LOGGER.debug("swept away %d expired memories", count)
        except BaseException as error:
            running.set_exception(error)
            raise
        running.set_result(None)
