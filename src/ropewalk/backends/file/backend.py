"""`FileBackend`: the five verbs over a folder, each done by the store's own thread."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ...domain.change import Applied, Batch, Commit
from ...domain.errors import Unavailable
from ...domain.health import Health, State
from ...domain.limits import check_int64
from ...domain.ports import Capability, Clock
from ...domain.query import Query
from ...domain.record import Key, Record
from ...domain.tally import Tally, check_tally
from ...door import Door
from ..budget import LOOP_BUDGET
from ..watch import Watch
from . import batches, trimming
from .address import Options, Sync, parse
from .folder import Folder
from .form import FolderSchema
from .health import examine
from .layout import COMMITS
from .pages import Scan
from .refusal import refusal
from .watch import Lookout

T = TypeVar("T")

_ROWS: Final = 256
"""Commits read at once for the feed."""


class FileBackend:
    """Keep each record in a file of its own, in a folder that people can read.

    A batch is in the journal before it is acknowledged, and is there as a whole or not at all,
    whatever dies. Several processes may have the folder open: one writes at a time, and nobody
    sees half of a batch. Headers are held in memory, bodies are not, so memory grows with the
    number of records. Files changed by hand are noticed when the store is opened.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        clock: Clock,
        sync: Sync = "full",
        lock_timeout: float = 30.0,
        min_free_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        """Name the folder; `open` makes it. `Options` says what the others mean."""
        self._options = Options(sync=sync, lock_timeout=lock_timeout, min_free_bytes=min_free_bytes)
        self._clock = clock
        self._folder = Folder(Path(root).absolute())
        self._worker: ThreadPoolExecutor | None = None
        self._watch: Watch | None = None
        self._process = os.getpid()
        # Only for what comes in pages: between any two calls the loop has its turn anyway.
        self._door = Door(LOOP_BUDGET / 1_000)

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, **options: object) -> FileBackend:
        """Make a store from `file:///relative/folder` or `file:////absolute/folder`.

        Raises `Invalid` for an unknown option, naming the nearest, and for a bad value.
        """
        root, chosen = parse(url, options)
        return cls(
            root,
            clock=clock,
            sync=chosen.sync,
            lock_timeout=chosen.lock_timeout,
            min_free_bytes=chosen.min_free_bytes,
        )

    @property
    def root(self) -> Path:
        """The folder, as an absolute path."""
        return self._folder.disk.root

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It has every power there is."""
        return frozenset({Capability.DURABLE, Capability.SHARED, Capability.FEED, Capability.TALLY})

    @property
    def schema(self) -> FolderSchema:
        """The format of the folder, which need not be open for it."""
        return FolderSchema(self.root, lock_timeout=self._options.lock_timeout)

    async def open(self) -> None:
        """Read every header, making the folder where there is none; opening twice is no error.

        Finishes or drops what a dead process left. Raises `Invalid` for a folder that holds other
        things, and on a platform that cannot lock files.
        """
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="ropewalk-file")
            self._process = os.getpid()
            log = str(self.root / COMMITS)
            self._watch = Watch(self._look, name="file-watch", file=log, closed=self._closed)
        await self._run(self._folder.open)

    async def close(self) -> None:
        """Finish what was accepted, then let go of everything; closing twice is no error."""
        worker, self._worker = self._worker, None
        watch, self._watch = self._watch, None
        if worker is None:
            return
        if self._process != os.getpid():
            # What is open belongs to the process that this one was forked from.
            self._folder = Folder(self.root)
            return
        # Behind everything that was accepted before; a caller who is cancelled does not stop it.
        loop = asyncio.get_running_loop()
        closing = loop.run_in_executor(worker, self._guarded, self._folder.close, self._deadline())
        worker.shutdown(wait=False)
        if watch is not None:
            watch.close()
            await asyncio.shield(asyncio.to_thread(watch.join))
        await asyncio.shield(closing)

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say whether the store does what it promises, and why not; raises nothing.

        With `thorough`, every record's file is read again.
        """
        problem = self._problem()
        if problem is not None:
            await asyncio.sleep(0)
            return Health(State.DOWN, (problem.message,))
        return await self._run(
            lambda deadline: examine(
                self._folder,
                min_free=self._options.min_free_bytes,
                deadline=deadline,
                thorough=thorough,
            )
        )

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` in the order asked, `None` where absent.

        Raises `Corrupt`, naming it, for a record whose file is damaged.
        """
        wanted = tuple(keys)
        return await self._run(lambda deadline: self._get(wanted, deadline, bodies=bodies))

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none; return when it is as safe as `sync` says.

        Raises `Unavailable` with the code "unfinished" where the disk broke it off so that only
        applying it again can tell whether it was done.
        """
        durable = self._options.sync == "full"
        return await self._run(lambda deadline: self._apply(batch, deadline, durable=durable))

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records in the query's order, a page at a time.

        Damaged records are left out, and `ping` names them. One that is found damaged only now
        raises `Corrupt`; a scan begun after that goes on without it.
        """
        scan = Scan(self._folder, query, clock=self._clock)
        while True:
            for record in await self._run(scan.page):
                yield record
                if not self._door.is_open():
                    await self._door.enter()
            if scan.done:
                return

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count the matching records and add up labels, by group, all of one moment."""
        names, groups = tuple(sums), tuple(group_by)
        check_tally(names, groups)
        return await self._run(lambda deadline: self._tally(query, names, groups, deadline))

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits with `seq` greater than `after`, up to the present, in order."""
        seq = check_int64(after, field="after")
        until: int | None = None
        while until is None or seq < until:
            commits, seq, until = await self._run(partial(self._feed, seq, until))
            for commit in commits:
                yield commit
                if not self._door.is_open():
                    await self._door.enter()

    async def changed(self, after: int) -> int:
        """Return the number of the newest commit as soon as it is greater than `after`."""
        check_int64(after, field="after")
        watch, problem = self._watch, self._problem()
        if problem is not None or watch is None:
            raise problem or self._closed()
        return await watch.changed(after)

    async def trim(self, before: int) -> int:
        """Forget the commits with `seq` less than `before`; the newest stays.

        Takes about as much room on the disk, meanwhile, as what is kept of `commits.jsonl`.
        """
        check_int64(before, field="before")
        return await self._run(
            lambda deadline: trimming.trim(self._folder, before, deadline=deadline)
        )

    def _apply(self, batch: Batch, deadline: float, *, durable: bool) -> Applied:
        applied = batches.apply(
            self._folder, batch, clock=self._clock, durable=durable, deadline=deadline
        )
        if self._watch is not None:
            self._watch.stir()
        return applied

    def _get(self, keys: Sequence[Key], deadline: float, *, bodies: bool) -> list[Record | None]:
        answers: list[Record | None] = []
        with self._folder.reading(deadline):
            now = self._clock.now()
            for key in keys:
                header = self._folder.header(key)
                if header is None or not header.record.is_live(now):
                    answers.append(None)
                else:
                    answers.append(self._folder.record(header) if bodies else header.record)
        return answers

    def _newest(self, deadline: float) -> int:
        with self._folder.reading(deadline):
            return self._folder.log.newest

    def _look(self) -> Lookout:
        def newest() -> int:
            worker = self._worker
            try:
                if worker is not None:
                    return worker.submit(self._guarded, self._newest, self._deadline()).result()
            except RuntimeError as error:
                # Somebody closes the store in this very moment.
                raise self._closed() from error
            raise self._closed()

        return Lookout(self.root, newest)

    def _tally(
        self, query: Query, sums: Sequence[str], group_by: Sequence[str], deadline: float
    ) -> list[Tally]:
        with self._folder.reading(deadline):
            return self._folder.index.tally(query, sums, group_by, now=self._clock.now())

    def _feed(
        self, after: int, until: int | None, deadline: float
    ) -> tuple[list[Commit], int, int]:
        with self._folder.reading(deadline) as mark:
            end = mark.seq if until is None else until
            commits, seq = self._folder.log.after(after, until=end, count=_ROWS)
        return commits, seq, end

    async def _run(self, job: Callable[[float], T]) -> T:
        """Let the store's thread do a job, in the order of asking; it gets its deadline.

        A job that has begun goes on to its end, also where its caller is cancelled.
        """
        worker = self._worker
        problem = self._problem()
        if problem is not None or worker is None:
            raise problem or self._closed()
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(worker, self._guarded, job, self._deadline())
        except RuntimeError as error:
            # Somebody on another loop closes the store in this very moment.
            raise self._closed() from error
        return await running

    def _closed(self) -> Unavailable:
        message = f"the store {self.root} is not open: open it first"
        return Unavailable(message, code="closed")

    def _problem(self) -> Unavailable | None:
        if self._worker is None:
            return self._closed()
        if self._process != os.getpid():
            # A fork has the parent's lock, which would keep neither out, and not its thread.
            message = (
                f"the store {self.root} was opened by the process that this one was forked from: "
                "make a store of its own for each process, after the fork"
            )
            return Unavailable(message, code="forked")
        return None

    def _guarded(self, job: Callable[[float], T], deadline: float) -> T:
        try:
            return job(deadline)
        except OSError as error:
            raise refusal(error, self.root) from error

    def _deadline(self) -> float:
        return time.monotonic() + self._options.lock_timeout
