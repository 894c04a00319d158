"""`Migrations`: plan by plan into this space: run, rehearse, compare, take back, cut over."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...domain.errors import Conflict, Invalid, NotFound
from ...domain.migration import CutoverReport, Deletions, Loss, RunReport, RunStatus
from ...domain.source import Followable, Inventory
from .account import Account, Rejected, report_of
from .comparison import Comparison
from .content import content_hash
from .engine import Engine
from .following import TRIMMED, Following
from .journal import Journal, RunState
from .rehearsal import Rehearsal
from .undoing import Undoing

if TYPE_CHECKING:
    from ...domain.migration import Followed, Plan, Progress, UndoReport, VerifyReport
    from ...domain.ports import Backend
    from ...domain.source import Source
    from ..desk import Desk

_ROUNDS: Final = 20
"""So many runs a cutover makes before the freeze, however much is still coming in."""

_OVER: Final = frozenset({RunStatus.DONE, RunStatus.PARTLY})


class Migrations:
    """Brings what a `Source` holds into this space, and keeps the journal of it there.

    The journal is written in the same batches as the records. So a run may be broken off at any
    point, by a signal or by the loss of power: the same call goes on where it stopped.
    """

    def __init__(self, desk: Desk, *, forget: Callable[[], None]) -> None:
        """Work at `desk`; `forget` makes the managers read the secret of the states anew."""
        self._desk = desk
        self._journal = Journal(desk)
        self._forget = forget

    @property
    def backend(self) -> Backend:
        """The store beneath, for whoever copies it somewhere else."""
        return self._desk.backend

    async def run(
        self,
        source: Source,
        plan: Plan,
        *,
        since_last: bool = False,
        progress: Callable[[Progress], None] | None = None,
        rejected: Rejected | None = None,
    ) -> RunReport:
        """Bring what `plan` says, going on with a run of its name that was broken off.

        What was brought before and has not changed in the source stays as it is. With
        `since_last`, the target is not even asked whether it still has that. `progress` is told
        after each batch, `rejected` of everything that is not written.

        Raises `Invalid` (`loss`) before anything is written where something would stay behind
        that the plan does not allow to; `Conflict` where the plan says to fail; `NotFound` where
        `since_last` has no earlier run to go by.
        """
        return await self._run(
            source, plan, since_last=since_last, progress=progress, rejected=rejected
        )

    async def _run(
        self,
        source: Source,
        plan: Plan,
        *,
        since_last: bool = False,
        progress: Callable[[Progress], None] | None = None,
        rejected: Rejected | None = None,
        position: int | None = None,
    ) -> RunReport:
        """Run a plan; `position` is the commit of the source behind which it is followed then."""
        earlier = await self._journal.runs(plan.name)
        if since_last and not any(run.status in _OVER for run in earlier):
            message = f"there is no earlier run of {plan.name!r} to go by: run it without since"
            raise NotFound(message, code="no_run", run=plan.name)
        total = _total(await _scouted(source, plan), plan)
        account = Account(rejected)
        newest = next((run for run in earlier if run.status is not RunStatus.UNDONE), None)
        if newest is not None and newest.status is RunStatus.UNDOING:
            message = f"run {newest.id} is being rolled back: finish that first (rollback again)"
            raise Conflict(message, code="rolling_back", run=newest.id)
        if newest is not None and newest.status is RunStatus.RUNNING:
            begun = position if newest.position is None else newest.position
            state = replace(newest, plan=plan, since_last=since_last, position=begun)
        else:
            state = await self._begin(plan, account, since_last=since_last, position=position)
        engine = Engine(self._desk, self._journal, state, account, total=total, progress=progress)
        return await engine.run(source)

    async def rehearse(
        self,
        source: Source,
        plan: Plan,
        *,
        target: Migrations | None = None,
        since_last: bool = False,
        progress: Callable[[Progress], None] | None = None,
        rejected: Rejected | None = None,
    ) -> RunReport:
        """Do everything in this store, which is thrown away then, as it would be in `target`.

        The target is only read; `None` is one that is not there yet.
        """
        desk = self._desk
        if target is not None:
            desk = target.over(desk.backend)
        journal = Journal(desk)
        account = Account(rejected)
        total = _total(await source.scan(), plan)
        within = Migrations(desk, forget=self._forget)
        state = await within._begin(plan, account, since_last=since_last)
        report = await Engine(desk, journal, state, account, total=total, progress=progress).run(
            source
        )
        return replace(report, rehearsal=True)

    def over(self, above: Backend) -> Desk:
        """Return a desk that shows this store, and writes into `above`."""
        return self._desk.over(Rehearsal(above, self._desk.backend))

    async def follow(
        self,
        source: Source,
        plan: Plan,
        *,
        progress: Callable[[Progress], None] | None = None,
        rejected: Rejected | None = None,
    ) -> AsyncGenerator[Followed, None]:
        """Copy what `plan` says, then apply each commit of the source as it is made, without end.

        How far it is stands in the target, and is written in the same batch as what a commit
        changed: broken off at any point, the same call goes on there, and no commit is applied
        twice. What is taken away in the source is taken away in the target. Where the source has
        forgotten commits that are missing, or is an older one than it was, everything is compared
        once more. While the target is behind, a record may be newer than others beside it.

        Raises `Invalid` (`unsupported`) for a source that does not tell its commits, and else as
        `run` does: `Conflict` also where somebody else changes what was copied.
        """
        if not isinstance(source, Followable):
            message = (
                "this source does not tell what is committed to it, so it cannot be followed: run "
                "the migration again from time to time (--since last)"
            )
            raise Invalid(message, code="unsupported", field="follow")
        plan = replace(plan, deletions=Deletions.APPLY)
        state = await self._following(plan)
        while True:
            if state is None:
                now = await source.changed(-1)
                report = await self._run(
                    source, plan, progress=progress, rejected=rejected, position=now
                )
                state = await self._journal.get(report.run)
            account = Account(rejected)
            account.take_up(state.told)
            state = replace(state, plan=plan)
            steps = Following(self._desk, self._journal, state, account).follow(source)
            try:
                async with aclosing(steps):
                    async for step in steps:
                        yield step
            except NotFound as error:
                if error.code != TRIMMED:
                    raise
                state = None

    async def _following(self, plan: Plan) -> RunState | None:
        """Return the run that is followed already, if there is one."""
        runs = await self._journal.runs(plan.name)
        newest = next((run for run in runs if run.status is not RunStatus.UNDONE), None)
        if newest is None or newest.status not in _OVER or newest.position is None:
            return None
        return newest

    async def _begin(
        self, plan: Plan, account: Account, *, since_last: bool, position: int | None = None
    ) -> RunState:
        state = RunState(
            id=self._desk.clock.new_id(),
            plan=plan,
            status=RunStatus.RUNNING,
            started_at=self._desk.clock.now(),
            since_last=since_last,
            told=account.told(),
            position=position,
        )
        applied = await self._desk.commit([await self._journal.put_run(state, expect=0)])
        return replace(state, revision=applied.versions[0])

    async def runs(self, name: str | None = None) -> tuple[RunReport, ...]:
        """Return the reports of the runs into this space, newest first, of one plan or of all."""
        return tuple(report_of(run, run.told) for run in await self._journal.runs(name))

    async def get(self, run: str) -> RunReport:
        """Return the report of a run by its id, the beginning of it, or `last`.

        Raises `NotFound` where there is none.
        """
        found = await self._journal.get(run)
        return report_of(found, found.told)

    async def verify(
        self,
        source: Source,
        plan: Plan,
        *,
        sample: float = 1.0,
        progress: Callable[[Progress], None] | None = None,
    ) -> VerifyReport:
        """Read the source once more and compare it with the journal and the target.

        Every item must be there, with the content that was written, and its references must lead
        where they led; of a share `sample` (0 to 1), always the same, every field and every state
        is loaded and compared. Changes nothing.
        """
        if not 0 <= sample <= 1:
            message = f"sample is a share from 0 to 1, not {sample}"
            raise Invalid(message, code="bad_limit", field="sample")
        comparison = Comparison(self._desk, self._journal, plan, sample=sample)
        return await comparison.run(source, progress=progress)

    async def rollback(self, run: str, *, force: bool = False) -> UndoReport:
        """Take back what a run wrote: that is gone, and what it replaced is back byte for byte.

        Raises `Conflict` (`changed_since`), naming them, where somebody changed some of it since,
        unless `force` says that this does not matter; then nothing was taken back. May be broken
        off, and called again.
        """
        state = await self._journal.get(run)
        undoing = Undoing(self._desk, self._journal, state, forget=self._forget)
        return await undoing.undo(force=force)

    async def cutover(
        self,
        source: Source,
        plan: Plan,
        *,
        freeze: Callable[[], Awaitable[None]],
        progress: Callable[[Progress], None] | None = None,
        rejected: Rejected | None = None,
    ) -> CutoverReport:
        """Run until nothing is left, freeze the source, run once more, and compare everything.

        `freeze` returns once nobody writes to the source any more. Raises as `run` does.
        """
        runs = [await self.run(source, plan, progress=progress)]
        while runs[-1].changes and len(runs) < _ROUNDS:
            runs.append(await self.run(source, plan, since_last=True, progress=progress))
        await freeze()
        last = await self.run(source, plan, since_last=True, progress=progress, rejected=rejected)
        verified = await self.verify(source, plan, progress=progress)
        return CutoverReport(runs=(*runs, last), verified=verified)

    async def content_hash(self) -> str:
        """Return one sum over every record of this space; equal sums mean equal records."""
        return await content_hash(self._desk.backend, self._desk.space)


async def _scouted(source: Source, plan: Plan) -> Inventory:
    """Count what is in the source; raise `Invalid` where more would be lost than is allowed."""
    inventory = await source.scan()
    lost = [loss for loss in losses_of(inventory, plan) if not loss.allowed]
    if lost:
        told = "; ".join(f"{loss.count} x {loss.code} ({loss.reason})" for loss in lost)
        codes = " ".join(f"--allow-loss {loss.code}" for loss in lost)
        message = (
            f"this would stay behind: {told}. Nothing was written. Mend it, or say that it may: "
            f"in the plan (allow_loss), or with {codes}"
        )
        raise Invalid(
            message, code="loss", field="allow_loss", codes=tuple(loss.code for loss in lost)
        )
    return inventory


def losses_of(inventory: Inventory, plan: Plan) -> tuple[Loss, ...]:
    """Return what a look at the source says will stay behind, by code."""
    found: dict[str, Loss] = {}
    for format_ in inventory.formats:
        if not format_.read and format_.items:
            code = format_.format
            found[code] = Loss(
                code=code,
                count=format_.items,
                reason="a format that is not read",
                allowed=plan.allows(code),
                is_format=True,
            )
    for problem in inventory.problems:
        known = found.get(problem.code)
        found[problem.code] = Loss(
            code=problem.code,
            count=1 + (known.count if known else 0),
            reason=known.reason if known else problem.reason,
            allowed=plan.allows(problem.code),
            places=((*known.places, problem.place) if known else (problem.place,))[:3],
        )
    return tuple(found[code] for code in sorted(found))


def _total(inventory: Inventory, plan: Plan) -> int:
    return sum(count for kind, count in inventory.kinds.items() if plan.wants(kind))
