"""What is going on in a store, as far as the store itself knows: whoever may be at work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .health import State
from .lease import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A consumer, and how many commits it has not acknowledged: of all spaces, wanted or not."""

    name: str
    seq: int
    commits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Figures of one moment, of all processes together; sizes in bytes are among `facts`.

    `seq` is the number of the newest commit, 0 where there is none. `commits` and `changes` count
    those of the last `window` seconds by the store's clock; with `more`, there were more than were
    counted. They are of all spaces; runs, leases and consumers are of the handle's own.
    """

    at: datetime
    health: State
    seq: int
    window: int
    commits: int = 0
    changes: int = 0
    more: bool = False
    spaces: Mapping[str, int] = field(default_factory=dict[str, int])
    running: int = 0
    leases: tuple[Lease, ...] = ()
    consumers: tuple[Behind, ...] = ()
    facts: Mapping[str, str | int | float] = field(default_factory=dict[str, str | int | float])
