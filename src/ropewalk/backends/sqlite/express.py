"""What is short is done at once, on the thread of the caller's loop; what is not goes to a lane.

A loop may use up so much time of each of its turns. Whoever reads later in the turn stands in line
for the next ones (`Door`), and what is written later is collected until its end (`Turn`). What
comes from a second loop meanwhile, what takes long, and every commit that must reach the disk is
carried by the lanes.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Final, TypeAlias, TypeVar

import apsw

from ...domain.change import Applied
from ...domain.errors import RopewalkError
from ...door import DOOR, Door
from .connection import Connection
from .lane import Lane
from .pace import Pace
from .reader import Read, Reading
from .seat import Seat
from .turn import LATE, Turn
from .writer import Write, Writer

T = TypeVar("T")

_Way: TypeAlias = Callable[[Callable[[Connection], T], float], T]
"""How a seat reads: what it is to do, and until when."""

_ODD: Final = (apsw.Error, RopewalkError, UnicodeError, OverflowError)

_FEW: Final = 2
"""So many batches at the end of the last turn are as good as one: the next need not wait for it."""

_GROUP: Final = 16
"""A transaction on the loop has so many batches at most; the others wait for the next turn."""

_MOST_CHANGES: Final = 16
_MOST_BYTES: Final = 64 * 1024
"""A batch of more is written by the thread."""

_WRITING: Final = "apply"
"""The shape of every batch."""


class Express:
    """Do short reads, and with `writes` short batches, on the thread of the loop that asks.

    The connection of `writer` is used, and while that is busy another one for reads. `budget` is
    seconds. What is odd in any way is left to a thread, which meets it again and tells it.
    """

    def __init__(self, lane: Lane[Write], writer: Writer, *, budget: float, writes: bool) -> None:
        self._lane = lane
        self._writer = writer
        self._seats = writer.seats
        self.door = Door(budget)
        self._writing = budget
        self._longest = LATE * budget
        self._writes = writes
        self._pace = Pace(self._longest)
        self._turn = Turn(budget, at_end=self._at_end, lost=self._abandon)
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: dict[Reading, Lane[Reading]] = {}
        self._pending: list[Write] = []
        self._group = 0

    async def read(
        self,
        lane: Lane[Reading],
        work: Callable[[Connection], T],
        *,
        shape: Hashable,
        alone: Callable[[Connection], T | None] | None = None,
    ) -> T:
        """Do a read here or in its lane; `shape` is what such reads have in common.

        With `alone`, that is tried first, as `read_at_once` does.
        """
        read = Read(work)
        if self._pace.is_quick(shape, time.perf_counter()):
            if not (self.door.is_open() or await self._comes_here(read, lane)):
                return await read.outcome()
            found = alone and self.read_at_once(alone, shape=shape)
            if found is not None:
                return found
            now = time.perf_counter()
            if self._turn.is_mine(now):
                for seat in self._seats:
                    if seat.take():
                        done = self._read(seat, seat.read, work, shape, now)
                        if done is not None:
                            return done[0]
                        break
        await lane.send(read)
        return await read.outcome()

    async def _comes_here(self, read: Reading, lane: Lane[Reading]) -> bool:
        """Stand in line; return False where the lane does the read, since the store closes."""
        with self._lock:
            self._waiting[read] = lane
        try:
            await self.door.enter()
        finally:
            with self._lock:
                here = self._waiting.pop(read, None) is not None
        return here

    def read_at_once(self, work: Callable[[Connection], T | None], *, shape: Hashable) -> T | None:
        """Do a read of one statement here and now, outside any snapshot.

        Whoever calls has come in by the `door`. Returns `None` where that cannot be, or where
        `work` does: then `read` is the way.
        """
        now = time.perf_counter()
        if self._pace.is_quick(shape, now):
            for seat in self._seats:
                if seat.take():
                    found = self._read(seat, seat.read_alone, work, shape, now)
                    return found[0] if found else None
        return None

    async def apply(self, write: Write) -> Applied:
        """Apply a batch: at once, together with others at the end of the turn, or in the lane."""
        lane, now = self._lane, time.perf_counter()
        if not (self._may_write(write, now) and lane.gate.try_enter(write.size)):
            write.hold()
            await lane.send(write)
        elif (
            self._group <= _FEW
            and lane.gate.inside == 1
            and self._turn.has_time(now)
            # A crowd's batches are few in each turn, and dearer one by one than together.
            and not DOOR.is_crowded()
        ):
            if self._write([write]):
                return write.result()
            write.hold()
            lane.hand_over([write])
        else:
            write.hold()
            self._collect(write)
        return await write.outcome()

    def cache_use(self) -> tuple[int, int]:
        """Return the pages that its connections found in memory, and those they read."""
        hits, misses = zip(*(seat.cache_use() for seat in self._seats), strict=True)
        return sum(hits), sum(misses)

    def close(self) -> None:
        """Take nothing in any more, and leave what waits to the lanes."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = self._waiting, {}
            pending, self._pending = self._pending, []
        for read, lane in waiting.items():
            lane.gate.admit(0)
            lane.hand_over([read])
        self._lane.hand_over(pending)

    def _may_write(self, write: Write, now: float) -> bool:
        batch = write.batch
        return (
            self._writes
            and write.size <= _MOST_BYTES
            and len(batch.changes) <= _MOST_CHANGES
            and not batch.seen
            and not write.declares
            and self._pace.is_quick(_WRITING, now)
            and self._turn.is_mine(now)
        )

    def _collect(self, write: Write) -> None:
        with self._lock:
            if not self._closed:
                self._pending.append(write)
                return
        self._lane.hand_over([write])

    def _read(
        self,
        seat: Seat,
        read: _Way[T],
        work: Callable[[Connection], T],
        shape: Hashable,
        now: float,
    ) -> tuple[T] | None:
        """Do a read on a seat that is taken and leave it; `None` if broken off, or odd."""
        try:
            found = read(work, now + self._longest)
        except apsw.InterruptError:
            self._pace.note_broken_off(shape, time.perf_counter())
            return None
        except _ODD:
            return None
        finally:
            seat.leave()
        end = time.perf_counter()
        self._pace.note(shape, end - now, end)
        return (found,)

    def _write(self, writes: Sequence[Write]) -> int:
        """Commit as many batches as there is time for; return how many have an outcome."""
        begin = time.perf_counter()
        # Only the next of several is not begun, so for one the thread's time need not be asked.
        until = time.thread_time() + self._writing if len(writes) > 1 else math.inf
        done = self._writer.serve_at_once(writes, until=until)
        if done:
            end = time.perf_counter()
            self._pace.note(_WRITING, (end - begin) / done, end)
            for write in writes[:done]:
                self._lane.gate.leave(write.size)
            if self._writer.wants_rest():
                self._lane.wake()
        return done

    def _at_end(self) -> bool:
        """End the turn: commit what was collected, read what waited, and end the snapshots."""
        self._write_collected()
        self._turn.renew(time.perf_counter())
        for seat in self._seats:
            seat.let_go()
        return bool(self._pending)

    def _write_collected(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        if not pending:
            return
        lane = self._lane
        self._group = len(pending)
        if lane.gate.inside != len(pending):
            # Others are with the thread: it writes these behind them.
            lane.hand_over(pending)
            return
        wanted: list[Write] = []
        for write in pending[:_GROUP]:
            if write.abandoned():
                lane.gate.leave(write.size)
            else:
                wanted.append(write)
        done = 0
        try:
            if wanted:
                done = self._write(wanted)
        finally:
            for write in wanted[:done]:
                write.settle()
            left = [*wanted[done:], *pending[_GROUP:]]
            if done or not wanted:
                self._put_back(left)
            else:
                lane.hand_over(left)

    def _put_back(self, writes: Sequence[Write]) -> None:
        """Let batches that there was no time for be the first of the next turn."""
        with self._lock:
            if not self._closed:
                self._pending[:0] = writes
                return
        self._lane.hand_over(writes)

    def _abandon(self) -> None:
        """Forget what callers of a loop that was closed have left behind."""
        with self._lock:
            pending, self._pending = self._pending, []
        for write in pending:
            self._lane.gate.leave(write.size)
