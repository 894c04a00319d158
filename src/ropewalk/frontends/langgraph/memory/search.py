"""`Searcher`: the memories of a namespace, by what is in them and by likeness."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TypeAlias, cast

from langgraph.store.base import SearchOp

from ....domain.memory import Memory, Name, Namespace
from ....services.memories import AT_ONCE, Memories
from .comparing import check, matches
from .likeness import best_scores

Found: TypeAlias = tuple[Memory, float | None]
"""A memory, and how like the query it is; `None` where nothing was compared."""

_Ranked: TypeAlias = tuple[float, Namespace, str, Name]
"""Sorts the best first: the negative score, then the name."""


class Searcher:
    """Answer searches, holding no more in memory than a page and what is answered."""

    def __init__(self, memories: Memories) -> None:
        """Search in `memories`."""
        self._memories = memories

    async def search(self, op: SearchOp, query: Sequence[float] | None) -> list[Found]:
        """Return what an operation asks for, the latest change first, or the likest to `query`.

        Memories without vectors come behind those that have some. Raises `Invalid` for an
        operator that there is not.
        """
        check(op.filter)
        if op.limit == 0:
            return []
        prefix = tuple(op.namespace_prefix)
        if query is None:
            return [(memory, None) async for memory in self._latest(op, prefix)]
        ranked = await self._ranked(op, prefix, query)
        found = await self._opened(op, ranked[op.offset :])
        missing = op.limit - len(found)
        if missing and len(ranked) < op.offset + op.limit:
            skip = max(op.offset - len(ranked), 0)
            found += await self._without_vectors(op, prefix, skip, missing, len(query))
        return found

    async def _latest(self, op: SearchOp, prefix: Namespace) -> AsyncIterator[Memory]:
        if not op.filter:
            async for memory in self._memories.scan(prefix, skip=op.offset, limit=op.limit):
                yield memory
            return
        place = 0
        scan = cast("AsyncGenerator[Memory, None]", self._memories.scan(prefix))
        async with aclosing(scan):
            async for memory in scan:
                if not matches(memory.value, op.filter):
                    continue
                if place >= op.offset:
                    yield memory
                place += 1
                if place == op.offset + op.limit:
                    return

    async def _ranked(
        self, op: SearchOp, prefix: Namespace, query: Sequence[float]
    ) -> list[_Ranked]:
        """Return the likest memories, as many as are needed, the best first."""
        count = op.offset + op.limit
        best: list[_Ranked] = []
        pages = self._memories.vectors(prefix)
        async for page in pages:
            names = [entry.name for entry in page]
            meant = await self._meant(op, names)
            scores = await best_scores(query, page)
            best += [
                (-score, name.namespace, name.key, name)
                for name, score, is_meant in zip(names, scores, meant, strict=True)
                if is_meant and score is not None
            ]
            best.sort()
            del best[count:]
        return best

    async def _meant(self, op: SearchOp, names: Sequence[Name]) -> list[bool]:
        """Tell which names have a memory that the filters let pass."""
        if not op.filter:
            return await self._memories.there(names)
        return [
            memory is not None and matches(memory.value, op.filter)
            for memory in await self._memories.get(names)
        ]

    async def _opened(self, op: SearchOp, ranked: Sequence[_Ranked]) -> list[Found]:
        memories = await self._memories.get([name for *_, name in ranked])
        return [
            (memory, -place[0])
            for memory, place in zip(memories, ranked, strict=True)
            # Meanwhile it may have been forgotten, or changed.
            if memory is not None and matches(memory.value, op.filter)
        ]

    async def _without_vectors(
        self, op: SearchOp, prefix: Namespace, skip: int, count: int, dims: int
    ) -> list[Found]:
        found: list[Found] = []
        async for page in self._pages(op, prefix):
            has_some = await self._memories.found_by([memory.name for memory in page], dims=dims)
            for memory, is_ranked in zip(page, has_some, strict=True):
                if is_ranked:
                    continue
                if skip:
                    skip -= 1
                    continue
                found.append((memory, None))
                if len(found) == count:
                    return found
        return found

    async def _pages(self, op: SearchOp, prefix: Namespace) -> AsyncIterator[list[Memory]]:
        page: list[Memory] = []
        async for memory in self._memories.scan(prefix):
            if matches(memory.value, op.filter):
                page.append(memory)
            if len(page) == AT_ONCE:
                yield page
                page = []
        if page:
            yield page
