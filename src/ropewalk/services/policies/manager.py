"""`Policies`: which policy holds for a kind of record where a call says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ...domain.policy import KindPolicy, Policy, as_names, check_policy
from ...domain.record import check_name
from ...stores.base import Find
from ...stores.policies import PolicyStore

if TYPE_CHECKING:
    from ..desk import Desk

EVERY: Final = "*"
"""Stands for every kind that has no policy of its own."""


class Policies:
    """The policies of this handle, and behind them those that the space keeps for everybody.

    They are asked where a change meets one that its author had not seen: a verb that was given
    `expected_version` or `base`, or a unit of work. This handle's policy for the kind counts
    first, then its policy for every kind (`"*"`), then the same two of the space.
    """

    def __init__(self, desk: Desk, given: Mapping[str, Policy] | None = None) -> None:
        """Begin with the policies of a configuration."""
        self._desk = desk
        self._store = PolicyStore(desk.backend, desk.sealer, space=desk.space)
        self._own: dict[str, Policy] = dict(given or {})

    @property
    def own(self) -> Mapping[str, Policy]:
        """The policies of this handle."""
        return dict(self._own)

    def set(self, kind: str, policy: Policy | None) -> None:
        """Let a policy hold for a kind, or for every other one (`"*"`), on this handle alone.

        `None` takes it back.
        """
        check_policy(policy)
        if policy is None:
            self._own.pop(check_name(kind, field="kind"), None)
        else:
            self._own[check_name(kind, field="kind")] = policy

    async def keep(self, kind: str, policy: Policy | None) -> None:
        """Let a policy hold for a kind in this space, for every program that opens the store.

        `None` takes it back. Raises `Invalid` for a reducer that is a function: it has no name
        that another process knows.
        """
        check_policy(policy)
        check_name(kind, field="kind")
        if policy is None:
            await self._desk.commit([self._store.remove(kind)])
            return
        as_names(policy)
        entity = KindPolicy(id=kind, policy=policy, created_at=self._desk.now())
        await self._desk.commit([await self._store.put(entity, expect=None)])

    async def kept(self) -> dict[str, Policy]:
        """Return the policies of the space, by kind."""
        return {entity.id: entity.policy async for entity in self._store.scan(Find())}

    async def of(self, kind: str) -> Policy | None:
        """Return the policy that holds for a kind, `None` where nobody has set one."""
        own = self._own.get(kind) or self._own.get(EVERY)
        if own is not None:
            return own
        special, general = await self._store.find_many([kind, EVERY])
        found = special or general
        return found.policy if found else None
