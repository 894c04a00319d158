"""`Run`: one execution of a workflow on a thread, and the steps that it has done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from .lease import Lease


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    """Somebody drives it, or did until they died."""
    WAITING = "waiting"
    """It waits for something outside, such as the answer of a person; nobody drives it."""
    FAILED = "failed"
    """It ended by an error, and may be resumed."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a workflow on a thread, however many processes it took.

    `attempts` counts the times that somebody began to drive it, `token` is the fencing token of
    the last of them, `steps` how many steps are done. `error` is what it failed of, `reason` what
    it waits for. `lease` is by which it is driven now, `None` where nobody drives it: a run with
    the status `running` and without a lease is an orphan.
    """

    id: str
    thread_id: str
    workflow_id: str | None = None
    status: RunStatus = RunStatus.RUNNING
    owner: str
    token: int
    attempts: int = 1
    steps: int = 0
    error: str | None = None
    reason: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None = None
    lease: Lease | None = None
    version: int = 0

    @property
    def is_orphan(self) -> bool:
        """Whether it should be running and nobody drives it."""
        return self.status is RunStatus.RUNNING and self.lease is None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneStep:
    """A step that was done, and what it gave; `attempt` is which of the run's did it."""

    run_id: str
    thread_id: str
    key: str
    result: Any = None
    attempt: int = 1
    done_at: datetime
