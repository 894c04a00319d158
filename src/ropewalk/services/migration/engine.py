"""`Engine`: one run: read the source to its end, and write what it brings in journalled batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ...domain.errors import Conflict, Corrupt, Denied, RopewalkError, Unavailable
from ...domain.migration import Deletions, Progress, RunReport, RunStatus, journal_id
from ...domain.source import Note, Problem, Skipped, SourceRecord
from ...stores.trees import DICTIONARY
from ..checkpoints.saver import wait_after
from ..modules import Modules
from .account import Account
from .departures import Departures
from .journal import KEPT
from .judging import Judging
from .ledger import Ledger
from .mending import Mending
from .reading import Reading
from .replanting import Replanting
from .sightings import Sightings
from .writing import Choice, Writing, fault_of, is_noted, is_wanted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.source import Finding, Item, Source
    from ..desk import Desk
    from .journal import Journal, RunState

ATTEMPTS: Final = 8
_FULL_BYTES: Final = 8 * 1024 * 1024
_WEIGHTS: Final = {"checkpoint": 10}
"""Kinds whose items are big: each counts as so many of the others."""


class Engine:
    """Does one run, or goes on with one; safe to break off at any point."""

    def __init__(
        self,
        desk: Desk,
        journal: Journal,
        state: RunState,
        account: Account,
        *,
        total: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Write at `desk` and note down in `journal`, going on from `state`."""
        plan = state.plan
        self._desk = desk
        self._journal = journal
        self._account = account
        self._ledger = Ledger(desk.backend, journal, state, account.told)
        reading = Reading(desk, Modules(desk))
        self._writing = Writing(desk)
        self._mending = Mending(desk, self._ledger, self._writing)
        self._judging = Judging(
            desk,
            journal,
            plan,
            reading,
            self._writing,
            run=state.id,
            since_last=state.since_last,
        )
        self._plan = plan
        self._total = total
        self._progress = progress
        self._began = time.monotonic()
        self._met = Sightings()
        self._noted = 0

    async def run(self, source: Source) -> RunReport:
        """Bring everything, and close the run; return its report.

        Raises `Conflict` where the plan says to fail, or another program goes on with this run;
        `Corrupt`, `Denied` or `Unavailable` where it lies with the store. What was written until
        then stays, and the next call goes on from there.
        """
        await self._read(source)
        await self._mend(source)
        await self._look_for_the_vanished()
        complete = self._account.report(self._ledger.state).is_complete
        status = RunStatus.DONE if complete else RunStatus.PARTLY
        state = replace(
            self._ledger.state,
            status=status,
            ended_at=self._desk.clock.now(),
            told=self._account.told(),
        )
        try:
            await self._desk.commit([await self._journal.put_run(state, expect=state.revision)])
        except Conflict as error:
            check_alone(self._journal, self._ledger.state, error)
            raise
        return self._account.report(state)

    async def _read(self, source: Source) -> None:
        waiting: list[Item] = []
        weight, size = 0, 0
        async with aclosing(self._findings(source)) as findings:
            async for finding in findings:
                match finding:
                    case Note():
                        self._account.note(finding)
                        continue
                    case Problem():
                        self._account.problem(finding)
                        continue
                    case Skipped():
                        self._account.skip(finding)
                        continue
                    case _:
                        item = finding
                if not is_wanted(self._plan, item):
                    self._account.count("left_out", item.kind)
                    continue
                if (fault := fault_of(item)) is not None:
                    self._account.refuse(item, code="bad_item", reason=fault)
                    continue
                if not self._met.add(journal_id(self._plan.name, item.kind, item.source_id)):
                    await self._settle(waiting)
                    waiting, weight, size = [], 0, 0
                    await self._again(item)
                    continue
                waiting.append(item)
                weight += _WEIGHTS.get(item.kind, 1)
                size += len(item.record.body or b"") if isinstance(item, SourceRecord) else 0
                # What leans on a dictionary can be opened only once that is there.
                is_leant_on = item.kind == DICTIONARY
                if is_leant_on or weight >= self._plan.batch or size >= _FULL_BYTES:
                    await self._settle(waiting)
                    waiting, weight, size = [], 0, 0
        await self._settle(waiting)

    def _findings(self, source: Source) -> AsyncGenerator[Finding, None]:
        if self._ledger.state.position is not None:
            # What follows comes as it is stored there, so all of it has to.
            return cast("AsyncGenerator[Finding, None]", source.read())
        return Replanting(self._desk).read(source)

    async def _again(self, item: Item) -> None:
        """Take in an item whose id the source used before: the very same, or one too many."""
        [known] = await self._journal.find(self._plan.name, [item])
        if known is None or known.digest != item.digest:
            reason = "the source used its id before, for something else"
            self._account.refuse(item, code="duplicate_source_id", reason=reason)

    async def _mend(self, source: Source) -> None:
        try:
            await self._mending.mend(source)
        except Conflict as error:
            check_alone(self._journal, self._ledger.state, error)
            raise

    async def _settle(self, items: Sequence[Item]) -> None:
        if items:
            await self._bring(items)
            self._tell()

    async def _bring(self, items: Sequence[Item]) -> None:
        """Write a batch; where one item is the reason that it cannot be, write the others."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._mending.watch(items)
                judged = await self._judging.judge(items)
                chosen = [choice for choice, is_new in judged if is_new]
                if chosen:
                    await self._writing.write(self._ledger, chosen)
            except (Corrupt, Denied, Unavailable):
                raise  # it lies with the store: no other item would fare better
            except Conflict as error:
                check_alone(self._journal, self._ledger.state, error)
                if attempt == ATTEMPTS:
                    raise
                await wait_after(attempt)
            except RopewalkError as error:
                await self._divide(items, error)
                return
            else:
                self._count(judged)
                return

    async def _divide(self, items: Sequence[Item], error: RopewalkError) -> None:
        if len(items) > 1:
            middle = len(items) // 2
            await self._bring(items[:middle])
            await self._bring(items[middle:])
        else:
            self._account.refuse(items[0], code=error.code, reason=error.message)

    def _count(self, judged: Sequence[tuple[Choice, bool]]) -> None:
        for choice, is_new in judged:
            self._account.settle(choice.how, choice.item.kind)
            # A stamp that the target has already is neither written nor noted.
            self._noted += is_noted(choice.item) and (is_new or choice.known is not None)
            if choice.how == KEPT:
                reason = f"the target has another {choice.item.kind} of this id, which was left"
                self._account.keep(choice.item, reason)

    async def _look_for_the_vanished(self) -> None:
        if self._noted == await self._journal.count_items(self._plan.name):
            return  # whatever the journal knows was met in this run
        departures = Departures(self._desk, self._journal, self._ledger, self._account, self._met)
        # An item that cannot be read any more is not one that was deleted.
        apply = self._plan.deletions is Deletions.APPLY and not self._account.unread
        await departures.look(apply=apply)

    def _tell(self) -> None:
        if self._progress is None:
            return
        seconds = max(time.monotonic() - self._began, 1e-6)
        done = self._account.done
        rate = done / seconds
        left = None if self._total is None else max(self._total - done, 0) / max(rate, 1e-6)
        self._progress(
            Progress(done=done, total=self._total, rate=rate, left=left, kinds=self._account.kinds)
        )


def check_alone(journal: Journal, state: RunState, error: Conflict) -> None:
    """Raise where it is this run that somebody else goes on with, or takes back."""
    own = (journal.run_key(state.id), journal.step_key(state.id, state.steps))
    if error.code in {"exists_in_target", "other_secret"}:
        raise error
    if error.facts.get("key") in own:
        message = (
            f"another program goes on with the migration {state.id}, or takes it "
            "back; what this one wrote is kept: look at `ropewalk migrate status`"
        )
        raise Conflict(message, code="run_taken", run=state.id) from error
