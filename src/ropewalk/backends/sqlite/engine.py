"""`SqliteBackend`: the five verbs on one SQLite file, shared by any number of processes."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from ...domain.change import Applied, Batch, Commit
from ...domain.errors import RopewalkError, Unavailable
from ...domain.health import Health, State
from ...domain.limits import check_int64
from ...domain.paging import Portion
from ...domain.ports import Capability, Clock
from ...domain.query import Query
from ...domain.record import Key, Record
from ...domain.tally import Tally, check_tally
from ..watch import Watch
from . import forks, lean, options, points, scanning, schema, shapes, tallies, vitals
from .connection import Connection
from .errors import speaking_of
from .express import Express
from .gate import Gate
from .house import House
from .lane import Lane
from .opening import Sync, open_reader, set_up
from .patience import Patience
from .pulse import Pulse
from .reader import Reader
from .telling import tell
from .trimming import Trimmer, Trimming
from .upgrading import SqliteSchema, bring_up
from .watch import Lookout
from .writer import Writer

T = TypeVar("T")

_EVERY: Final = frozenset(Capability)

_BATCHES_AT_ONCE: Final = 256
_GETS_AT_ONCE: Final = 64


class SqliteBackend:
    """Keep records in one SQLite file, for callers on any event loop of the process.

    `sync` "normal" keeps every acknowledged batch when the process dies, "full" also when the
    power fails. `busy_timeout` is how many seconds to wait while another process keeps the file
    locked, `readers` how many scans and tallies run at once, and `verify` lets `ping` check every
    page of the file. `loop_budget` is how many milliseconds of each turn of an event loop may be
    spent on what is short, without the way to a thread and back; 0 sends everything to threads.
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
        loop_budget: float = 1.0,
    ) -> None:
        self._options = options.options_of(
            {
                "sync": sync,
                "busy_timeout": busy_timeout,
                "readers": readers,
                "verify": verify,
                "loop_budget": loop_budget,
            }
        )
        self._clock = clock
        self._path = options.file_at(path)
        self._house: House | None = None
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
            loop_budget=chosen.loop_budget,
        )

    @property
    def path(self) -> str:
        """The file, as an absolute path."""
        return self._path

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It has every power."""
        return _EVERY

    @property
    def schema(self) -> SqliteSchema:
        """The schema of the file, which need not be open for it."""
        timeout = self._options.busy_timeout
        return SqliteSchema(self._path, clock=self._clock, busy_timeout=timeout)

    async def open(self) -> None:
        """Open the file, creating it where there is none, and bring its schema up to date.

        A file is copied before anything in it is rewritten for that. Opening twice is no error.
        Raises `Invalid` for a database of another program, `Corrupt` for what is no database,
        `Unavailable` for one of a newer version of this program.
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

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say whether the store does what it promises, and why not; raises nothing.

        With `thorough`, every page, row and index entry of the file is looked at.
        """
        try:
            house = self._here()
            depth = vitals.depth(thorough=thorough, verify=self._options.verify)
            pulse = house.pulse
            look = partial(vitals.look, path=self._path, pulse=pulse, depth=depth, rows=thorough)
            found = await house.read(house.walks if thorough else house.points, look)
        except RopewalkError as error:
            return Health(State.DOWN, (str(error),))
        writer, cache = house.writer, house.cache_use(found.cache)
        queued, alive = writer.gate.inside, writer.alive()
        found = replace(found, queued=queued, writer_alive=alive, cache=cache)
        return vitals.judge(found)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked, `None` where absent."""
        house, now = self._here(), self._clock.now()
        express = house.express
        if len(keys) != 1 or express is None:
            wanted = tuple(keys)
            work = partial(points.records_by_key, keys=wanted, now=now, bodies=bodies)
            shape = shapes.of_keys(wanted)
            if express is None or shape is None or not wanted or not lean.split(wanted[0].id):
                return await house.read(house.points, work, shape=shape)
            together = partial(points.lean_at_once, keys=wanted, bodies=bodies)
            return await express.read(house.points, work, shape=shape, alone=together)
        key = keys[0]

        # Every load calls it: a `partial` with names would take three times as long for that.
        def alone(connection: Connection) -> list[Record | None] | None:
            return points.record_at_once(connection, key, now=now, bodies=bodies)

        if express.door.is_open():
            found = express.read_at_once(alone, shape=shapes.ONE)
            if found is not None:
                return found
        work = partial(points.records_by_key, keys=(key,), now=now, bodies=bodies)
        return await express.read(house.points, work, shape=shapes.ONE, alone=alone)

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none, and return when it is committed.

        Waits while too many batches are under way. Of a caller that is cancelled, a batch that
        waits is dropped, and one that is being written is written.
        """
        return await self._here().apply(batch)

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records in the query's order, a page in each short read.

        What no index has in order is sorted once, at the beginning, and then takes 8 bytes of
        memory for each record.
        """
        return scanning.scan(self._here, query, self._clock.now)

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer, `None` where it has to be sorted first."""
        return await scanning.page(self._here(), query, self._clock.now())

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
        return await house.read(house.walks, work, shape=shapes.of_tally(query, sums, group_by))

    def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits with `seq` greater than `after`, up to the present, in order.

        Raises `NotFound` with the code `trimmed` where the next of them were forgotten.
        """
        return tell(self._here, check_int64(after, field="after"))

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit as soon as it is greater than `after`."""
        return await self._here().watch.changed(check_int64(after, field="after"))

    async def trim(self, before: int) -> int:
        """Forget the commits with `seq` less than `before`, a few at a time; the newest stays."""
        return await self._here().trimming.trim(check_int64(before, field="before"))

    def _here(self) -> House:
        """Return the open house; raise `Unavailable` where this caller cannot use it."""
        house = self._house
        if house is None:
            raise self._closed()
        if house.process != os.getpid():
            raise forks.forked(self._path)
        return house

    def _closed(self) -> Unavailable:
        message = f"the store {self._path} is not open: open it first, or open another one"
        return Unavailable(message, code="closed", path=self._path)

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

    async def _start(self, given_up: threading.Event) -> House:
        pulse = Pulse()
        watch = Watch(
            partial(self._hire_lookout, given_up, pulse),
            name="watch",
            file=f"{self._path}-wal",
            closed=self._closed,
        )
        pulse.stir = watch.stir
        hired: list[Writer] = []
        house = House(
            process=os.getpid(),
            pulse=pulse,
            writer=Lane(
                partial(self._hire_writer, given_up, pulse, hired),
                name="writer",
                most_at_once=_BATCHES_AT_ONCE,
            ),
            points=Lane(
                partial(self._hire_reader, given_up), name="points", most_at_once=_GETS_AT_ONCE
            ),
            walks=Lane(partial(self._hire_reader, given_up), name="walks", most_at_once=1),
            watch=watch,
            trimming=Trimming(partial(self._hire_trimmer, given_up)),
        )
        forks.take(self._path)
        try:
            await house.start(self._options.readers)
        except BaseException:
            await self._stop(house)
            raise
        if self._options.loop_budget:
            budget, writes = self._options.loop_budget / 1_000, self._options.sync == "normal"
            house.express = Express(house.writer, hired[0], budget=budget, writes=writes)
        return house

    async def _stop(self, house: House) -> None:
        try:
            await _to_the_end(asyncio.ensure_future(house.stop()))
        finally:
            forks.release(self._path)

    def _hire_writer(self, given_up: threading.Event, pulse: Pulse, hired: list[Writer]) -> Writer:
        patience = Patience(self._options.busy_timeout, given_up)
        with speaking_of(self._path), ExitStack() as opened:
            connection = Connection(self._path, patience, create=True)
            opened.callback(connection.close)
            schema.recognise(connection, self._path)
            set_up(connection, self._path, sync=self._options.sync, patience=patience)
            bring_up(connection, self._path, patience, clock=self._clock)
            beside: list[Connection] = []
            for _ in range(2 if self._options.loop_budget else 0):
                beside.append(open_reader(self._path, patience))
                opened.callback(beside[-1].close)
            writer = Writer(connection, self._path, clock=self._clock, pulse=pulse, beside=beside)
            opened.pop_all()
        hired.append(writer)
        return writer

    def _hire_lookout(self, given_up: threading.Event, pulse: Pulse) -> Lookout:
        with speaking_of(self._path):
            patience = Patience(self._options.busy_timeout, given_up)
            return Lookout(open_reader(self._path, patience), self._path, pulse.file)

    def _hire_trimmer(self, given_up: threading.Event) -> Trimmer:
        with speaking_of(self._path):
            patience = Patience(self._options.busy_timeout, given_up)
            return Trimmer(Connection(self._path, patience), self._path)

    def _hire_reader(self, given_up: threading.Event) -> Reader:
        with speaking_of(self._path):
            patience = Patience(self._options.busy_timeout, given_up)
            return Reader(open_reader(self._path, patience), self._path)


def _door() -> Gate:
    return Gate(most=1, most_bytes=1)


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
