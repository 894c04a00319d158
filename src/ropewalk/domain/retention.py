"""What forgetting old commits comes to, done or planned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trimmed:
    """So many `commits` with numbers less than `before` are forgotten, or would be in a dry run.

    `oldest_at` is when the oldest was made that stays, `None` where there is none at all.
    `held_by` are the consumers ("space/name") that keep more from being forgotten.
    """

    before: int
    commits: int
    dry_run: bool
    oldest_at: datetime | None = None
    held_by: tuple[str, ...] = ()
