"""`Receipt`: what an erasure took away, when and by whom, and what remains and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """Something that may still tell of a person: what, how much of it if that is known, and why.

    `remedy` says what takes it away.
    """

    what: str
    why: str
    remedy: str
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was erased of a person, or would be in a dry run.

    `records` counts by kind. `digest` is the sum, modulo 2**256, of the SHA-256 of each record
    that went, headers and sealed body, in hexadecimal: whoever has a backup can check against it.
    `namespaces` are those whose memories went. `forks` are threads of other people that continue
    threads of this one; where `with_forks`, they went too. `notes` and `undone` are what was taken
    out of the journals of migrations: notes on items, and what rollbacks would have put back.
    `commits` of the log were forgotten.
    """

    user_id: str
    space: str
    dry_run: bool
    actor: str
    started_at: datetime
    ended_at: datetime
    records: Mapping[str, int] = field(default_factory=dict[str, int])
    digest: str = ""
    namespaces: tuple[str, ...] = ()
    forks: tuple[str, ...] = ()
    with_forks: bool = False
    notes: int = 0
    undone: int = 0
    commits: int = 0
    remains: tuple[Remainder, ...] = ()

    @property
    def total(self) -> int:
        """How many records that is."""
        return sum(self.records.values())
