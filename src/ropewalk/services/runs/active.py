"""`ActiveRun`: a run in the hands of whoever drives it: steps that happen once, under a lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast, overload

from ...domain.errors import Conflict, RopewalkError
from ...domain.limits import MAX_LABEL_BYTES, check_text
from ...domain.record import check_name
from ...domain.run import RunStatus
from ...stores.runs import RunStore, StepStore
from ..leases.held import H
from .step import Step

if TYPE_CHECKING:
    from ...domain.run import Run
    from ..leases.held import HeldLease
    from ..unit import Unit

T = TypeVar("T")

_LONGEST_ERROR: Final = 10_000
"""Characters of an error's text that are kept."""


class ActiveRun(Generic[H]):
    """What the block of `storage.run()` gets.

    Everything that is written by `step()`, `storage` and `unit()` carries the fencing token of
    the lease of the run's thread. At the end of the block the run is done, or failed where an
    exception left it; `wait()` puts it aside.
    """

    def __init__(self, lease: HeldLease[H], run: Run) -> None:
        """Drive `run` under `lease`."""
        self.lease: HeldLease[H] = lease
        """The lease of the thread."""
        desk = lease.desk
        self._runs = RunStore(desk.backend, desk.sealer, space=desk.space)
        self._steps = StepStore(desk.backend, desk.sealer, space=desk.space)
        self._run = run

    @property
    def id(self) -> str:
        """The id of the run."""
        return self._run.id

    @property
    def thread_id(self) -> str:
        """The thread that it works on."""
        return self._run.thread_id

    @property
    def workflow_id(self) -> str | None:
        """Which workflow it is a run of."""
        return self._run.workflow_id

    @property
    def attempt(self) -> int:
        """Which attempt this is: 1 at first, one more with each time that it is resumed."""
        return self._run.attempts

    @property
    def status(self) -> RunStatus:
        """Where it stands, as far as this attempt is concerned."""
        return self._run.status

    @property
    def storage(self) -> H:
        """A handle whose writes carry the fencing token."""
        return self.lease.storage

    def unit(self) -> Unit:
        """Begin a unit of work that is no step; its commit carries the fencing token."""
        return self.lease.unit()

    @overload
    def step(self, key: str) -> Step: ...

    @overload
    def step(self, key: str, work: Callable[[Step], Awaitable[T]]) -> Awaitable[T]: ...

    def step(
        self, key: str, work: Callable[[Step], Awaitable[T]] | None = None
    ) -> Step | Awaitable[T]:
        """Do something once: `result = await run.step("plan", work)`.

        `work` gets a `Step`: a unit of work over all modules. What it writes, what it returns and
        the fact that it was done are one batch. Where the step was done before, `work` is not
        called, and what it returned then is returned again. Without `work`, the step is a block:
        `async with run.step("plan") as step:`, to be asked for `step.is_done` first.

        Raises `Conflict` with the code `lease_lost` where somebody else drives the run, as
        `storage.unit()` does where others changed what was read, and `Invalid` where the result
        cannot be kept.
        """
        step = Step(self.lease.desk, self._run, check_name(key, field="key"))
        return step if work is None else _once(step, work)

    async def is_done(self, key: str) -> bool:
        """Tell whether a step was done, in this attempt or an earlier one."""
        return await self._steps.find_done(self.id, check_name(key, field="key")) is not None

    async def wait(self, reason: str) -> None:
        """Put the run aside until somebody resumes it, and give the lease of the thread back.

        Leave the block afterwards: nothing can be written any more.
        """
        check_text(reason, field="reason", limit=MAX_LABEL_BYTES, limit_name="max_label_bytes")
        await self._note(RunStatus.WAITING, reason=reason)
        await self.lease.release()

    async def finish(self) -> None:
        """Mark the run as done, unless it was put aside."""
        if self._run.status is RunStatus.RUNNING:
            await self._note(RunStatus.DONE)

    async def fail(self, error: BaseException) -> None:
        """Mark the run as failed of `error`, unless it was put aside or is somebody else's."""
        if self._run.status is not RunStatus.RUNNING:
            return
        try:
            await self._note(RunStatus.FAILED, error=error_text(error))
        except RopewalkError as trouble:
            # What the block failed of is what the caller must know; the run becomes an orphan.
            error.add_note(f"run {self.id} could not be marked as failed: {trouble}")

    async def _note(
        self, status: RunStatus, *, error: str | None = None, reason: str | None = None
    ) -> None:
        desk = self.lease.desk
        ended = None if status is RunStatus.WAITING else desk.now()
        run = replace(self._run, status=status, error=error, reason=reason, ended_at=ended)
        applied = await desk.commit([await self._runs.put(run, expect=self._run.version)])
        self._run = replace(run, version=applied.versions[0])


async def _once(step: Step, work: Callable[[Step], Awaitable[T]]) -> T:
    async with step:
        if not step.is_done:
            step.result = await work(step)
    return cast("T", step.result)


def error_text(error: BaseException) -> str:
    """Say what a run failed of in one text: the kind of error and its message."""
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    return f"{type(error).__name__}: {error}"[:_LONGEST_ERROR]


def done_already(run: Run) -> Conflict:
    """Make the error for a run that is to be resumed and has come to its end."""
    ended = run.ended_at or run.updated_at
    message = f"run {run.id} is done since {ended.isoformat()}: begin another with storage.run()"
    return Conflict(message, code="run_done", id=run.id)
