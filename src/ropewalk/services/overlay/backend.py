"""`Overlay`: a back end that gathers changes over another one, to be applied as one batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

from ...domain.change import ABSENT, Applied, Batch, Change, Check, Delete, Ensure, Put
from ...domain.effect import Effect, Stamp, decide
from ...domain.errors import Conflict, Invalid
from ...domain.limits import MAX_BATCH_CHANGES
from ...domain.seen import Counted, Seen
from .reads import Reads
from .view import Pending, View

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...domain.ports import Backend, Clock
    from ...domain.record import Key, Record


class Overlay(View):
    """Reads see the back end below with the gathered changes on top; nothing is written below.

    `commit` applies everything as one batch that expects every record that was read or changed to
    be the same one at the same version, and every list and tally to come out the same: if somebody
    else wrote something of it since, it raises `Conflict` and nothing happens. A record that was
    read once is the same at every later look. Within the overlay a record's version rises once,
    however often it is changed: the batch is one write.
    """

    def __init__(self, base: Backend, clock: Clock, *, is_inner: bool = False) -> None:
        """Begin without changes over `base`; `is_inner` where that is `within` another overlay."""
        self._changes: dict[Key, Pending] = {}
        super().__init__(base, clock, self._changes, Reads())
        self._is_inner = is_inner
        self._fences: dict[Key, Check] = {}
        self._applied: dict[str, Applied] = {}
        self.versions: Mapping[Key, int] = {}
        """The versions of what was applied, once it was."""
        self.steps = 0
        """How often something was gathered."""

    def within(self) -> Within:
        """Return the base of a unit within this one."""
        return Within(self, self._base, self._clock, self._changes)

    async def apply(self, batch: Batch) -> Applied:
        """Gather the changes of `batch`, all or none; it is applied with the whole unit."""
        return await self.gather(batch, through=self)

    async def gather(self, batch: Batch, *, through: View, steps: int | None = None) -> Applied:
        """Gather the changes of `batch` as `through` sees this overlay.

        What `through` has read is this overlay's from now on. Lists of the batch are gone through
        again unless nothing was gathered since `steps`.
        """
        if batch.id in self._applied:
            return replace(self._applied[batch.id], replayed=True)
        known = [c.key for c in batch.changes if not _is_fence(c)]
        await through.look(known, bodies=False)
        while batch.seen and steps != self.steps:
            # Another task of the unit may write while the lists are gone through.
            steps = self.steps
            await _check_seen(batch.seen, through)
        now = self._clock.now()
        effects = [self._decided(change, through, now) for change in batch.changes]
        if through is not self:
            through.reads.hand_over()
        for change, effect in zip(batch.changes, effects, strict=True):
            self._gather(change, effect, now)
        after = [self.current(change.key) for change in batch.changes]
        applied = Applied(
            0,
            now,
            tuple(record.version if record else ABSENT for record in after),
            tuple(effect.previous for effect in effects),
        )
        self._applied[batch.id] = applied
        return applied

    def _decided(self, change: Change, view: View, now: int) -> Effect:
        """Say what a change does; a check of labels is left to the commit if it can wait."""
        record = view.current(change.key)
        stamp = Stamp(record.version, record.created_at, record.labels) if record else None
        fence = self._fences.get(change.key)
        if _is_fence(change) and not view.has(change.key):
            if fence is not None:
                stamp = Stamp(1, now, {**change.labels, **fence.labels})
                return decide(change, stamp, now)
            return Effect("none", ABSENT, ABSENT)
        if fence is not None:
            decide(fence, stamp, now)
        return decide(change, stamp, now)

    def _gather(self, change: Change, effect: Effect, now: int) -> None:
        if _is_fence(change) and not self.has(change.key):
            fence = self._fences.get(change.key, change)
            self._fences[change.key] = replace(fence, labels={**fence.labels, **change.labels})
        if effect.action == "none":
            return
        self.steps += 1
        key = change.key
        self._fences.pop(key, None)
        known = self._changes.get(key)
        read = self.reads.get(key)
        if known is not None:
            base, made = known.base, known.made
        else:
            base, made = (read.version, read.created_at) if read else (ABSENT, None)
        record = effect.record
        if effect.action == "raise" and (old := self.current(key)) is not None:
            # The body may not have been read; an `Ensure` never needs it.
            record = replace(old, version=effect.version, updated_at=now)
        fresh = known is None or known.ensure is not None
        ensure = change if isinstance(change, Ensure) and fresh else None
        carried = change.version if isinstance(change, Put) else None
        if known is not None and carried is None and known.carried is not None:
            carried = effect.version
        if record is not None and ensure is None and carried is None:
            record = replace(record, version=base + 1)
        self._changes[key] = Pending(base, record, ensure, carried, made)

    async def holds(self) -> bool:
        """Tell whether everything that was read below is still so."""
        seen = self.reads.seen()
        checks = tuple(self.reads.checks(without=(), seen=seen))
        if not checks and not seen:
            return True
        try:
            await self._base.apply(Batch(checks, seen=seen))
        except Conflict:
            return False
        return True

    def _standing_fences(self) -> list[Check]:
        """Return the checks of labels that the versions of what was read do not stand for."""
        standing: list[Check] = []
        for key, fence in self._fences.items():
            if self.has(key):
                self._decided(fence, self, 0)
            else:
                standing.append(fence)
        return standing

    @property
    def pending(self) -> Mapping[Key, Pending]:
        """What will become of each key that was changed."""
        return self._changes

    def rebase(
        self, key: Key, present: Record | None, *, record: Record | None, is_kept: bool
    ) -> None:
        """Let a change expect `present` and write `record`, or nothing where that is kept.

        What was read of this key counts as read so from now on.
        """
        self.steps += 1
        self.reads.rebase(key, present)
        if is_kept:
            del self._changes[key]
            self.reads.forget(key)
            return
        known = self._changes[key]
        version, made = (present.version, present.created_at) if present else (ABSENT, None)
        if record is not None and known.carried is None:
            record = replace(record, version=version + 1)
        self._changes[key] = replace(known, base=version, record=record, made=made)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not self._changes

    async def commit(self, *, id: str, actor: str) -> Applied | None:
        """Apply everything as one batch; return `None` where there is nothing to write.

        What was only read is checked as well, unless it was one look and so of one moment.
        Raises `Conflict` where something that was read or changed is not as it was.
        """
        seen = self.reads.seen()
        changes = [_change(key, pending) for key, pending in self._changes.items()]
        checks = [
            *self.reads.checks(without=self._changes, seen=seen),
            *self._standing_fences(),
        ]
        if len(changes) + len(checks) > MAX_BATCH_CHANGES:
            message = (
                f"this unit of work has changed {len(changes)} records and read {len(checks)} "
                f"others by their ids; together at most {MAX_BATCH_CHANGES} (max_batch_changes) "
                "can be applied at once: do less in one unit"
            )
            raise Invalid(message, code="too_many", field="changes", limit="max_batch_changes")
        if changes or self.reads.spans_moments or (self._is_inner and (checks or seen)):
            batch = Batch((*changes, *checks), id=id, actor=actor, seen=seen)
            applied = await self._base.apply(batch)
            keys = (change.key for change in batch.changes)
            self.versions = dict(zip(keys, applied.versions, strict=True))
            return applied if changes else None
        return None


class Within(View):
    """What a unit within a unit stands on: what it reads is the outer unit's once it has ended.

    Until then the outer unit knows of nothing, and of an inner unit that failed it never does.
    """

    def __init__(
        self, outer: Overlay, base: Backend, clock: Clock, pending: Mapping[Key, Pending]
    ) -> None:
        """Show `outer`, with a list of its own of what is read."""
        super().__init__(base, clock, pending, Reads(outer.reads))
        self._outer = outer
        self._steps = outer.steps

    async def apply(self, batch: Batch) -> Applied:
        """Let the outer unit gather the changes of `batch`, all or none."""
        return await self._outer.gather(batch, through=self, steps=self._steps)


async def _check_seen(seen: Sequence[Seen | Counted], view: View) -> None:
    """Raise `Conflict` unless every list and tally comes out as it was seen."""
    for part in seen:
        if isinstance(part, Seen):
            part.check([record async for record in view.scan(part.again)])
        else:
            part.check(await view.tally(part.query, part.sums, part.group_by))


def _is_fence(change: Change) -> TypeGuard[Check]:
    """Tell whether a change checks labels alone, whatever version they stand on."""
    return isinstance(change, Check) and change.expect is None


def _change(key: Key, pending: Pending) -> Change:
    record, made = pending.record, pending.made
    if pending.ensure is not None:
        return pending.ensure
    if record is None:
        return (
            Check(key=key, expect=ABSENT)
            if pending.base == ABSENT
            else Delete(key=key, expect=pending.base, made=made)
        )
    put = Put.of(record)
    return replace(put, updated_at=None, expect=pending.base, made=made, version=pending.carried)
