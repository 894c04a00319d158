"""What is short is done at once, on the thread of the caller's loop; what is not goes to a lane.

A loop may use up so much time of each of its turns (`Turn`). What comes later in the turn waits for
its end, in order; what comes from a second loop meanwhile, what takes long, and every commit that
must reach the disk is carried by the lanes.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple, TypeAlias, TypeVar

import apsw

from ...domain.change import Applied
from ...domain.errors import RopewalkError
from .connection import Connection
from .lane import TOLD_AT_ONCE, Lane
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

_SHARE: Final = 0.25
"""So much of a turn's budget goes to what was parked in the turn before."""

_MOST_CHANGES: Final = 16
_MOST_BYTES: Final = 64 * 1024
"""A batch of more is written by the thread."""

_WRITING: Final = "apply"
"""The shape of every batch."""


class _Parked(NamedTuple):
    """A read that waits for the end of the turn, and the lane that would do it otherwise."""

    read: Reading
    lane: Lane[Reading]
    shape: Hashable


class Express:
    """Do short reads, and with `writes` short batches, on the thread of the loop that asks.

    The connection of `writer` is used, and while that is busy another one for reads. `budget` is
    seconds. What is odd in any way is left to a thread, which meets it again and tells it.
    """

    def __init__(self, lane: Lane[Write], writer: Writer, *, budget: float, writes: bool) -> None:
        self._lane = lane
        self._writer = writer
        self._seats = writer.seats
        self._budget = budget
        self._longest = LATE * budget
        self._writes = writes
        self._pace = Pace(self._longest)
        self._turn = Turn(budget, at_end=self._at_end, lost=self._abandon)
        self._lock = threading.Lock()
        self._closed = False
        self._parked: deque[_Parked] = deque()
        self._pending: list[Write] = []
        self._group = 0

    async def read(
        self, lane: Lane[Reading], work: Callable[[Connection], T], *, shape: Hashable
    ) -> T:
        """Do a read here or in its lane; `shape` is what such reads have in common."""
        now = time.perf_counter()
        if self._pace.is_quick(shape, now) and self._turn.is_mine(now):
            if not self._parked and self._turn.has_time(now):
                found = self._look(work, shape, now)
                if found is not None:
                    return found[0]
            elif lane.gate.try_enter(0):
                read = Read(work)
                self._park(_Parked(read, lane, shape))
                return await read.outcome()
        read = Read(work)
        await lane.send(read)
        return await read.outcome()

    def read_at_once(self, work: Callable[[Connection], T | None], *, shape: Hashable) -> T | None:
        """Do a read of one statement here and now, outside any snapshot.

        Returns `None` where that cannot be, or where `work` does: then `read` is the way.
        """
        now = time.perf_counter()
        if self._parked or not (self._pace.is_quick(shape, now) and self._turn.is_open(now)):
            return None
        for seat in self._seats:
            if seat.take():
                try:
                    found = self._try(seat.read_alone, work, shape, now)
                finally:
                    seat.leave()
                return found[0] if found else None
        return None

    async def apply(self, write: Write) -> Applied:
        """Apply a batch: at once, together with others at the end of the turn, or in the lane."""
        lane, now = self._lane, time.perf_counter()
        if not (self._may_write(write, now) and lane.gate.try_enter(write.size)):
            write.hold()
            await lane.send(write)
        elif self._group <= _FEW and lane.gate.inside == 1 and self._turn.has_time(now):
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
            parked, self._parked = self._parked, deque()
            pending, self._pending = self._pending, []
        for read, lane, _ in parked:
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

    def _park(self, parked: _Parked) -> None:
        with self._lock:
            if not self._closed:
                self._parked.append(parked)
                return
        parked.lane.hand_over([parked.read])

    def _collect(self, write: Write) -> None:
        with self._lock:
            if not self._closed:
                self._pending.append(write)
                return
        self._lane.hand_over([write])

    def _look(
        self, work: Callable[[Connection], T], shape: Hashable, now: float
    ) -> tuple[T] | None:
        """Do a read now, unless both connections are taken."""
        for seat in self._seats:
            if seat.take():
                try:
                    return self._try(seat.read, work, shape, now)
                finally:
                    seat.leave()
        return None

    def _try(
        self, read: _Way[T], work: Callable[[Connection], T], shape: Hashable, now: float
    ) -> tuple[T] | None:
        """Do a read on a seat that is taken, unless it is broken off, or it is odd."""
        try:
            found = read(work, now + self._longest)
        except apsw.InterruptError:
            self._pace.note_broken_off(shape, time.perf_counter())
            return None
        except _ODD:
            return None
        end = time.perf_counter()
        self._pace.note(shape, end - now, end)
        return (found,)

    def _write(self, writes: Sequence[Write]) -> int:
        """Commit as many batches as there is time for; return how many have an outcome."""
        begin = time.perf_counter()
        # Only the next of several is not begun, so for one the thread's time need not be asked.
        until = time.thread_time() + self._budget if len(writes) > 1 else math.inf
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
        self._read_parked()
        return bool(self._parked or self._pending)

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

    def _read_parked(self) -> None:
        """Do what was parked, in order: a few reads while there is time, but one at least.

        Whoever gets an answer here goes on in the next turn, mostly for longer than the read took.
        """
        if self._parked:
            taken = [seat for seat in self._seats if seat.take()]
            try:
                self._unpark(taken[0] if taken else None)
            finally:
                for seat in taken:
                    seat.leave()
        for seat in self._seats:
            seat.let_go()

    def _unpark(self, seat: Seat | None) -> None:
        if seat is not None:
            # All of them were asked before this: they may see one moment, from here on.
            seat.end()
        now = time.perf_counter()
        end = now + _SHARE * self._budget
        for _ in range(TOLD_AT_ONCE):
            with self._lock:
                if not self._parked or now > end:
                    break
                read, lane, shape = self._parked.popleft()
            done = None
            try:
                if seat is not None and not read.abandoned():
                    done = self._try(seat.read_on, read.run, shape, now)
            finally:
                # What a thread comes to instead is told; nobody shall wait for ever.
                if done is None:
                    lane.hand_over([read])
            if done is not None:
                read.settle()
                lane.gate.leave(0)
            now = time.perf_counter()

    def _abandon(self) -> None:
        """Forget what callers of a loop that was closed have left behind."""
        with self._lock:
            parked, self._parked = self._parked, deque()
            pending, self._pending = self._pending, []
        for _, lane, _ in parked:
            lane.gate.leave(0)
        for write in pending:
            self._lane.gate.leave(write.size)
