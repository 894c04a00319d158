"""`Step`: a unit of work that happens once in a run, however often it is tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ...domain.change import Batch
from ...domain.errors import Conflict
from ...domain.run import DoneStep
from ...stores.runs import StepStore
from ..unit import Unit

if TYPE_CHECKING:
    from ...domain.change import Applied
    from ...domain.run import Run
    from ..desk import Desk


class Step(Unit):
    """What the block of `run.step(key)` gets: a unit, and the record that says it was done.

    Everything that the block writes and this record are one batch. A step that was done before,
    in this attempt or an earlier one, has `is_done` and its `result`, and writes nothing: ask
    before you work.
    """

    def __init__(self, desk: Desk, run: Run, key: str) -> None:
        """Begin the step `key` of `run` at the desk of the run's lease."""
        super().__init__(desk)
        inner = desk.over(self._overlay)
        self._steps = StepStore(inner.backend, inner.sealer, space=inner.space)
        self._run = run
        self._recorded = False
        self.key = key
        """What the step is called within its run."""
        self.is_done = False
        """Whether the step was done before."""
        self.result: Any = None
        """What the step gives; set it before the block ends, or read it if the step is done."""

    async def __aenter__(self) -> Self:
        """Begin, and look whether the step was done before."""
        await super().__aenter__()
        done = await self._steps.find_done(self._run.id, self.key)
        if done is not None:
            self.is_done, self.result = True, done.result
        return self

    async def commit(self) -> Applied | None:
        """Apply the changes and the record of the step as one batch.

        Raises `Conflict` with the code `step_done` where the step was done before and the block
        wrote something nevertheless.
        """
        if self.is_done:
            return await self._commit_nothing()
        if not self._recorded:
            done = DoneStep(
                run_id=self._run.id,
                thread_id=self._run.thread_id,
                key=self.key,
                result=self.result,
                attempt=self._run.attempts,
                done_at=self._desk.now(),
            )
            await self._overlay.apply(Batch((await self._steps.put(done, expect=0),)))
            self._recorded = True
        return await super().commit()

    async def _commit_nothing(self) -> Applied | None:
        if not self._overlay.is_empty:
            message = (
                f"step {self.key!r} of run {self._run.id} was done before, so nothing was written "
                "now: ask step.is_done before the work, or choose another key"
            )
            raise Conflict(message, code="step_done", run=self._run.id, step=self.key)
        self._done = True
        return None
