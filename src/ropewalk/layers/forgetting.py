"""Forgetting commits of a store that was moved: first those of earlier stores, then its own."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..domain.change import Batch, Commit, Delete
from ..domain.errors import Conflict, Corrupt
from ..domain.record import Key
from .epoch import COMMIT_KIND, EPOCH_KEY, RESERVED, Epoch, commits, earlier, read_epoch

if TYPE_CHECKING:
    from ..domain.ports import Backend

ACTOR: Final = "ropewalk trim"

_AT_ONCE: Final = 500
"""How many commits are forgotten at once."""


async def forget(backend: Backend, epoch: Epoch, before: int) -> int:
    """Forget the commits with callers' numbers less than `before`, all but the newest."""
    if epoch.is_first:
        return await backend.trim(before)
    count = 0
    while going := await _oldest(backend, epoch, before):
        ids = [commit.batch_id for commit in going if commit.seq <= epoch.floor]
        if not ids:
            await backend.trim(epoch.inward(going[-1].seq) + 1)
        elif not await _forget_earlier(backend, ids, upto=going[len(ids) - 1].seq):
            continue
        count += len(ids) or len(going)
    if not await _has_earlier(backend):
        # What the copy itself has written, under the ids of batches that are forgotten now.
        await backend.trim(epoch.base + 1)
    return count


async def _oldest(backend: Backend, epoch: Epoch, before: int) -> list[Commit]:
    """Return the oldest commits before that number, each of which has one behind it."""
    found: list[Commit] = []
    async with aclosing(commits(backend, epoch, 0)) as told:
        async for commit in told:
            if commit.seq >= before or len(found) == _AT_ONCE:
                return found
            found.append(commit)
    return found[:-1]


async def _forget_earlier(backend: Backend, ids: list[str], *, upto: int) -> bool:
    """Remove commits of earlier stores and note it; return False where somebody else was first."""
    (record,) = await backend.get([EPOCH_KEY], bodies=False)
    if record is None:
        message = f"{EPOCH_KEY}, which says how commits are numbered, is gone: restore it"
        raise Corrupt(message, code="bad_epoch", key=EPOCH_KEY)
    epoch = await read_epoch(backend)
    noted = replace(epoch, forgotten=max(epoch.forgotten, upto)).put()
    gone = [Delete(key=Key(RESERVED, COMMIT_KIND, id)) for id in ids]
    try:
        await backend.apply(Batch((*gone, replace(noted, expect=record.version)), actor=ACTOR))
    except Conflict:
        return False
    return True


async def _has_earlier(backend: Backend) -> bool:
    async with aclosing(earlier(backend)) as entries:
        async for _ in entries:
            return True
    return False
