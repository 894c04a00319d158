"""`Consumer`: somebody with a name who works through the commits of a space, and how far he is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

CONSUMER: Final = "consumer"
"""The kind of their records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """The cursor that a consumer has in the store: `seq` is the last commit it is done with.

    `token` is whose turn it is: whoever opens the consumer writes another one, and from then on
    those who opened it before can move it no more.
    """

    name: str
    seq: int
    token: str
    created_at: datetime
    updated_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a consumer is behind: `commits` that are not acknowledged, the first made `since`."""

    commits: int
    since: datetime | None = None
