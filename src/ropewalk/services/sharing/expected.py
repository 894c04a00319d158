"""What a guest has listed and counted, put so that the store can find it again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...domain.seen import Counted, Seen
from .joining import merged
from .kindred import Kindred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.ports import Backend
    from ...domain.query import Query
    from .coverage import Coverage


async def as_covered(
    seen: Sequence[Seen | Counted], base: Backend, coverage: Coverage, *, space: str
) -> tuple[Seen | Counted, ...]:
    """Return the same lists and tallies, of what is covered alone.

    Raises `Conflict` where one of them would come out differently already.
    """
    found: list[Seen | Counted] = []
    for part in seen:
        threads = None
        if coverage.in_threads(part.query):
            threads = await Kindred(base, space, coverage).all_threads()
        queries = coverage.parts(part.query, threads)
        if isinstance(part, Seen):
            found += _lists(part, queries)
        else:
            found += await _tallies(part, queries, base)
    return tuple(found)


def _lists(seen: Seen, queries: Sequence[Query]) -> list[Seen]:
    """Cut a list into one for each query; no two of these have a kind in common."""
    limit = seen.query.limit
    stopped = limit is not None and len(seen.found) >= limit
    named = {kind for query in queries for kind in query.kinds}
    lists: list[Seen] = []
    for query in queries:
        own = tuple(
            one
            for one in seen.found
            if (one[0].kind in query.kinds if query.kinds else one[0].kind not in named)
        )
        if own or not stopped:
            lists.append(Seen(replace(query, limit=len(own) if stopped else None), own))
    return lists


async def _tallies(counted: Counted, queries: Sequence[Query], base: Backend) -> list[Counted]:
    if len(queries) == 1:
        return [replace(counted, query=queries[0])]
    sums, groups = counted.sums, counted.group_by
    parts = [
        Counted(query, sums, groups, tuple(await base.tally(query, sums, groups)))
        for query in queries
    ]
    if queries:
        counted.check(merged([row for part in parts for row in part.rows]))
    return parts
