"""`Admission`: turn a guest's batch into one that goes through only while the grants hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...domain.change import ABSENT, Batch, Check, Delete, Ensure, Put
from ...domain.effect import decide
from ...domain.errors import Denied
from ...domain.grant import Mode
from ...domain.record import Key
from ...stores.grants import GRANT
from ...stores.trees import DICTIONARY, NODE, SECRET
from .coverage import KEYED, PARTS, THREAD, WRITE, Coverage
from .expected import as_covered
from .kindred import Kindred
from .refusal import no_grant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.change import Change
    from ...domain.grant import Grant
    from ...domain.ports import Backend
    from ...domain.record import Record

_UNTOUCHED: Final = frozenset({NODE, "family", SECRET, DICTIONARY})
"""Kinds that the states of several sessions may need: a grant for one session removes none."""


class Admission:
    """One attempt to write under the grants of one moment.

    The batch that it makes checks those grants, so that a write and a revocation never pass each
    other; and it expects what is written over to be as it was when it was found to be covered.
    """

    def __init__(self, base: Backend, grants: Sequence[Grant], *, space: str, to: str) -> None:
        """Write into `space` of `base` with the grants that `to` has."""
        self._base = base
        self._grants = grants
        self._space = space
        self._to = to
        self._read = Coverage.of(grants, Mode.READ)
        self._write = Coverage.of(grants, Mode.WRITE)
        self._threads: set[str] = set()
        self.guards: set[Key] = set()
        """Keys whose conflicts are the admission's own: look again, and try again."""

    async def admit(self, batch: Batch) -> Batch:
        """Return the batch to apply, the guest's changes first; raise `Denied` or `Conflict`."""
        for change in batch.changes:
            self._check_kind(change)
        unsure = [c for c in batch.changes if not self._coverage(c).surely(c.key.kind)]
        changes: Sequence[Change] = batch.changes
        if unsure:
            made = await self._all_admitted(unsure)
            changes = [made.get(change.key, change) for change in batch.changes]
        seen = await as_covered(batch.seen, self._base, self._read, space=self._space)
        return replace(batch, changes=(*changes, *self._checks(batch)), seen=seen)

    def _coverage(self, change: Change) -> Coverage:
        return self._read if isinstance(change, Check) else self._write

    def _check_kind(self, change: Change) -> None:
        if not self._coverage(change).perhaps(change.key.kind):
            raise self._refused(change)

    def _refused(self, change: Change) -> Denied:
        mode = Mode.READ if isinstance(change, Check) else Mode.WRITE
        return no_grant(self._space, self._to, mode=mode, kind=change.key.kind)

    async def _all_admitted(self, changes: Sequence[Change]) -> dict[Key, Change]:
        keys = [change.key for change in changes]
        records = await self._base.get(keys, bodies=False)
        puts = [c for c in changes if isinstance(c, Put) and c.key.kind == THREAD]
        write = Kindred(self._base, self._space, self._write, coming=puts)
        read = Kindred(self._base, self._space, self._read, coming=puts)
        may_write = await write.covered(keys, records)
        may_read = await read.covered(keys, records)
        threads = {c.thread_id for c in changes if isinstance(c, Put) and c.key.kind == WRITE} - {
            None
        }
        self._threads = await write.threads([t for t in threads if t is not None])
        return {
            change.key: self._admitted(
                change, record, is_covered=is_read if isinstance(change, Check) else is_written
            )
            for change, record, is_read, is_written in zip(
                changes, records, may_read, may_write, strict=True
            )
        }

    def _admitted(self, change: Change, record: Record | None, *, is_covered: bool) -> Change:
        if isinstance(change, Check):
            return self._check(change, record, is_covered=is_covered)
        if isinstance(change, Ensure):
            if change.key.kind == NODE and is_covered:
                return change
            raise self._refused(change)
        if record is not None and not is_covered:
            message = (
                f"the id of {change.key} is taken by something that no grant covers; "
                "choose another id"
            )
            raise Denied(message, code="not_covered", key=change.key)
        if isinstance(change, Delete):
            return self._delete(change, record, is_covered=is_covered)
        return self._put(change, record, is_covered=is_covered)

    def _check(self, change: Check, record: Record | None, *, is_covered: bool) -> Change:
        if change.key.kind in KEYED:
            if not is_covered:
                raise self._refused(change)
            return change
        if record is None or is_covered:
            return change
        # For the guest it is absent; that nothing has come of it is what may be expected.
        decide(change, None, 0)
        self.guards.add(change.key)
        return Check(key=change.key, expect=record.version, made=record.created_at)

    def _delete(self, change: Delete, record: Record | None, *, is_covered: bool) -> Change:
        kind = change.key.kind
        if kind in _UNTOUCHED or change.at_most is not None:
            raise self._refused(change)
        if kind in KEYED:
            if not is_covered:
                raise self._refused(change)
            return change
        return self._as_seen(change, record)

    def _put(self, change: Put, record: Record | None, *, is_covered: bool) -> Change:
        kind = change.key.kind
        if kind == DICTIONARY:
            # Its name says what it holds: one that is there already is the same.
            if record is not None:
                return Check(key=change.key, expect=record.version)
            return replace(change, expect=ABSENT)
        if kind == SECRET and change.expect != ABSENT:
            raise self._refused(change)
        if kind in KEYED:
            if not is_covered:
                raise self._refused(change)
            return change
        inside = (
            change.thread_id in self._threads
            if kind == WRITE
            else self._write.names(kind, change.key.id, change.session_id)
        )
        if not inside:
            raise self._refused(change)
        return self._as_seen(change, record)

    def _as_seen(self, change: Put | Delete, record: Record | None) -> Change:
        """Expect what was found to be covered, where the guest expects nothing."""
        if change.expect is not None:
            return change
        self.guards.add(change.key)
        if record is None:
            return replace(change, expect=ABSENT)
        return replace(change, expect=record.version, made=record.created_at)

    def _checks(self, batch: Batch) -> list[Check]:
        """Return the checks of the grants without which some change would not be allowed."""
        written = {c.key.kind for c in batch.changes if not isinstance(c, Check)}
        if not written:
            return []
        checks: list[Check] = []
        unsure = any(not self._write.surely(kind) for kind in written)
        for grant in self._grants:
            if not grant.allows(Mode.WRITE):
                continue
            kind, session_id = grant.scope.kind, grant.scope.session_id
            if kind is not None:
                needed = not written.isdisjoint({kind, *PARTS.get(kind, ())})
            else:
                needed = session_id is None or unsure
            if needed:
                key = Key(self._space, GRANT, grant.id)
                self.guards.add(key)
                checks.append(Check(key=key, expect=grant.version))
        return checks
