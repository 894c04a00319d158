"""A lane: one queue between event loops and threads, each with a connection of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, Generic, Protocol, TypeVar

from ...domain.errors import Unavailable
from .gate import Gate

R = TypeVar("R")

MOST: Final = 8_192
MOST_BYTES: Final = 64 * 1024 * 1024
"""What may be under way in a lane at once; more waits at its gate."""


TOLD_AT_ONCE: Final = 8
"""So many callers go on in one turn of a loop. Each has work to do then, some tenths of a
millisecond of opening bodies or preparing the next batch; a hundred would keep timers waiting."""


class Errand(Generic[R]):
    """Something a caller waits for: its outcome is noted in a thread and told on his loop.

    `loop` is the event loop on which he waits.
    """

    __slots__ = ("_error", "_future", "_result", "loop", "size")

    def __init__(self, *, size: int = 0) -> None:
        self.size = size
        self.loop = asyncio.get_running_loop()
        # Made when somebody waits: what is done at once needs none.
        self._future: asyncio.Future[R] | None = None
        self._result: list[R] = []
        self._error: BaseException | None = None

    def abandoned(self) -> bool:
        """Tell whether nobody waits for it any more: its caller was cancelled."""
        return self._future is not None and self._future.cancelled()

    def set_result(self, result: R) -> None:
        """Note, in a thread, what came out."""
        self._result, self._error = [result], None

    def set_exception(self, error: BaseException) -> None:
        """Note, in a thread, that it failed."""
        self._result, self._error = [], error

    def result(self) -> R:
        """Return or raise the outcome that was noted."""
        if self._error is not None:
            raise self._error
        return self._result[0]

    def settle(self) -> None:
        """Tell the outcome to the caller, on his loop, if he still waits."""
        future = self._told()
        if future.done():
            return
        if self._error is not None:
            future.set_exception(self._error)
        elif self._result:
            future.set_result(self._result[0])
        else:
            message = "nobody noted what came out of this call; that is a bug of the store"
            future.set_exception(Unavailable(message, code="lost"))

    async def outcome(self) -> R:
        """Wait for the outcome."""
        return await self._told()

    def _told(self) -> asyncio.Future[R]:
        # On the caller's loop alone, so nobody else can be making it.
        if self._future is None:
            self._future = self.loop.create_future()
        return self._future


class Anything(Protocol):
    """What a lane must know of an errand."""

    size: int

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop on which the caller waits."""
        ...

    def abandoned(self) -> bool:
        """Tell whether nobody waits for it any more."""
        ...

    def set_exception(self, error: BaseException) -> None:
        """Note that it failed."""
        ...

    def settle(self) -> None:
        """Tell the outcome to the caller."""
        ...


E = TypeVar("E", bound=Anything)


class Hand(Protocol[E]):
    """Who works in a thread of a lane, with a connection of his own."""

    def serve(self, errands: list[E]) -> None:
        """Note the outcome of every errand; what is raised is the outcome of them all."""
        ...

    def rest(self) -> float | None:
        """Do what can wait until the outcomes are told.

        Returns in how many seconds it wants to be called again if no errand comes before, `None`
        for not at all.
        """
        ...

    def leave(self) -> None:
        """Close the connection."""
        ...


class Lane(Generic[E]):
    """Carry errands to the threads behind it and their outcomes back, many at a time.

    Errands may come from any event loop. `most_at_once` is how many waiting errands one thread
    takes together. An errand whose caller was cancelled before its turn is dropped.
    """

    def __init__(self, hire: Callable[[], Hand[E]], *, name: str, most_at_once: int) -> None:
        self.gate = Gate(most=MOST, most_bytes=MOST_BYTES)
        self._hire = hire
        self._name = name
        self._most_at_once = most_at_once
        self._lock = threading.Lock()
        self._queue: SimpleQueue[Sequence[E] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._closed = False

    async def start(self) -> None:
        """Begin one more thread; raise what kept it from opening its connection."""
        ready: Errand[None] = Errand()
        thread = threading.Thread(
            target=self._work, args=(ready,), name=f"ropewalk-{self._name}", daemon=True
        )
        thread.start()
        self._threads.append(thread)
        await ready.outcome()

    async def send(self, errand: E) -> None:
        """Hand over an errand, as soon as there is room; raise `Unavailable` if it closes first."""
        await self.gate.enter(errand.size)
        if not self._put([errand]):
            self.gate.leave(errand.size)
            raise _closed()

    def hand_over(self, errands: Sequence[E]) -> None:
        """Hand over errands that are behind the gate already, from any thread."""
        if not self._put(errands):
            for errand in errands:
                errand.set_exception(_closed())
                self.gate.leave(errand.size)
            _tell(errands)

    def wake(self) -> None:
        """Let one thread rest anew: there is something that it does not know of."""
        self._put(())

    def _put(self, errands: Sequence[E]) -> bool:
        # Nothing may come into the queue behind the word that ends the work.
        with self._lock:
            if not self._closed:
                self._queue.put(errands)
            return not self._closed

    def alive(self) -> bool:
        """Tell whether every thread is at work."""
        return all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Take nothing in any more; what was taken in is still done."""
        with self._lock:
            self._closed = True
        self.gate.close(_closed)

    def join(self) -> None:
        """Wait, in another thread than the loop's, until all is done and the connections closed."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, ready: Errand[None]) -> None:
        try:
            hand = self._hire()
        except BaseException as error:  # noqa: BLE001 (it is raised where `start` waits)
            ready.set_exception(error)
            _tell([ready])
            return
        ready.set_result(None)
        _tell([ready])
        try:
            wait: float | None = None
            while (errands := self._next(wait)) is not None:
                wait = self._serve(hand, errands) if errands else hand.rest()
        finally:
            hand.leave()

    def _next(self, wait: float | None) -> list[E] | None:
        """Wait for errands and take what waits, in order; `None` means that the work is over.

        Returns none of them after `wait` seconds, or when it is woken.
        """
        errands: list[E] = []
        try:
            some = self._queue.get(timeout=wait)
            while some is not None:
                errands += some
                if len(errands) >= self._most_at_once or self._queue.empty():
                    return errands
                some = self._queue.get_nowait()
        except Empty:
            return errands
        if not errands:
            return None
        # Every thread gets one such word, and has to hear it again when it is done here.
        self._queue.put(None)
        return errands

    def _serve(self, hand: Hand[E], errands: list[E]) -> float | None:
        wanted = [errand for errand in errands if not errand.abandoned()]
        if wanted:
            try:
                hand.serve(wanted)
            except BaseException as error:  # noqa: BLE001 (it is raised where the callers wait)
                for errand in wanted:
                    errand.set_exception(error)
        # Who waits for room shall not have to wait for the loops of others.
        for errand in errands:
            self.gate.leave(errand.size)
        _tell(errands)
        return hand.rest()


def _tell(errands: Sequence[Anything]) -> None:
    """Tell the outcomes, all of one loop at once."""
    if len(errands) == 1:
        with suppress(RuntimeError):
            errands[0].loop.call_soon_threadsafe(errands[0].settle)
        return
    groups: dict[asyncio.AbstractEventLoop, list[Anything]] = {}
    for errand in errands:
        groups.setdefault(errand.loop, []).append(errand)
    for loop, group in groups.items():
        # A loop that was closed has nobody left who could wait for an outcome.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, group)


def _settle(errands: Sequence[Anything]) -> None:
    """Tell outcomes to callers on this loop: to a few in each turn, which all go on in the next."""
    for errand in errands[:TOLD_AT_ONCE]:
        errand.settle()
    rest = errands[TOLD_AT_ONCE:]
    if rest:
        asyncio.get_running_loop().call_soon(_settle, rest)


def _closed() -> Unavailable:
    message = "the store is being closed; open it again, or another one"
    return Unavailable(message, code="closed")
