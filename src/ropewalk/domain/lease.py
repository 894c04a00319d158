"""`Lease`: who alone may change something now, since when, until when, and who waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from .errors import Invalid

MIN_TTL: Final = 0.02
"""Shortest time to live of a lease, in seconds: below it, renewing would be all there is."""

MAX_TTL: Final = 31 * 24 * 3_600.0
"""Longest time to live of a lease, in seconds: so long nobody gets on if its holder dies."""

LEASE_LOST: Final = "lease_lost"
"""The code of the `Conflict` for a write without the lease: to try again is of no use."""

_MICROS: Final = 1_000_000


class WhenBusy(StrEnum):
    """What to do where somebody else has the lease."""

    REJECT = "reject"
    """Give up at once."""
    WAIT = "wait"
    """Wait in turn."""
    INTERRUPT = "interrupt"
    """Ask the holder to give it up, and wait in turn."""
    TAKE_OVER = "take_over"
    """Take it away: from then on nothing that the holder writes is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A place in the queue for a lease; it is void from `until` on, unless it is renewed."""

    id: str
    lease: str
    owner: str
    since: datetime
    until: datetime
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to change something alone, until it expires by the clock of the store.

    `token` rises with each grant of the same name and never falls: it is the fencing token that
    every write of the holder is checked for. `renewed_at` is the holder's last sign of life,
    `wanted_by` who asked the holder to give it up; `waiting` is the queue, first in line first.
    """

    name: str
    owner: str
    token: int
    since: datetime
    until: datetime
    renewed_at: datetime
    wanted_by: str | None = None
    waiting: tuple[Ticket, ...] = ()
    version: int = 0


def ttl_micros(seconds: float) -> int:
    """Return a time to live in microseconds; raise `Invalid` outside `MIN_TTL` to `MAX_TTL`."""
    if isinstance(seconds, bool) or not MIN_TTL <= seconds <= MAX_TTL:
        message = f"ttl must be {MIN_TTL} to {MAX_TTL:.0f} seconds, not {seconds}"
        raise Invalid(message, code="bad_ttl", field="ttl")
    return round(seconds * _MICROS)
