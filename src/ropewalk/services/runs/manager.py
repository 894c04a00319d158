"""`Runs`: begin runs of workflows, find those whose driver died, and go on with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, Unpack

from ...domain.errors import Conflict
from ...domain.lease import WhenBusy
from ...domain.page import Page
from ...domain.query import Order
from ...domain.record import check_name
from ...domain.run import Run, RunStatus
from ...stores.base import Find, check_metadata
from ...stores.runs import RUN_ID, RunStore, StepStore
from .. import manager
from ..leases.acquisition import PATIENCE
from ..leases.held import H
from ..leases.shield import to_the_end
from ..manager import as_status, equals
from .active import ActiveRun, done_already

if TYPE_CHECKING:
    from ...domain.change import Change
    from ...domain.lease import Lease
    from ...domain.run import DoneStep
    from ..desk import Desk
    from ..leases.held import HeldLease
    from ..leases.manager import Leases

WHAT: Final = "run"
AT_ONCE: Final = 256
"""Runs that are looked at together."""


class Driving(TypedDict, total=False):
    """How the lease of a run's thread is asked for; see `Storage.lease`."""

    ttl: float
    wait: float | None
    when_busy: WhenBusy | str | None
    owner: str | None
    cancel_when_lost: bool


class Runs(Generic[H]):
    """The executions of workflows on threads, in one space.

    Responsible for where each stands, who drives it, and which of its steps are done; what the
    steps write belongs to the other modules.
    """

    def __init__(
        self,
        desk: Desk,
        leases: Leases[H],
        *,
        check_thread: Callable[[str], Awaitable[object]],
    ) -> None:
        """Work at `desk`; `leases` sees to it that one at a time drives a thread.

        `check_thread` raises `NotFound` for a thread that is not there.
        """
        self._desk = desk
        self._check_thread = check_thread
        self._leases = leases
        self._store = RunStore(desk.backend, desk.sealer, space=desk.space)
        self._steps = StepStore(desk.backend, desk.sealer, space=desk.space)

    @asynccontextmanager
    async def begin(
        self,
        thread_id: str,
        *,
        workflow_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
        **driving: Unpack[Driving],
    ) -> AsyncGenerator[ActiveRun[H], None]:
        """Begin a run and drive it for the block; see `Storage.run`."""
        if workflow_id is not None:
            check_name(workflow_id, field="workflow_id")
        user = check_metadata(metadata)
        await self._check_thread(thread_id)
        async with self._leases.hold(lease_name(thread_id), **driving) as lease:
            now = self._desk.now()
            run = Run(
                id=id or self._desk.clock.new_id(),
                thread_id=thread_id,
                workflow_id=workflow_id,
                owner=lease.owner,
                token=lease.token,
                metadata=user,
                started_at=now,
                updated_at=now,
            )
            async with self._driven(lease, run) as active:
                yield active

    @asynccontextmanager
    async def resume(
        self, run_id: str, *, expected_version: int | None = None, **driving: Unpack[Driving]
    ) -> AsyncGenerator[ActiveRun[H], None]:
        """Go on with a run that is an orphan, waits or has failed, and drive it for the block.

        Steps that were done are not done again. With `expected_version`, the version that was
        seen, only if nobody has gone on with it since: of several that find the same orphan one
        resumes it. Raises `NotFound` for an unknown run, `Conflict` with the code `run_done`
        where it is done, and `Unavailable` with the code `busy` where somebody drives its thread.
        """
        seen = await self._found(run_id)
        async with self._leases.hold(lease_name(seen.thread_id), **driving) as lease:
            old = await self._found(run_id)
            if old.status is RunStatus.DONE:
                raise done_already(old)
            if expected_version not in (None, old.version):
                message = (
                    f"run {run_id} was expected at version {expected_version} and has version "
                    f"{old.version}: somebody has gone on with it; look at it again"
                )
                raise Conflict(message, code="version", id=run_id, actual=old.version)
            run = replace(
                old,
                status=RunStatus.RUNNING,
                owner=lease.owner,
                token=lease.token,
                attempts=old.attempts + 1,
                error=None,
                reason=None,
                ended_at=None,
            )
            async with self._driven(lease, run) as active:
                yield active

    @asynccontextmanager
    async def _driven(self, lease: HeldLease[H], run: Run) -> AsyncGenerator[ActiveRun[H], None]:
        """Write that a run is driven, and in the end how it came out."""
        desk = lease.desk
        applied = await desk.commit([await self._store.put(run, expect=run.version)])
        active = ActiveRun(lease, replace(run, version=applied.versions[0]))
        try:
            yield active
        except BaseException as error:
            await to_the_end(active.fail(error), seconds=PATIENCE)
            raise
        await to_the_end(active.finish(), seconds=PATIENCE)

    async def get(self, run_id: str) -> Run:
        """Return a run with its lease and the number of its steps; raise `NotFound`."""
        [run] = await self._dressed([await self._found(run_id)])
        return run

    async def find(self, run_id: str) -> Run | None:
        """Return a run with its lease and the number of its steps, or `None`."""
        found = await self._store.find(run_id)
        return None if found is None else (await self._dressed([found]))[0]

    async def list(
        self,
        *,
        thread_id: str | None = None,
        workflow_id: str | None = None,
        status: RunStatus | str | None = None,
        newest_first: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Run]:
        """Return a page of runs that fulfil everything given, by default the newest first."""
        find = replace(_find(thread_id, workflow_id, status), order=Order(descending=newest_first))
        page = await self._store.page(find, limit=limit, cursor=cursor, metadata={})
        return Page(await self._dressed(page.items), page.cursor)

    async def orphaned(self, *, workflow_id: str | None = None) -> tuple[Run, ...]:
        """Return the runs that should be running and that nobody drives, oldest first.

        Their drivers died, or were paused so long that the lease expired: `resume` them.
        """
        orphans: list[Run] = []
        some: list[Run] = []
        async for run in self._store.scan(_find(None, workflow_id, RunStatus.RUNNING)):
            some.append(run)
            if len(some) == AT_ONCE:
                orphans += [run for run in await self._dressed(some) if run.is_orphan]
                some = []
        return (*orphans, *(run for run in await self._dressed(some) if run.is_orphan))

    async def steps(self, run_id: str) -> tuple[DoneStep, ...]:
        """Return the steps of a run that are done, in that order; raise `NotFound`."""
        await self._found(run_id)
        return tuple([step async for step in self._steps.scan(self._steps.of_runs([run_id]))])

    async def abandon(self, run_id: str, *, reason: str, **driving: Unpack[Driving]) -> Run:
        """Mark a run as failed that nobody will go on with, and return it.

        Raises as `resume` does: what somebody drives cannot be abandoned without the lease.
        """
        seen = await self._found(run_id)
        async with self._leases.hold(lease_name(seen.thread_id), **driving) as lease:
            old = await self._found(run_id)
            if old.status is RunStatus.DONE:
                raise done_already(old)
            run = replace(
                old, status=RunStatus.FAILED, error=reason, reason=None, ended_at=self._desk.now()
            )
            await lease.desk.commit([await self._store.put(run, expect=old.version)])
        return await self.get(run_id)

    async def delete(self, run_id: str) -> None:
        """Delete a run and the record of its steps; what the steps wrote stays.

        Raises `NotFound` where there is none, and `Conflict` while somebody drives it.
        """
        run = await self.get(run_id)
        if run.lease is not None:
            message = f"run {run_id} is driven by {run.owner!r}: let it end, or take its lease"
            raise Conflict(message, code="driven", id=run_id, owner=run.owner)
        headers = self._steps.headers(self._steps.of_runs([run_id]))
        changes: list[Change] = [self._steps.remove(r.key.id) async for r in headers]
        await self._desk.commit_in_parts([*changes, self._store.remove(run_id, expect=run.version)])

    async def _found(self, run_id: str) -> Run:
        return await manager.get(self._desk, self._store, WHAT, run_id)

    async def _dressed(self, runs: Sequence[Run]) -> tuple[Run, ...]:
        """Return runs with what other records know of them: who drives them, how far they are."""
        if not runs:
            return ()
        threads = {run.thread_id for run in runs if run.status is RunStatus.RUNNING}
        leases = await self._leases.held([lease_name(id_) for id_ in threads])
        find = self._steps.of_runs([run.id for run in runs])
        rows = await self._steps.tally(find, group_by=(f"labels.{RUN_ID}",))
        counts = {row.group[0]: row.count for row in rows if row.group}
        return tuple(
            replace(
                run,
                lease=_lease_of(run, leases.get(lease_name(run.thread_id))),
                steps=counts.get(run.id, 0),
            )
            for run in runs
        )


def lease_name(thread_id: str) -> str:
    """Return the name of the lease that whoever drives a thread holds."""
    return f"thread:{thread_id}"


def _lease_of(run: Run, lease: Lease | None) -> Lease | None:
    """Return the lease of a run's thread if it was granted for this very attempt."""
    if lease is None or run.status is not RunStatus.RUNNING or lease.token != run.token:
        return None
    return lease


def _find(thread_id: str | None, workflow_id: str | None, status: RunStatus | str | None) -> Find:
    chosen = None if status is None else as_status(RunStatus, status).value
    return Find(thread_id=thread_id, where=equals(workflow_id=workflow_id, status=chosen))
