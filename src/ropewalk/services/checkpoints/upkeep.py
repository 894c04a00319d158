"""`Upkeep`: clear away checkpoints, give space back, and see that all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.errors import Invalid
from .census import Census
from .collector import Collector
from .pruner import Pruner
from .verifier import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...domain.census import TreeSpace
    from ...domain.checkpoint import CleanupPolicy, CleanupReport, Collected
    from ...domain.verified import Verified
    from ..desk import Desk
    from ..lineage import Lineage
    from .grove import Grove
    from .standing import Newest


class Upkeep:
    """The part of `Checkpoints` that looks after what is stored, and not at what it means."""

    def __init__(self, desk: Desk, lineage: Lineage, grove: Grove, *, newest: Newest) -> None:
        """Work at `desk`; `newest` finds the newest checkpoint on some stretches."""
        self._desk = desk
        self._grove = grove
        self._lineage = lineage
        self._collector = Collector(desk, grove)
        self._pruner = Pruner(desk, lineage, grove, self._collector, newest=newest)

    async def cleanup(
        self, thread_id: str, policy: CleanupPolicy, *, dry_run: bool = False
    ) -> CleanupReport:
        """Delete a thread's own checkpoints that no rule of `policy` keeps, as `prune` does."""
        return await self._pruner.prune(thread_id, policy, dry_run=dry_run)

    async def prune(
        self,
        thread_id: str | None = None,
        policy: CleanupPolicy | None = None,
        *,
        dry_run: bool = False,
    ) -> CleanupReport:
        """Remove the checkpoints of a thread, or of all, that no rule of `policy` keeps.

        What stays is as it was. The report says why each of them stays, and how many bytes the
        disk gets back once `collect()` has removed what nothing needs any more. With `dry_run`
        nothing is removed. Deletes in batches: what a batch deleted stays deleted if a later one
        fails. Raises `Invalid` without a policy, and `NotFound` for an unknown thread.
        """
        if policy is None:
            message = "say what to keep: prune(thread_id, CleanupPolicy(keep_last=10))"
            raise Invalid(message, code="missing", field="policy")
        return await self._pruner.prune(thread_id, policy, dry_run=dry_run)

    async def collect(self, *, progress: Callable[[Collected], None] | None = None) -> Collected:
        """Give back the space of everything that no checkpoint needs any more; report what went.

        Right beside writers, in small batches, and may be stopped and begun again at any time.
        `progress` is told after each batch.
        """
        return await self._collector.collect(progress=progress)

    async def stats(self, thread_id: str | None = None) -> TreeSpace:
        """Return what states take: by thread and by kind, shared and not, and whole.

        Reads every node of the space once.
        """
        if thread_id is not None:
            await self._lineage.thread(thread_id)
        return await Census(self._desk, self._grove).take(thread_id)

    async def verify(
        self,
        *,
        thread_id: str | None = None,
        progress: Callable[[Verified], None] | None = None,
    ) -> Verified:
        """Read again all that states consist of, and name what is damaged; changes nothing.

        Every node is hashed once, every root and pending write compared with its keyed hash, every
        dictionary with its name; of one thread, or of all with what nothing needs. Raises nothing
        for damage. `progress` is told after each state.
        """
        return await Verifier(self._desk, self._grove, progress=progress).verify(thread_id)
