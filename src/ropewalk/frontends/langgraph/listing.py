"""`Listing`: a look at checkpoints, newest first, that may be broken off anywhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from langgraph.checkpoint.base import CheckpointTuple

from ...domain.checkpoint import CheckpointHeader, Write
from ...domain.graph import before, behind
from .filters import conditions, holds
from .keeper import Keeper
from .place import Place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_FIRST_PAGE: Final = 8
_WIDEST_PAGE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which checkpoints to list: `None` stands for all threads, namespaces, ids; for no bound."""

    thread_id: str | None = None
    namespace: str | None = None
    checkpoint_id: str | None = None
    below: str | None = None
    metadata: Mapping[str, Any]
    limit: int | None = None


class Listing:
    """Goes through checkpoints by their ids, one at a time, as long as it is asked to.

    Between two steps nothing is open in the store and nothing has to be closed: whoever stops
    asking is done, also at the end of the program.
    """

    def __init__(self, keeper: Keeper, wanted: Wanted) -> None:
        """Begin before the first."""
        self._keeper = keeper
        self._wanted = wanted
        self._left = wanted.limit
        self._upper = None if wanted.below is None else before(wanted.below)
        if wanted.checkpoint_id is not None:
            bound = behind(wanted.checkpoint_id)
            self._upper = bound if self._upper is None else min(bound, self._upper)
        narrow = wanted.limit is not None and not wanted.metadata
        self._width = min(wanted.limit or 1, _WIDEST_PAGE) if narrow else _FIRST_PAGE
        self._page: deque[CheckpointHeader] = deque()
        self._written: Mapping[str, Sequence[Write]] = {}
        self._ended = False

    async def next(self) -> CheckpointTuple | None:
        """Return the next checkpoint, or `None` behind the last."""
        while self._left is None or self._left > 0:
            if not self._page and not await self._turn():
                return None
            if not self._page:
                continue
            header = self._page.popleft()
            found = await self._keeper.tuple_of(header, self._written.get(header.id, ()))
            if found is not None:
                self._left = None if self._left is None else self._left - 1
                return found
        return None

    async def _turn(self) -> bool:
        """Read the headers of a page and keep those that are wanted; tell whether there was one."""
        if self._ended:
            return False
        wanted, states = self._wanted, self._keeper.states
        rows = cast(
            "AsyncGenerator[CheckpointHeader, None]",
            states.headers(
                thread_id=wanted.thread_id,
                namespace=wanted.namespace,
                before=self._upper,
                where=conditions(wanted.metadata),
                limit=self._width,
            ),
        )
        async with aclosing(rows):
            page = [header async for header in rows]
        self._ended = len(page) < self._width
        if page:
            self._upper, self._width = page[-1].id, min(2 * self._width, _WIDEST_PAGE)
            if wanted.checkpoint_id is not None:
                self._ended |= not page[-1].id.startswith(before(wanted.checkpoint_id))
        kept = [header for header in page if await self._is_wanted(header)]
        self._page.extend(kept if self._left is None else kept[: self._left])
        self._written = await states.writes_of([header.id for header in self._page])
        return True

    async def _is_wanted(self, header: CheckpointHeader) -> bool:
        id_, metadata = self._wanted.checkpoint_id, self._wanted.metadata
        if id_ is not None and Place.parse(header.id).checkpoint_id != id_:
            return False
        return not metadata or holds(await self._keeper.metadata(header), metadata)
