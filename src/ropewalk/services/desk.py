"""`Desk`: what every manager works with: a back end, a sealer, a clock, one space."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from ..domain.change import Applied, Batch, Change
from ..domain.limits import MAX_BATCH_CHANGES
from ..domain.moment import from_micros, to_micros
from .schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ..domain.policy import Policy
    from ..domain.ports import Backend, Clock, Sealer


PolicyOf: TypeAlias = Callable[[str], Awaitable["Policy | None"]]


async def _no_policy(kind: str) -> Policy | None:  # noqa: ARG001 (nobody has set one)
    return None


@dataclass(frozen=True, slots=True)
class Desk:
    """One space of one store, as the managers see it.

    Inside a unit of work the back end is the unit, so that a manager need not know of it.
    """

    backend: Backend
    sealer: Sealer
    clock: Clock
    space: str
    actor: str = ""
    policy_of: PolicyOf = _no_policy
    """Which policy holds for a kind of record where a call names none."""
    schemas: Schemas = field(default_factory=Schemas)
    """How old states are raised when they are read: in a unit of work as outside of it."""

    async def commit(self, changes: Iterable[Change]) -> Applied:
        """Apply changes as one batch, all or nothing, in the name of this desk's actor."""
        return await self.backend.apply(Batch(tuple(changes), actor=self.actor))

    async def commit_in_parts(self, changes: Sequence[Change]) -> None:
        """Apply changes in order, in one batch if they fit, otherwise in as few as possible.

        Only beyond `max_batch_changes` can a failure leave the first parts done and the rest
        not; the same call then does the rest.
        """
        for start in range(0, len(changes), MAX_BATCH_CHANGES):
            await self.commit(changes[start : start + MAX_BATCH_CHANGES])

    def now(self) -> datetime:
        """Return the present moment, aware, UTC."""
        return from_micros(self.clock.now())

    def moment(self, given: datetime | None) -> datetime:
        """Return a time that the caller gave, in UTC, or the present; refuse a naive one."""
        return self.now() if given is None else from_micros(to_micros(given, field="created_at"))

    def over(self, backend: Backend) -> Desk:
        """Return the same desk over another back end."""
        return replace(self, backend=backend)
