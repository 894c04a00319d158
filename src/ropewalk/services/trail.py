"""`Trail`: what runs have written down of themselves on a thread, to be deleted along with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..stores.base import Find
from ..stores.runs import RunStore, StepStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..domain.change import Change
    from .desk import Desk


class Trail:
    """Lets a thread be deleted without the threads knowing the records of runs."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        parts = desk.backend, desk.sealer
        self._stores = (
            StepStore(*parts, space=desk.space),
            RunStore(*parts, space=desk.space),
        )

    async def delete_of(self, thread_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete the runs of a thread with their steps."""
        for store in self._stores:
            async for record in store.headers(Find(thread_id=thread_id)):
                yield store.remove(record.key.id)
