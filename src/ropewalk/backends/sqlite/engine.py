"""`SqliteBackend`: the five verbs on one SQLite file, shared by any number of processes."""

from __future__ import annotations

import asyncio
import os
import threading
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeVar

from ...domain.change import Applied, Batch, Commit
from ...domain.errors import RopewalkError, Unavailable
from ...domain.health import Health, State
from ...domain.limits import check_int64
from ...domain.ports import Capability, Clock
from ...domain.query import Query
from ...domain.record import Key, Record
from ...domain.tally import Tally, check_tally
from . import feed, forks, options, paths, points, read, schema, tallies, vitals
from .connection import Connection
from .errors import speaking_of
from .gate import Gate
from .lane import Lane
from .opening import Sync, open_reader, set_up
from .patience import Patience
from .reader import Read, Reader, Reading
from .writer import Pulse, Write, Writer

T = TypeVar("T")

_BATCHES_AT_ONCE: Final = 256
_GETS_AT_ONCE: Final = 64
_FIRST_STEP: Final = 32
_LONGEST_STEP: Final = 256
_COMMITS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class _House:
    """What an open store consists of: three lanes, in one process."""

    process: int
    pulse: Pulse
    writer: Lane[Write]
    points: Lane[Reading]
    walks: Lane[Reading]

    async def start(self, readers: int) -> None:
        """Begin all threads; raise what keeps one of them from opening its connection."""
        await self.writer.start()
        await self.points.start()
        for _ in range(readers):
            await self.walks.start()

    async def stop(self) -> None:
        """Take nothing in any more, finish what was, and close the writer's connection last."""
        for lane in (self.writer, self.points, self.walks):
            lane.close()
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        for lane in (self.points, self.walks, self.writer):
            lane.join()


class SqliteBackend:
    """Keep records in one SQLite file, for callers on any event loop of the process.

    `sync` "normal" keeps every acknowledged batch when the process dies, "full" also when the
    power fails. `busy_timeout` is how many seconds to wait while another process keeps the file
    locked, `readers` how many scans and tallies run at once, and `verify` lets `ping` check every
    page of the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: Clock,
        sync: Sync = "normal",
        busy_timeout: float = 30.0,
        readers: int = 2,
        verify: bool = False,
    ) -> None:
        given = {"sync": sync, "busy_timeout": busy_timeout, "readers": readers, "verify": verify}
        self._options = options.options_of(given)
        self._clock = clock
        self._path = options.file_at(path)
        self._house: _House | None = None
        self._door = os.getpid(), _door()

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, **given: object) -> SqliteBackend:
        """Make a store from `sqlite:///relative.db` or `sqlite:////absolute.db`.

        Options may stand behind a question mark too; those passed by name count more. Raises
        `Invalid` for an unknown option or a value it cannot have.
        """
        path, written = options.path_of(url)
        chosen = options.options_of({**written, **given})
        return cls(
            path,
            clock=clock,
            sync=chosen.sync,
            busy_timeout=chosen.busy_timeout,
            readers=chosen.readers,
            verify=chosen.verify,
        )

    @property
    def path(self) -> str:
        """The file, as an absolute path."""
        return self._path

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It has every power."""
        return frozenset(Capability)

    async def open(self) -> None:
        """Open the file, creating it where there is none, and bring its schema up to date.

        Opening twice is no error. Raises `Invalid` for a database of another program, `Corrupt`
        for what is no database, `Unavailable` for one of a newer version of this program.
        """
        async with self._alone():
            if self._house is not None:
                self._here()
                return
            given_up = threading.Event()
            opening = asyncio.ensure_future(self._start(given_up))
            try:
                self._house = await _to_the_end(opening, if_cancelled=given_up.set)
            except asyncio.CancelledError:
                if not opening.cancelled() and opening.exception() is None:
                    await self._stop(opening.result())
                raise

    async def close(self) -> None:
        """Finish what was accepted and close the file; closing twice is no error."""
        async with self._alone():
            house, self._house = self._house, None
            # A forked child has neither the threads nor the right to touch the connections.
            if house is not None and house.process == os.getpid():
                await self._stop(house)

    async def ping(self) -> Health:
        """Say whether the store does what it promises, and why not; raises nothing."""
        try:
            house = self._here()
            look = partial(
                vitals.look, path=self._path, pulse=house.pulse, thorough=self._options.verify
            )
            found = await _read(house.points, look)
        except RopewalkError as error:
            return Health(State.DOWN, (str(error),))
        writer = house.writer
        return vitals.judge(replace(found, queued=writer.gate.inside, writer_alive=writer.alive()))

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked, `None` where absent."""
        house = self._here()
        wanted, now = tuple(keys), self._clock.now()
        return await _read(
            house.points, partial(points.records_by_key, keys=wanted, now=now, bodies=bodies)
        )

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none, and return when it is committed.

        Waits while too many batches are under way. Of a caller that is cancelled, a batch that
        waits is dropped, and one that is being written is written.
        """
        house = self._here()
        errand = Write(batch)
        await house.writer.send(errand)
        return await errand.outcome()

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records in the query's order, a page in each short read.

        What no index has in order is sorted once, at the beginning, and then takes 8 bytes of
        memory for each record.
        """
        self._here()
        if query.limit == 0:
            return
        now = self._clock.now()
        walked = paths.is_walked(query)
        stretches = self._pages(query, now) if walked else self._sorted(query, now)
        left = query.limit
        async with aclosing(stretches):
            async for records in stretches:
                for record in records[:left]:
                    yield record
                if left is not None:
                    left -= len(records)
                    if left <= 0:
                        return

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count the matching records and add up labels, by group, all of one moment."""
        check_tally(sums, group_by)
        house = self._here()
        work = partial(
            tallies.tally,
            query=query,
            sums=tuple(sums),
            group_by=tuple(group_by),
            now=self._clock.now(),
        )
        return await _read(house.walks, work)

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits with `seq` greater than `after`, up to the present, in order."""
        position = check_int64(after, field="after")
        end = await _read(self._here().walks, feed.last_seq)
        while position < end:
            page = partial(feed.commits, after=position, until=end, count=_COMMITS_AT_ONCE)
            commits = await _read(self._here().walks, page)
            if not commits:
                return
            for commit in commits:
                yield commit
            position = commits[-1].seq

    async def _pages(self, query: Query, now: int) -> AsyncGenerator[tuple[Record, ...]]:
        """Read page after page, each behind the last record of the one before.

        Where the first look shows that not all of the answer lies along an index, sort it.
        """
        left = query.limit
        # Whoever says how many he wants gets them at once; others may stop after a few.
        step = _FIRST_STEP if left is None else _LONGEST_STEP
        read_page: Callable[..., read.Stretch | None] = read.first_page
        while True:
            count = step if left is None else min(step, left)
            page = partial(read_page, query=query, now=now, count=count)
            stretch = await _read(self._here().walks, page)
            if stretch is None:
                async with aclosing(self._sorted(query, now)) as stretches:
                    async for records in stretches:
                        yield records
                return
            read_page = read.next_page
            yield stretch.records
            if stretch.last:
                return
            if left is not None:
                left -= len(stretch.records)
            query = replace(query, after=query.cursor(stretch.records[-1]))
            step = min(step * 2, _LONGEST_STEP)

    async def _sorted(self, query: Query, now: int) -> AsyncGenerator[tuple[Record, ...]]:
        """List the rows in order once, then read them a few at a time."""

        def begin(connection: Connection) -> tuple[array[int], read.Stretch]:
            listed = read.sorted_rows(connection, query, now=now, at_once=_LONGEST_STEP)
            first = listed[:_LONGEST_STEP]
            return listed, read.next_rows(connection, query, first, now=now)

        rows, stretch = await _read(self._here().walks, begin)
        position = stretch.steps
        yield stretch.records
        while position < len(rows):
            some = rows[position : position + _LONGEST_STEP]
            work = partial(read.next_rows, query=query, rows=some, now=now)
            stretch = await _read(self._here().walks, work)
            position += stretch.steps
            yield stretch.records

    def _here(self) -> _House:
        """Return the open house; raise `Unavailable` where this caller cannot use it."""
        house = self._house
        if house is None:
            message = f"the store {self._path} is not open: open it first, or open another one"
            raise Unavailable(message, code="closed", path=self._path)
        if house.process != os.getpid():
            raise forks.forked(self._path)
        return house

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """Let opening and closing take turns, whatever loops they are called on."""
        process, door = self._door
        if process != os.getpid():
            # Somebody may have stood in it in the process that this one was forked from.
            door = _door()
            self._door = os.getpid(), door
        await door.enter(0)
        try:
            yield
        finally:
            door.leave(0)

    async def _start(self, given_up: threading.Event) -> _House:
        pulse = Pulse()
        house = _House(
            process=os.getpid(),
            pulse=pulse,
            writer=Lane(
                partial(self._hire_writer, given_up, pulse),
                name="writer",
                most_at_once=_BATCHES_AT_ONCE,
            ),
            points=Lane(
                partial(self._hire_reader, given_up), name="points", most_at_once=_GETS_AT_ONCE
            ),
            walks=Lane(partial(self._hire_reader, given_up), name="walks", most_at_once=1),
        )
        forks.take(self._path)
        try:
            await house.start(self._options.readers)
        except BaseException:
            await self._stop(house)
            raise
        return house

    async def _stop(self, house: _House) -> None:
        try:
            await _to_the_end(asyncio.ensure_future(house.stop()))
        finally:
            forks.release(self._path)

    def _hire_writer(self, given_up: threading.Event, pulse: Pulse) -> Writer:
        patience = Patience(self._options.busy_timeout, given_up)
        with speaking_of(self._path):
            connection = Connection(self._path, patience, create=True)
            try:
                schema.recognise(connection, self._path)
                set_up(connection, self._path, sync=self._options.sync, patience=patience)
                schema.migrate(connection, self._path)
                return Writer(connection, self._path, clock=self._clock, pulse=pulse)
            except BaseException:
                connection.close()
                raise

    def _hire_reader(self, given_up: threading.Event) -> Reader:
        with speaking_of(self._path):
            patience = Patience(self._options.busy_timeout, given_up)
            return Reader(open_reader(self._path, patience), self._path)


def _door() -> Gate:
    return Gate(most=1, most_bytes=1)


async def _read(lane: Lane[Reading], work: Callable[[Connection], T]) -> T:
    errand = Read(work)
    await lane.send(errand)
    return await errand.outcome()


async def _to_the_end(
    work: asyncio.Future[T], if_cancelled: Callable[[], object] | None = None
) -> T:
    """Wait for the end of `work`, and only then let a cancellation of the caller through."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            cancelled = error
            if if_cancelled is not None:
                if_cancelled()
    if cancelled is not None:
        raise cancelled
    return work.result()
