"""What was counted of the work of a store: how often, how long, and how it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from types import MappingProxyType
from typing import Final, TypeAlias

from .errors import Invalid
from .shape import Shape

_FINENESS: Final = 4
_OCTAVES: Final = 27

BOUNDS: Final = tuple(1e-6 * 2 ** (n / _FINENESS) for n in range(_FINENESS * _OCTAVES + 1))
"""Upper bounds of the buckets in seconds, from a microsecond to two minutes; each is 19 % more
than the one before. One more bucket holds what took longer still."""

Facts: TypeAlias = Mapping[str, str | int | float]


def _no_counts() -> Mapping[str, int]:
    return MappingProxyType({})


def _no_facts() -> Facts:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbMetrics:
    """One verb of the store: durations are seconds, of the operations that succeeded.

    For `scan` and `feed` a duration ends with the first record, or the answer that there is none:
    what the reader does with each is not the store's. `items` are keys, changes, records, groups
    or commits. `errors` counts by code, `cancelled` among them. `buckets` has a count for each of
    `BOUNDS` and one for what is beyond.
    """

    verb: str
    begun: int = 0
    items: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    buckets: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    errors: Mapping[str, int] = field(default_factory=_no_counts)

    @property
    def count(self) -> int:
        """How many operations succeeded."""
        return sum(self.buckets)

    @property
    def failed(self) -> int:
        """How many operations did not."""
        return sum(self.errors.values())

    @property
    def under_way(self) -> int:
        """How many operations have begun and neither succeeded nor failed yet."""
        return max(self.begun - self.count - self.failed, 0)

    @property
    def mean(self) -> float:
        """The mean duration in seconds, 0 where nothing succeeded."""
        return self.seconds / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """Return the seconds within which this share of the operations succeeded.

        The true value is at most 16 % less. Raises `Invalid` for a share beyond 0 and 1.
        """
        if not 0 <= share <= 1:
            message = f"share must lie between 0 and 1, not be {share}"
            raise Invalid(message, code="bad_share", field="share")
        wanted = share * self.count
        for bound, reached in zip(BOUNDS, accumulate(self.buckets), strict=False):
            if reached and reached >= wanted:
                return min(bound, self.longest)
        return self.longest

    def since(self, before: VerbMetrics) -> VerbMetrics:
        """Return what was counted after `before`; `longest` stays that of all time."""
        errors = {code: n - before.errors.get(code, 0) for code, n in self.errors.items()}
        return replace(
            self,
            begun=self.begun - before.count - before.failed,
            items=self.items - before.items,
            seconds=self.seconds - before.seconds,
            buckets=tuple(a - b for a, b in zip(self.buckets, before.buckets, strict=True)),
            errors=MappingProxyType({code: n for code, n in errors.items() if n}),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The counters of one store in this process, at one moment.

    `elapsed` is for how many seconds they have been counting. `slow` are the shapes of questions
    that took long, the most expensive first. `facts` is what the back end says of itself: pages,
    caches, its queue.
    """

    elapsed: float
    verbs: tuple[VerbMetrics, ...] = ()
    slow: tuple[Shape, ...] = ()
    facts: Facts = field(default_factory=_no_facts)

    def of(self, verb: str) -> VerbMetrics:
        """Return the figures of a verb, all zero where it was not used."""
        return next((v for v in self.verbs if v.verb == verb), VerbMetrics(verb=verb))

    def rate(self, verb: str) -> float:
        """Return how many operations of a verb succeeded in a second."""
        return self.of(verb).count / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def under_way(self) -> int:
        """How many operations are under way: waiting, or being done."""
        return sum(verb.under_way for verb in self.verbs)

    def since(self, before: Metrics) -> Metrics:
        """Return what was counted after an earlier snapshot of the same store."""
        verbs = tuple(verb.since(before.of(verb.verb)) for verb in self.verbs)
        return replace(self, elapsed=self.elapsed - before.elapsed, verbs=verbs)
