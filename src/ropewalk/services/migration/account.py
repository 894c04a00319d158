"""`Account`: count what becomes of each item while a run goes on, and make the report of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.migration import Loss, Reject, RunReport
from ...domain.moment import from_micros
from ...domain.source import MAX_PROBLEMS, Item, Note, Problem, Skipped, SourceRecord
from .content import written_down
from .journal import KEPT, NEW, REPLACED, SAME

if TYPE_CHECKING:
    from ...domain.migration import Plan
    from .journal import RunState

_PLACES: Final = 3
_COUNTS: Final = (
    *("brought", "replaced", "present", "kept"),
    *("refused", "left_out", "vanished", "removed"),
)
_OF: Final = {NEW: "brought", REPLACED: "replaced", SAME: "present", KEPT: "kept"}

Rejected = Callable[[Reject], None]


@dataclass(slots=True)
class _Heap:
    """Things of one code: how many, and where the first ones stand."""

    is_format: bool = False
    count: int = 0
    first: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, place: str, reason: str, *, count: int = 1) -> None:
        """Put one more to it, which may stand for several."""
        self.count += count
        if len(self.first) < _PLACES:
            self.first.append((place, reason))


class Account:
    """The running figures of one run; holds at most the first thousand problems."""

    def __init__(self, rejected: Rejected | None = None) -> None:
        """Begin at nothing; `rejected` is told of every item that is not written."""
        self._counts = {name: Counter[str]() for name in _COUNTS}
        self._losses: dict[str, _Heap] = {}
        self._notes: dict[str, _Heap] = {}
        self._problems: list[Problem] = []
        self._rejected = rejected
        self.unread = 0
        self.done = 0

    def take_up(self, told: Mapping[str, Any]) -> None:
        """Go on from the figures that the journal kept."""
        for name, counter in self._counts.items():
            counter.update(told.get(name, {}))
        for heaps, name in ((self._losses, "losses"), (self._notes, "notes")):
            for code, (count, is_format, first) in told.get(name, {}).items():
                pairs = [(place, reason) for place, reason in first]
                heaps[code] = _Heap(is_format=is_format, count=count, first=pairs)

    def count(self, name: str, kind: str) -> None:
        """Count an item of a kind in one of the report's parts."""
        self._counts[name][kind] += 1

    def settle(self, how: str, kind: str) -> None:
        """Count an item by what became of it."""
        self.done += 1
        self.count(_OF[how], kind)

    def note(self, note: Note) -> None:
        """Take in something to know."""
        self._notes.setdefault(note.code, _Heap()).add(note.place, note.reason)

    def skip(self, skipped: Skipped) -> None:
        """Take in what was recognised and is not read."""
        heap = self._losses.setdefault(skipped.format, _Heap(is_format=True))
        heap.add(skipped.place, skipped.reason, count=skipped.items)
        reason = f"{skipped.items} x {skipped.format}: {skipped.reason}"
        self._tell(
            Reject(
                code=skipped.format,
                place=skipped.place,
                reason=reason,
                raw=skipped.raw,
                size=skipped.size,
            )
        )

    def problem(self, problem: Problem) -> None:
        """Take in what could not be read."""
        self.unread += 1
        self._keep(problem)
        self._tell(
            Reject(
                code=problem.code,
                place=problem.place,
                reason=problem.reason,
                raw=problem.raw if problem.raw is not None else _bytes(problem.excerpt),
                size=problem.size,
            )
        )

    def refuse(self, item: Item, *, code: str, reason: str) -> None:
        """Take in an item that was read and cannot be kept."""
        self.done += 1
        self.count("refused", item.kind)
        told = f"{item.kind} {item.source_id!r} cannot be kept: {reason}"
        self._keep(Problem(code=code, place=item.place, reason=told))
        self._tell(_reject(item, code=code, reason=told))

    def keep(self, item: Item, reason: str) -> None:
        """Tell of an item that is left where it is, since the target has something else."""
        self._tell(_reject(item, code="exists", reason=reason, is_loss=False))

    def _keep(self, problem: Problem) -> None:
        self._losses.setdefault(problem.code, _Heap()).add(problem.place, problem.reason)
        if len(self._problems) < MAX_PROBLEMS:
            # What stands there went to the rejects: a thousand of these may be long.
            self._problems.append(replace(problem, raw=None))

    def _tell(self, reject: Reject) -> None:
        if self._rejected is not None:
            self._rejected(reject)

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many items of each kind are in the target by now, whoever brought them."""
        return self._counts["brought"] + self._counts["replaced"] + self._counts["present"]

    def told(self) -> dict[str, Any]:
        """Return the figures as the journal keeps them."""
        return {
            **{name: dict(counter) for name, counter in self._counts.items() if counter},
            "losses": {code: _told(heap) for code, heap in self._losses.items()},
            "notes": {code: _told(heap) for code, heap in self._notes.items()},
            "problems": [[p.code, p.place, p.reason, p.excerpt] for p in self._problems[:_PLACES]],
        }

    def report(self, state: RunState, *, rehearsal: bool = False) -> RunReport:
        """Return the report of the run, with all the problems that are at hand."""
        return report_of(state, self.told(), problems=tuple(self._problems), rehearsal=rehearsal)


def report_of(
    state: RunState,
    told: Mapping[str, Any],
    *,
    problems: tuple[Problem, ...] | None = None,
    rehearsal: bool = False,
) -> RunReport:
    """Return the report of a run from the figures that the journal kept of it."""
    kept = [
        Problem(code=code, place=place, reason=reason, excerpt=excerpt)
        for code, place, reason, excerpt in told.get("problems", ())
    ]
    return RunReport(
        run=state.id,
        plan=state.plan,
        status=state.status,
        started_at=from_micros(state.started_at),
        ended_at=None if state.ended_at is None else from_micros(state.ended_at),
        rehearsal=rehearsal,
        since_last=state.since_last,
        position=state.position,
        losses=_losses(told.get("losses", {}), state.plan),
        notes=_losses(told.get("notes", {}), None),
        problems=tuple(kept) if problems is None else problems,
        **{name: cast("dict[str, int]", told.get(name, {})) for name in _COUNTS},
    )


def _losses(told: Mapping[str, Any], plan: Plan | None) -> tuple[Loss, ...]:
    return tuple(
        Loss(
            code=code,
            count=count,
            reason=first[0][1],
            allowed=plan is None or plan.allows(code),
            is_format=is_format,
            places=tuple(place for place, _ in first),
            reasons=tuple(reason for _, reason in first),
        )
        for code, (count, is_format, first) in sorted(told.items())
    )


def _told(heap: _Heap) -> list[Any]:
    return [heap.count, heap.is_format, [list(pair) for pair in heap.first]]


def _bytes(text: str) -> bytes | None:
    return text.encode("utf-8", "surrogatepass") if text else None


def _reject(item: Item, *, code: str, reason: str, is_loss: bool = True) -> Reject:
    raw = item.record.body if isinstance(item, SourceRecord) else written_down(item.entity)
    return Reject(
        code=code,
        place=item.place,
        reason=reason,
        raw=raw,
        kind=item.kind,
        source_id=item.source_id,
        is_loss=is_loss,
    )
