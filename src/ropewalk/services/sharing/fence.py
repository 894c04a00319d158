"""`Fence`: a back end that knows one space, and refuses every other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...domain.change import Applied, Check, Ensure, Put
from ...domain.errors import Conflict, Denied, Invalid
from ...domain.health import Health, State
from ...domain.limits import MAX_BATCH_CHANGES
from ...domain.paging import page_of
from ...domain.record import Key
from ...stores.trees import FAMILY, NODE, SECRET, TREES
from .coverage import CHECKPOINT, WRITE
from .refusal import no_manager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ...domain.change import Batch, Commit
    from ...domain.paging import Portion
    from ...domain.ports import Backend, Capability
    from ...domain.query import Query
    from ...domain.record import Record
    from ...domain.tally import Tally

_RULE: Final = frozenset({"record_bytes", "bare_bytes", "block_bytes", "change_bytes"})
"""Facts that say how the back end fills its disk, and nothing of what is in it."""

_KEYED: Final = frozenset({CHECKPOINT, WRITE, NODE, FAMILY})
"""Kinds that cannot be read again without the secret that they were written with."""


class Fence:
    """Stands beneath everything that a confined handle can do.

    Whatever names another space, or every space, raises `Denied` before it reaches the store; of
    the feed only this space's changes come through, of the health no more than the state. States
    are written only while the space's secret is the one that the handle knows: a handle that has
    outlived its space does not write into the next of that name.
    """

    def __init__(self, base: Backend, space: str) -> None:
        """Let through what concerns `space`; `base` is open, and stays so."""
        self._base = base
        self._space = space
        self._secret_key = Key(space, SECRET, TREES)
        self._secret: int | None = None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the store can do."""
        return self._base.capabilities

    async def open(self) -> None:
        """Do nothing: the store is open already."""

    async def close(self) -> None:
        """Do nothing: the store belongs to whoever opened it."""

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say how the store is; why, and how much it holds, is the business of its opener.

        Of damaged records, those of this space are named.
        """
        health = await self._base.ping(thorough=thorough)
        own = tuple(d for d in health.records if d.key is not None and d.key.space == self._space)
        return replace(discreet(health), records=own)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return records of this space."""
        self._check_keys(keys)
        found = await self._base.get(keys, bodies=bodies)
        if len(keys) == 1 and keys[0] == self._secret_key and (secret := found[0]) is not None:
            self._secret = secret.version
        return found

    async def apply(self, batch: Batch) -> Applied:
        """Do a batch that stays in this space.

        Raises `Invalid` for a state where the space was deleted since the handle was made.
        """
        self._check_keys([change.key for change in batch.changes])
        for seen in batch.seen:
            self._check(seen.query.space)
        guarded = self._guarded(batch)
        try:
            applied = await self._base.apply(guarded)
        except Conflict as error:
            if guarded is batch or error.facts.get("key") != self._secret_key:
                raise
            message = (
                f"space {self._space!r} was deleted while this handle to it was open: make a new "
                "one with storage.space()"
            )
            raise Invalid(message, code="stale_handle", space=self._space) from error
        guards = len(applied.versions) - len(batch.changes)
        versions = applied.versions[guards:]
        for change, version in zip(batch.changes, versions, strict=True):
            if isinstance(change, Put) and change.key == self._secret_key:
                self._secret = version
        return replace(applied, versions=versions, previous=applied.previous[guards:])

    def _guarded(self, batch: Batch) -> Batch:
        """Return a batch that expects the known secret, where it writes what needs it."""
        if self._secret is None or len(batch.changes) == MAX_BATCH_CHANGES:
            return batch
        needed = False
        for change in batch.changes:
            kind = change.key.kind
            if kind == SECRET:  # a unit of work expects it by itself
                return batch
            needed = needed or (kind in _KEYED and isinstance(change, Put | Ensure))
        if not needed:
            return batch
        check = Check(key=self._secret_key, expect=self._secret)
        return replace(batch, changes=(check, *batch.changes))

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through records of this space."""
        self._check(query.space)
        return self._base.scan(query)

    async def page(self, query: Query) -> Portion | None:
        """Read the beginning of an answer in this space."""
        self._check(query.space)
        return await page_of(self._base, query)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count and sum in this space."""
        self._check(query.space)
        return await self._base.tally(query, sums, group_by)

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits that touched this space, with its own changes alone."""
        async for commit in self._base.feed(after):
            changes = tuple(c for c in commit.changes if c.key.space == self._space)
            if changes:
                yield replace(commit, changes=changes)

    async def changed(self, after: int) -> int:
        """Wait for a commit, which may be of another space: then the feed has nothing to tell."""
        return await self._base.changed(after)

    async def trim(self, before: int) -> int:
        """Refuse: the log is of all spaces together."""
        raise no_manager(f"forgetting the commits before {before}")

    def _check_keys(self, keys: Sequence[Key]) -> None:
        own = self._space
        for key in keys:
            if key.space != own:
                self._check(key.space)

    def _check(self, space: str | None) -> None:
        if space != self._space:
            raise outside(self._space)


def discreet(health: Health) -> Health:
    """Return a health without figures and reasons, which may name what lies in other spaces."""
    facts = {name: fact for name, fact in health.facts.items() if name in _RULE}
    if health.state is State.HEALTHY:
        return Health(health.state, (), facts)
    reason = f"the store is {health.state}: whoever opened it can ask it why"
    return Health(health.state, (reason,), facts)


def outside(space: str) -> Denied:
    """Make the error for whoever looks beyond the space of a confined handle.

    It does not say whether the other space exists.
    """
    message = (
        f"this handle is confined to space {space!r}: it cannot name another; use "
        "shared() for what another space has granted, or ask whoever opened the store"
    )
    return Denied(message, code="confined", space=space)
