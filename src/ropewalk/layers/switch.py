"""`SwitchLayer`: swaps the backend below while requests run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import Final, TypeVar

from ..domain.change import Applied, Batch, Commit
from ..domain.errors import Conflict, Denied, Invalid, NotFound, RopewalkError, Unavailable
from ..domain.paging import Portion, page_of
from ..domain.ports import Backend, Capability
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.tally import Tally
from . import awaiting
from .base import Layer, Progress
from .epoch import (
    Epoch,
    commits,
    read_epoch,
    recall,
    refuse_reserved,
    seeing_no_reserved,
    without_reserved,
)
from .forgetting import forget
from .moving import Mover, refuse_less
from .options import check_seconds
from .place import Place
from .recent import Recent
from .signal import Signal, Turns

LOGGER: Final = logging.getLogger("ropewalk.switch")

FEW_COMMITS: Final = 32
"""So few commits to catch up with are copied while writers wait."""

GAIN: Final = 0.5
"""A round of catching up with more than this part of the one before gains too little: if those
who write are faster than the copy, they must wait for it at some point."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Moved:
    """What a switch copied, and for how many seconds writers had to wait for it."""

    records: int
    commits: int
    paused: float


class SwitchLayer(Layer):
    """Let the whole store move to another backend under running programs.

    Every promise of a backend holds across the move, for everybody who goes through this layer:
    versions, times and expiry stay, a scan goes on behind its last record and a feed behind its
    last commit (commit numbers go on too, see `Epoch`), and a batch that was applied before is
    recognised after. Writers of other processes must go elsewhere before: they would go on
    writing to the old store.

    A batch that the present store lost the answer of, or that was cancelled, is asked for before
    the old store closes. Its answer is exact as long as it is among the latest batches
    (`MOST_KEYS` of `Recent`), or changed all of its keys; else a change without effect is answered
    by the least version that its record can have had.
    """

    def __init__(self, below: Backend, *, patience: float = 30.0) -> None:
        """Begin with `below`; a switch waits `patience` seconds for running writes to end."""
        super().__init__(below)
        self._patience = check_seconds(patience, field="layer.switch.patience")
        self._place = Place(below, Epoch())
        self._old: list[Place] = []
        self._gate = Signal(is_set=True)
        self._mover: asyncio.AbstractEventLoop | None = None
        self._one_at_a_time = Turns()
        self._recent = Recent()
        self._is_open = False

    @property
    def below(self) -> Backend:
        """The backend in use now."""
        return self._place.backend

    async def open(self) -> None:
        """Open the backend, and read how its commits are numbered if it was moved here once."""
        place = self._place
        await place.backend.open()
        if self._is_open:
            return
        try:
            place.epoch = await read_epoch(place.backend)
        except BaseException:
            await place.backend.close()
            raise
        self._is_open = True

    async def close(self) -> None:
        """Close the backend, after a switch that is under way, and those that were in use before.

        Raises what closing an earlier backend raised, as nobody was told yet.
        """
        async with self._one_at_a_time.mine():
            self._is_open = False
            await self._place.backend.close()
            while self._old:
                await self._old.pop().close()

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return the live records of `keys` from the backend in use."""
        place = self._place
        if not place.enter():
            place = self._enter()
        try:
            return await place.backend.get(keys, bodies=bodies)
        finally:
            place.leave()

    async def apply(self, batch: Batch) -> Applied:
        """Do every change of the batch or none; wait for the last step of a switch if need be.

        Raises `Denied` for records of the space that moving needs for itself.
        """
        refuse_reserved(batch)
        place = await self._admitted()
        backend = place.backend
        try:
            is_new = self._recent.begin(batch)
            try:
                own = seeing_no_reserved(batch) if place.epoch.base else batch
                applied = await backend.apply(own)
            except (Conflict, Denied, Invalid, NotFound) as error:
                if is_new:
                    self._recent.forget(batch)
                known = None
                if isinstance(error, Invalid) and error.code == "batch_id_reused":
                    known = await recall(backend, batch)
                if known is None:
                    raise
                return known
            seq = place.epoch.outward(applied.seq)
            feeds = Capability.FEED in backend.capabilities
            self._recent.end(batch, applied, seq=seq, feeds=feeds)
        finally:
            place.leave(writing=True)
        return applied if seq == applied.seq else replace(applied, seq=seq)

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the matching records, on the new backend from where the old one was left."""
        progress = Progress(query)
        place: Place | None = self._place
        while place is not None:
            rest = without_reserved(progress.rest) if place.epoch.base else progress.rest
            async with aclosing(place.steps(place.backend.scan(rest))) as records:
                async for record in records:
                    if progress.step(record):
                        yield record
            if progress.is_over:
                return
            place = self._successor(place)

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer in the backend in use."""
        place = self._enter()
        try:
            seen = without_reserved(query) if place.epoch.base else query
            return await page_of(place.backend, seen)
        finally:
            place.leave()

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count the matching records in the backend in use."""
        place = self._enter()
        try:
            seen = without_reserved(query) if place.epoch.base else query
            return await place.backend.tally(seen, sums, group_by)
        finally:
            place.leave()

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits, those of earlier backends first.

        Raises `Conflict` where the store was exchanged meanwhile for one that is no copy.
        """
        place: Place | None = self._place
        while place is not None:
            rows = commits(place.backend, place.epoch, after)
            async with aclosing(place.steps(rows)) as steps:
                async for commit in steps:
                    after = commit.seq
                    yield commit
            place = self._successor_in_feed(place)

    async def changed(self, after: int) -> int:
        """Return the newest number once it is greater than `after`, wherever the store is then.

        Raises `Conflict` where the store was exchanged meanwhile for one that is no copy.
        """
        place = self._place
        while (newest := await awaiting.newest(place, after)) is None:
            place = self._successor_in_feed(place) or self._place
        return newest

    async def trim(self, before: int) -> int:
        """Forget commits, those of earlier backends first; wait for a switch that is under way."""
        async with self._one_at_a_time.mine():
            place = self._enter()
            try:
                return await forget(place.backend, place.epoch, before)
            finally:
                place.leave()

    async def switch(self, target: Backend, *, copy: bool = True) -> Moved:
        """Move to `target`, which belongs to this layer from now on, and close the old backend.

        Everything is copied while reading and writing go on; then writers wait for the last
        changes, and everybody goes on with `target`. A backend without a feed cannot tell what
        changes meanwhile, so there writers wait from the beginning. Without `copy` the target is
        taken as it is.

        Raises `Invalid` for a target that is not empty or can do less, `Unavailable` where the
        writes under way do not end, and whatever either backend raises. After an error the old
        backend is in place as it was, and the target empty again and closed. So it is for whoever
        is cancelled; only while the old backend closes the switch has happened already.
        """
        async with self._one_at_a_time.mine():
            old = self._place
            if target is old.backend:
                message = "this store is in use already; name another one to switch to"
                raise Invalid(message, code="same_store", field="target")
            moved = await (self._copied(old, target) if copy else self._taken(old, target))
            LOGGER.info(
                "switched: %d records, %d commits, writers waited %.3f s",
                moved.records,
                moved.commits,
                moved.paused,
            )
            if old.is_closing():
                await old.left.wait()
            return moved

    async def _taken(self, old: Place, target: Backend) -> Moved:
        await target.open()
        try:
            refuse_less(old.backend, target)
            new = Place(target, await read_epoch(target))
            begin = await self._stop(old)
            self._go_on(new, continues=False)
        except BaseException:
            self._reopen(old)
            await target.close()
            raise
        return Moved(0, 0, monotonic() - begin)

    async def _copied(self, old: Place, target: Backend) -> Moved:
        mover = Mover(old.backend, target, epoch=old.epoch, recent=self._recent.keys)
        begin = 0.0
        try:
            await target.open()
            await mover.begin()
            if Capability.FEED in old.backend.capabilities:
                await mover.copy()
                last, behind = inf, await mover.catch_up()
                while FEW_COMMITS < behind <= GAIN * last:
                    last, behind = behind, await mover.catch_up()
                begin = await self._stop(old)
            else:
                begin = await self._stop(old)
                await mover.copy()
            epoch = await mover.finish(doubtful=self._recent.doubtful, highest=self._recent.highest)
            new = Place(target, epoch)
            self._go_on(new, continues=True)
        except BaseException as error:
            self._reopen(old)
            await _give_back(mover, target, error)
            raise
        return Moved(mover.records, mover.commits, monotonic() - begin)

    async def _stop(self, place: Place) -> float:
        """Let no new write begin and the running ones end; return when that began (seconds)."""
        begin = monotonic()
        self._mover = asyncio.get_running_loop()
        self._gate.clear()
        try:
            async with asyncio.timeout(self._patience):
                await place.quiet()
        except TimeoutError as error:
            message = (
                f"writes that were under way did not end within {self._patience} s, "
                "so the store was not switched; try again"
            )
            raise Unavailable(message, code="busy") from error
        return begin

    def _reopen(self, place: Place) -> None:
        place.go_on()
        self._gate.set()

    def _go_on(self, new: Place, *, continues: bool) -> None:
        """Put `new` in place: from here on nothing is awaited, so nobody sees half of it."""
        old, self._place = self._place, new
        self._old = [place for place in self._old if not place.is_closed]
        self._old.append(old)
        self._recent.clear()
        old.hand_over(new, continues=continues)
        self._gate.set()

    def _successor(self, place: Place) -> Place | None:
        """Return the place to go on at: the present one, if `place` is no longer that."""
        return None if place.next is None else self._place

    def _successor_in_feed(self, place: Place) -> Place | None:
        if not place.continues:
            message = "the store was exchanged for another one: begin its feed anew, at 0"
            raise Conflict(message, code="feed_replaced")
        return self._successor(place)

    def _enter(self) -> Place:
        """Keep the place in use open, until the caller leaves it."""
        while not (place := self._place).enter():
            continue
        return place

    async def _admitted(self) -> Place:
        """Wait until writes may begin, and begin one at the place in use then.

        Whoever stands on another loop than the switch waits only so long: the switch may be
        waiting for him, if its loop does.
        """
        while not (place := self._place).enter(writing=True):
            foreign = self._mover is not asyncio.get_running_loop()
            try:
                async with asyncio.timeout(self._patience if foreign else None):
                    await self._gate.wait()
            except TimeoutError as error:
                message = (
                    f"the store is being moved, and {self._patience} s were not enough for it; "
                    "try again, and do not block the event loop that moves it"
                )
                raise Unavailable(message, code="busy") from error
        return place


async def _give_back(mover: Mover, target: Backend, error: BaseException) -> None:
    """Empty and close a target that was not switched to; `error` is told if that fails too."""
    try:
        await mover.undo()
    except RopewalkError as trouble:
        error.add_note(f"the target could not be emptied and holds an unfinished copy: {trouble}")
    finally:
        await target.close()
