"""What a checker of histories found: `Verdict`, `Anomaly`, and the levels of isolation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """What a history is held to; each level forbids all that the ones before it forbid.

    The names of the anomalies are those of A. Adya, Weak Consistency: A Generalized Theory and
    Optimistic Implementations for Distributed Transactions (1999).
    """

    COMMITTED = "read committed"
    """No dirty write (G0), aborted (G1a), intermediate (G1b) or circular (G1c) reads."""
    SNAPSHOT = "snapshot isolation"
    """Besides, no lost update and no read skew (G-single), and of cycles with more
    anti-dependencies only those in which two follow one another: the ones that snapshots allow
    (Cerone, Bernardi and Gotsman, 2015)."""
    SERIALIZABLE = "serializable"
    """Besides, no cycle at all: no write skew and no phantom (G2)."""
    STRICT = "strictly serializable"
    """Besides, in an order that agrees with time: what began after an end sees it."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that cannot have happened in a sound store.

    `code` names it, `story` is one sentence, `part` the smallest part of the history that shows
    it, a line each.
    """

    code: str
    story: str
    part: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it as people read it."""
        return "\n".join((f"{self.code}: {self.story}", *(f"    {line}" for line in self.part)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All anomalies of a history, and how much of it there was to look at."""

    anomalies: tuple[Anomaly, ...]
    transactions: int
    keys: int
    edges: int

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.anomalies

    @property
    def codes(self) -> frozenset[str]:
        """The names of what is wrong."""
        return frozenset(anomaly.code for anomaly in self.anomalies)

    def __str__(self) -> str:
        """Write it as people read it."""
        size = f"{self.transactions} transactions on {self.keys} keys, {self.edges} dependencies"
        return "\n".join((size, *(map(str, self.anomalies or ("no anomaly",)))))
