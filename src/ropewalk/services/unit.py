"""`Unit`: a unit of work over all modules: everything in it happens, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import uuid4

from ..domain.errors import Conflict, Invalid
from ..domain.policy import Decision, Policy, check_policy
from .modules import Modules
from .overlay.backend import Overlay
from .reconciling import Reconciler

if TYPE_CHECKING:
    from types import TracebackType

    from ..domain.change import Applied
    from .desk import Desk


class Unit(Modules):
    """Use as `async with storage.unit() as unit:`, then `unit.threads`, `unit.history` and so on.

    Reads see the store with the unit's own changes. Leaving the block applies them as one batch,
    which expects everything that was read to be as it was: records, lists that might have become
    longer, counts and sums. Otherwise it raises `Conflict`, and nothing happens. A unit that only
    read is checked as well, so that what it saw was of one moment. An exception or a cancellation
    inside the block leaves nothing behind. No lock is held meanwhile. A record that was read once
    does not change within the unit.
    """

    def __init__(self, desk: Desk, *, policy: Policy | None = None, is_inner: bool = False) -> None:
        """Begin a unit over `desk`; `is_inner` where that is the desk of another unit.

        `policy` decides where a record that the unit has changed was changed by somebody else.
        """
        check_policy(policy)
        self._desk = desk
        self._reconciler = Reconciler(desk, policy)
        self._overlay = Overlay(desk.backend, desk.clock, is_inner=is_inner)
        self._id = uuid4().hex
        self._done = False
        self.applied: Applied | None = None
        """What the batch did, once the unit has been committed; `None` if it wrote nothing."""
        self.is_late = False
        """Whether the commit met what somebody else has changed since."""
        super().__init__(desk.over(self._overlay))

    async def __aenter__(self) -> Self:
        """Begin."""
        if self._done:
            message = "this unit of work has ended; begin a new one with storage.unit()"
            raise Invalid(message, code="unit_ended")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit, unless the block was left by an exception."""
        if kind is None:
            await self.commit()
        self._done = True

    def unit(self, *, policy: Policy | None = None) -> Unit:
        """Begin a unit within this one: its changes become part of this one, or vanish."""
        desk = self._desk.over(self._overlay.within())
        return Unit(desk, policy=policy, is_inner=True)

    async def commit(self) -> Applied | None:
        """Apply the changes now; the block must not write any more.

        Safe to repeat after `Unavailable`: the batch keeps its id. Raises `Conflict` where
        somebody else changed what was read.
        """
        if self._done:
            message = "this unit of work has ended; begin a new one with storage.unit()"
            raise Invalid(message, code="unit_ended")
        while True:
            try:
                self.applied = await self._overlay.commit(id=self._id, actor=self._desk.actor)
            except Conflict as error:
                if await self._reconciler.reconcile(self._overlay):
                    continue
                self.is_late = True
                raise error from None
            self._done = True
            return self.applied

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What policies decided about records that somebody else had changed."""
        return self._reconciler.decisions(self._overlay.versions)

    async def holds(self) -> bool:
        """Tell whether everything that was read is still so; nothing is written."""
        return await self._overlay.holds()
