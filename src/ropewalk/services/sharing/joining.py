"""One answer out of several queries that have no record in common."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING, cast

from ...domain.cursor import rank
from ...domain.tally import Tally, check_tally, tally_records

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from ...domain.ports import Backend
    from ...domain.query import Query
    from ...domain.record import Record


async def joined(
    base: Backend, parts: Sequence[Query], query: Query
) -> AsyncGenerator[Record, None]:
    """Go through the records of all parts in the order of `query`."""
    async with AsyncExitStack() as stack:
        heads: list[tuple[Record, AsyncGenerator[Record, None]]] = []
        for part in parts:
            rows = cast("AsyncGenerator[Record, None]", base.scan(part))
            await stack.enter_async_context(aclosing(rows))
            async for record in rows:
                heads.append((record, rows))
                break
        choose = max if query.order.descending else min
        while heads:
            first = choose(heads, key=lambda head: query.cursor(head[0]).key)
            record, rows = first
            heads.remove(first)
            yield record
            following = await anext(rows, None)
            if following is not None:
                heads.append((following, rows))


async def summed(
    base: Backend, parts: Sequence[Query], sums: Sequence[str], group_by: Sequence[str]
) -> list[Tally]:
    """Count and sum the records of all parts, sorted by group as one tally is."""
    check_tally(sums, group_by)
    if len(parts) == 1:
        return await base.tally(parts[0], sums, group_by)
    if not parts:
        return tally_records((), sums, group_by)
    rows = [row for part in parts for row in await base.tally(part, sums, group_by)]
    return merged(rows)


def merged(rows: Sequence[Tally]) -> list[Tally]:
    """Add up the rows of equal groups, and sort them."""
    found: dict[tuple[object, ...], Tally] = {}
    for row in rows:
        group = tuple(rank(value) for value in row.group)
        known = found.get(group)
        if known is None:
            found[group] = row
        else:
            sums = tuple(a + b for a, b in zip(known.sums, row.sums, strict=True))
            found[group] = Tally(row.group, known.count + row.count, sums)
    return [row for _, row in sorted(found.items(), key=lambda item: cast("tuple[int]", item[0]))]
