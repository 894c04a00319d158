"""`Reconciler`: let policies decide where a unit's records were changed by somebody else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..domain.change import ABSENT
from ..domain.errors import Conflict
from ..domain.merge import Choice, three_way
from ..domain.policy import Decision, FirstWins, LastWins, Merge, Policy
from .policies.forms import form_of
from .policies.settling import clash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..domain.record import Key, Record
    from .desk import Desk
    from .overlay.backend import Overlay
    from .overlay.view import Pending

_ROUNDS = 32
"""How often one unit may be reconciled with others that go on writing."""


@dataclass(frozen=True, slots=True)
class _Met:
    """What was met at one key, and what became of it."""

    policy: Policy
    version: int
    rounds: int
    written: bool = True
    choices: tuple[Choice, ...] = ()


class Reconciler:
    """Changes what a unit is about to write, so that it fits what stands there by now.

    Only records that the unit has changed are reconciled, each under the unit's policy or that of
    its kind. What it only read must be as it was.
    """

    def __init__(self, desk: Desk, policy: Policy | None) -> None:
        """Reconcile the unit over `desk`."""
        self._desk = desk
        self._policy = policy
        self._met: dict[Key, _Met] = {}
        self._rounds = 1

    async def reconcile(self, overlay: Overlay) -> bool:
        """Adapt the unit's changes; tell whether it is worth another attempt.

        Raises `Conflict` where a merge leaves something undecided.
        """
        if self._rounds == _ROUNDS:
            return False
        self._rounds += 1
        pending = {key: known for key, known in overlay.pending.items() if known.ensure is None}
        records = await self._desk.backend.get(list(pending))
        late = {
            key: present
            for (key, known), present in zip(pending.items(), records, strict=True)
            if not known.is_over(present)
        }
        policies = {kind: await self._of(kind) for kind in {key.kind for key in late}}
        decided = {
            key: await self._settled(overlay, key, pending[key], present, policies[key.kind])
            for key, present in late.items()
        }
        if not decided or None in decided.values():
            return False
        for key, outcome in decided.items():
            if outcome is not None:
                met, record = outcome
                overlay.rebase(key, late[key], record=record, is_kept=not met.written)
                self._met[key] = met
        return True

    async def _of(self, kind: str) -> Policy | None:
        return self._policy or await self._desk.policy_of(kind)

    async def _settled(
        self,
        overlay: Overlay,
        key: Key,
        known: Pending,
        present: Record | None,
        policy: Policy | None,
    ) -> tuple[_Met, Record | None] | None:
        """Return what a policy makes of one record, `None` where it refuses."""
        version = present.version if present else ABSENT
        if isinstance(policy, FirstWins):
            return _Met(policy, version, self._rounds, written=False), None
        if isinstance(policy, LastWins):
            return _Met(policy, version, self._rounds), known.record
        form = form_of(key.kind, self._desk)
        base = overlay.reads.get(key)
        if not isinstance(policy, Merge) or form is None or present is None or not known.record:
            return None
        if base is not None and base.body is None:
            message = (
                f"{key} was written in this unit of work without being read, so nothing is known "
                "to merge it against: read it in the unit first"
            )
            raise Conflict(message, code="no_base", key=key, actual=version)
        before = {} if base is None else await form.apart(base)
        ours, theirs = await form.apart(present), await form.apart(known.record)
        merged = three_way(before, ours, theirs, rules=policy.rules)
        if merged.conflicts:
            raise clash(key, merged.conflicts, actual=version)
        put = await form.put(present, merged.value)
        record = replace(
            present,
            body=put.body,
            seal=put.seal,
            labels=put.labels,
            session_id=put.session_id,
            thread_id=put.thread_id,
            expires_at=put.expires_at,
        )
        return _Met(policy, version, self._rounds, choices=merged.choices), record

    def decisions(self, applied: Mapping[Key, int]) -> tuple[Decision, ...]:
        """Return what was decided, with the versions that the unit has written."""
        return tuple(
            Decision(
                kind=key.kind,
                id=key.id,
                policy=met.policy,
                attempts=met.rounds,
                met=met.version,
                version=applied.get(key, met.version),
                written=met.written,
                choices=met.choices,
            )
            for key, met in self._met.items()
        )
