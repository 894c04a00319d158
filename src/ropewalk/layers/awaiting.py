"""Waiting for a commit of a store that may be moved meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from ..domain.errors import NotFound
from .epoch import Epoch, commits

if TYPE_CHECKING:
    from ..domain.ports import Backend
    from .place import Place


async def newest(place: Place, after: int) -> int | None:
    """Return the newest number once it is greater than `after`, `None` if the store moved on."""
    waiting = asyncio.ensure_future(_newest(place.backend, place.epoch, after))
    moved = asyncio.ensure_future(place.moved.wait())
    both = (waiting, moved)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        # A store that has moved on is closed, and whoever waits there is told so.
        if waiting.done() and (place.next is None or waiting.exception() is None):
            return waiting.result()
        return None
    finally:
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)


async def _newest(backend: Backend, epoch: Epoch, after: int) -> int:
    if epoch.is_first:
        return await backend.changed(after)
    if after < epoch.floor:
        own = await backend.changed(-1)
        # The first after the copy says only that the copy is finished.
        return epoch.floor if own <= epoch.base + 1 else epoch.outward(own)
    while True:
        number = epoch.outward(await backend.changed(epoch.inward(after)))
        if await _tells(backend, epoch, after):
            return number
        after = number


async def _tells(backend: Backend, epoch: Epoch, after: int) -> bool:
    """Tell whether there is more behind `after` than the housekeeping of a store that was moved."""
    try:
        async with aclosing(commits(backend, epoch, after)) as told:
            async for _ in told:
                return True
    except NotFound:  # forgotten already, so there was something
        return True
    return False
