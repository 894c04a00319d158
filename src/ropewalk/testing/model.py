"""`Model`: what a store means, in plain dictionaries, with nothing but the domain's own rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..domain.change import Batch, Changed, Delete
from ..domain.effect import Effect, Stamp, decide
from ..domain.errors import Invalid
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.seen import Seen
from ..domain.tally import Tally, tally_records


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a store must answer to a batch, its own commit numbers aside.

    `at` is when it was first applied; `recorded` says whether it is in the feed.
    """

    versions: tuple[int, ...]
    previous: tuple[int, ...]
    at: int
    recorded: bool
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One commit, without its number."""

    batch_id: str
    actor: str
    at: int
    changes: frozenset[Changed]


class Model:
    """The reference of every back end: no index, no waiting, no cleverness."""

    def __init__(self) -> None:
        self.records: dict[Key, Record] = {}
        self.rows: list[Row] = []
        self._answers: dict[str, tuple[tuple[Key, ...], Outcome]] = {}

    def live(self, key: Key, now: int) -> Record | None:
        """Return what `get` must return for a key."""
        record = self.records.get(key)
        return record if record is not None and record.is_live(now) else None

    def apply(self, batch: Batch, now: int) -> Outcome:
        """Apply a batch as the contract says, raising what a store must raise."""
        keys = tuple(change.key for change in batch.changes)
        if batch.id in self._answers:
            first, outcome = self._answers[batch.id]
            if first != keys:
                message = f"the batch id {batch.id!r} was used for other keys"
                raise Invalid(message, code="batch_id_reused")
            return replace(outcome, replayed=True)
        effects = [decide(change, self._stamp(change.key, now), now) for change in batch.changes]
        for part in batch.seen:
            if isinstance(part, Seen):
                part.check(self.scan(part.again, now))
            else:
                part.check(self.tally(part.query, part.sums, part.group_by, now=now))
        for change, effect in zip(batch.changes, effects, strict=True):
            self._perform(change.key, effect, now)
            if isinstance(change, Delete) and effect.previous == 0:
                self.records.pop(change.key, None)
        changed = frozenset(
            Changed(key, effect.version)
            for key, effect in zip(keys, effects, strict=True)
            if effect.action != "none"
        )
        outcome = Outcome(
            tuple(effect.version for effect in effects),
            tuple(effect.previous for effect in effects),
            now,
            recorded=bool(changed),
        )
        if changed:
            self.rows.append(Row(batch.id, batch.actor, now, changed))
            self._answers[batch.id] = keys, outcome
        return outcome

    def scan(self, query: Query, now: int) -> list[Record]:
        """Return the answer of a query by its definition."""
        answer = sorted(
            self._matching(query, now),
            key=lambda record: query.cursor(record).key,
            reverse=query.order.descending,
        )[: query.limit]
        return answer if query.bodies else [replace(record, body=None) for record in answer]

    def tally(
        self, query: Query, sums: Sequence[str], group_by: Sequence[str], *, now: int
    ) -> list[Tally]:
        """Return the answer of a tally by its definition."""
        return tally_records(self._matching(query, now), sums, group_by)

    def _matching(self, query: Query, now: int) -> list[Record]:
        return [
            record
            for record in self.records.values()
            if query.matches(record, now) and query.within(record)
        ]

    def _stamp(self, key: Key, now: int) -> Stamp | None:
        record = self.live(key, now)
        return None if record is None else Stamp(record.version, record.created_at, record.labels)

    def _perform(self, key: Key, effect: Effect, now: int) -> None:
        if effect.record is not None:
            self.records[key] = effect.record
        elif effect.action == "raise":
            old = self.records[key]
            self.records[key] = replace(old, version=effect.version, updated_at=now)
        elif effect.action == "delete":
            del self.records[key]
