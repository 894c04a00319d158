"""What an erasure cannot take away: where it may be, why it is there, and what removes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.query import Condition, Query
from ...domain.receipt import Remainder
from ...stores.kinds import DOORS
from ...stores.trees import DICTIONARY

if TYPE_CHECKING:
    from ..desk import Desk


async def remainders(desk: Desk, *, trimmed: bool) -> tuple[Remainder, ...]:
    """Name what may still tell of a person in the space of `desk`, and outside of the store."""
    found: list[Remainder] = []
    if not trimmed:
        found.append(
            Remainder(
                what="names of removed records in the log of commits",
                why="the log says which keys each commit changed, and no content",
                remedy="erase with --trim-feed, or retention.trim; both forget older commits",
            )
        )
    count = await _count(desk, Query(space=desk.space, kinds=(DICTIONARY,), bodies=False))
    if count:
        found.append(
            Remainder(
                what="dictionaries of the compressor",
                why="they were trained on parts of states and on records, and may repeat short "
                "pieces of them; what belongs to others leans on them",
                remedy="they go with their space: ropewalk spaces delete",
                count=count,
            )
        )
    count = await _unclaimed(desk)
    if count:
        found.append(
            Remainder(
                what="plain records that name no session, no thread and no user",
                why="nothing says whose they are",
                remedy="ropewalk ls kinds counts them, storage.records.list goes through them",
                count=count,
            )
        )
    for kind in ("lease", "fence"):
        count = await _count(desk, Query(space=desk.space, kinds=(kind,), bodies=False))
        if count:
            found.append(
                Remainder(
                    what=f"names in records of kind {kind!r}",
                    why="their numbers must never come back, and names may contain ids of threads",
                    remedy="none is needed for content; they hold names alone",
                    count=count,
                )
            )
    found.append(
        Remainder(
            what="bytes in the files of the store, its backups and archives, and logs",
            why="engines reuse the place of removed records later; copies are not the store's",
            remedy="export into a new store and delete the old files; delete or rotate the copies",
        )
    )
    found.append(
        Remainder(
            what="sources of migrations",
            why="a source is never changed: what was brought from there is still in it",
            remedy="erase there as well, before the next run brings it again",
        )
    )
    return tuple(found)


async def _count(desk: Desk, query: Query) -> int:
    [row] = await desk.backend.tally(query)
    return row.count


async def _unclaimed(desk: Desk) -> int:
    nobody = (
        Condition("session_id", "eq", None),
        Condition("thread_id", "eq", None),
        Condition("labels.metadata.user_id", "eq", None),
    )
    query = Query(space=desk.space, where=nobody, bodies=False)
    rows = await desk.backend.tally(query, (), ("kind",))
    return sum(row.count for row in rows if str(row.group[0]) not in DOORS)
