"""`RunStore` and `StepStore`: what workflows run, and which of their steps are done, as records."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from ..domain.moment import from_micros, to_micros
from ..domain.query import Condition
from ..domain.run import DoneStep, Run, RunStatus
from .base import Draft, EntityStore, Find

if TYPE_CHECKING:
    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter

RUN_ID: Final = "run_id"
"""The label that says of which run a step is."""

_KEY: Final = "key"
_ID_BYTES: Final = 16


class RunStore(EntityStore[Run]):
    """Keep runs; the lease of a run and the number of its steps are found elsewhere."""

    kinds = ("run",)

    def draft(self, entity: Run) -> Draft:
        """Take a run apart: its status and its workflow can be searched."""
        labels: dict[str, Label] = {"status": entity.status.value}
        if entity.workflow_id is not None:
            labels["workflow_id"] = entity.workflow_id
        return Draft(
            kind="run",
            id=entity.id,
            data={
                "owner": entity.owner,
                "token": entity.token,
                "attempts": entity.attempts,
                "error": entity.error,
                "reason": entity.reason,
                "ended_at": None if entity.ended_at is None else to_micros(entity.ended_at),
            },
            metadata=entity.metadata,
            created_at=entity.started_at,
            labels=labels,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> Run:
        """Put a run together again."""
        data = letter.data
        workflow, ended = record.labels.get("workflow_id"), data["ended_at"]
        return Run(
            id=record.key.id,
            thread_id=record.thread_id or "",
            workflow_id=None if workflow is None else str(workflow),
            status=RunStatus(str(record.labels["status"])),
            owner=data["owner"],
            token=data["token"],
            attempts=data["attempts"],
            error=data["error"],
            reason=data["reason"],
            metadata=letter.metadata,
            started_at=from_micros(record.created_at),
            updated_at=from_micros(record.updated_at),
            ended_at=None if ended is None else from_micros(ended),
            version=record.version,
        )


class StepStore(EntityStore[DoneStep]):
    """Keep the steps that were done, so that none is done twice."""

    kinds = ("step",)

    def draft(self, entity: DoneStep) -> Draft:
        """Take a step apart."""
        return Draft(
            kind="step",
            id=step_id(entity.run_id, entity.key),
            data={"result": entity.result, "attempt": entity.attempt},
            metadata={},
            created_at=entity.done_at,
            labels={RUN_ID: entity.run_id, _KEY: entity.key},
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> DoneStep:
        """Put a step together again."""
        return DoneStep(
            run_id=str(record.labels[RUN_ID]),
            thread_id=record.thread_id or "",
            key=str(record.labels[_KEY]),
            result=letter.data["result"],
            attempt=letter.data["attempt"],
            done_at=from_micros(record.created_at),
        )

    async def find_done(self, run_id: str, key: str) -> DoneStep | None:
        """Return a step of a run if it was done."""
        return await self.find(step_id(run_id, key))

    def of_runs(self, run_ids: Sequence[str]) -> Find:
        """Say which steps: of these runs, in the order in which they were done."""
        return Find(where=(Condition(f"labels.{RUN_ID}", "in", tuple(run_ids)),))


def step_id(run_id: str, key: str) -> str:
    """Return the id of a step's record, the same each time (BLAKE2b, 16 bytes)."""
    made = blake2b(digest_size=_ID_BYTES)
    for part in (run_id, key):
        data = part.encode()
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()
