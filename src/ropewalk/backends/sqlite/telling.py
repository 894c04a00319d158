"""Telling the commits of an open store, a page in each short read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from . import feed, shapes

if TYPE_CHECKING:
    from ...domain.change import Commit
    from .house import House

_FIRST_STEP: Final = 32
_LONGEST_STEP: Final = 512
"""Commits read at once: whoever only wants to know what is new gets it at once."""

_SMALL: Final = 32 * 1024
_BIG: Final = 1024 * 1024
"""Bytes of rows read at once, on a loop's thread and elsewhere: a commit may be of any size."""


async def tell(here: Callable[[], House], after: int) -> AsyncGenerator[Commit]:
    """Go through the commits behind `after`, up to the present; `here` is the open store."""
    position, end, step = after, None, _FIRST_STEP
    while end is None or position < end:
        house = here()
        shape = shapes.of_feed(step)
        size = _BIG if shape is None else _SMALL
        page = partial(feed.commits, after=position, until=end, count=step, size=size)
        commits, newest = await house.read(house.walks, page, shape=shape)
        if newest < house.watch.newest:
            # A loop reads in one snapshot for the whole of its turn, and somebody was told of more.
            commits, newest = await house.read(house.walks, page)
        end = newest
        if not commits:
            return
        for commit in commits:
            yield commit
        position = commits[-1].seq
        step = min(step * 2, _LONGEST_STEP)
