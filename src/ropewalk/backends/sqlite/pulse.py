"""What the writer lets others see while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...domain.errors import RopewalkError


@dataclass(slots=True)
class Pulse:
    """Signs of life of the writer, read from any thread.

    `file` is which file it opened, `failure` what the last write failed of (`None` once one has
    succeeded since), and `trouble` what it last stumbled on between batches. `commits` rises with
    each commit, before anybody is told of it; `stir` is called then.
    """

    file: tuple[int, int] | None = None
    failure: RopewalkError | None = None
    trouble: RopewalkError | None = None
    commits: int = 0
    stir: Callable[[], None] | None = None
