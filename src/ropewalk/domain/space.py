"""`Space` and `Emptied`: a part of a store that is kept apart, and what goes with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A space as its managers see it.

    `created_at` is `None` for a space that nobody created by name: it is there because something
    was written into it. `records` counts what is in it, of every kind, the space's own entry
    among them. `deleting` says that a deletion was begun and is not finished.
    """

    name: str
    description: str = ""
    created_at: datetime | None = None
    records: int = 0
    deleting: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """What a deletion of a space removed, or would remove.

    `records` has the number for each kind; `received` counts the grants that other spaces had
    given to this one.
    """

    space: str
    dry_run: bool
    records: Mapping[str, int] = field(default_factory=dict[str, int])
    received: int = 0

    @property
    def total(self) -> int:
        """The number of records, those in other spaces included."""
        return sum(self.records.values()) + self.received
