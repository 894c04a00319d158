"""What a session's token totals take on each back end, beside a bare statement in the same file."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path
from random import Random
from typing import Final

import apsw

import ropewalk
from ropewalk import Storage

from .figures import median
from .workloads import SEED

BARE: Final = "apsw, one statement"
HOW: Final = (
    "Milliseconds of `history.token_statistics` of a session with 1,000 records of token usage; "
    "medians of calls in changing order. *apsw, one statement* adds up the same labels of the same "
    "rows, in the same file, by one `select` with three sums: it looks at no version, no expiry "
    "and no overflow, and at no number that is not whole."
)
_USAGES: Final = 1_000
_SESSION: Final = "tokens"
_FEWEST: Final = 9
_CALLS: Final = 5
"""So many calls in a row are one reading; the quickest of them counts."""
_LABELS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")
_STATEMENT: Final = (
    f"select {', '.join(f'sum(labels ->> {name!r})' for name in _LABELS)} from record "  # noqa: S608
    "where session_id = (select nr from name where text = ? and space = 0 and kind = 0)"
)


async def measure(storage: Storage, path: Path, folder: Path, *, rounds: int) -> dict[str, float]:
    """Return milliseconds for `storage`, which lies at `path`, and for stores of other kinds."""
    async with AsyncExitStack() as stack:
        others = {
            "memory": await stack.enter_async_context(ropewalk.open("memory://")),
            "file": await stack.enter_async_context(ropewalk.open(f"file:///{folder / 'tokens'}")),
        }
        stores = {"SQLite": storage, **others}
        totals = [await _fill(store) for store in stores.values()]
        bare = stack.enter_context(closing(apsw.Connection(str(path))))

        async def alone() -> int:
            [(_, _, total)] = bare.execute(_STATEMENT, (_SESSION,))
            return int(str(total))

        calls: dict[str, Callable[[], Awaitable[int]]] = {
            name: _asking(store) for name, store in stores.items()
        }
        calls[BARE] = alone
        spent: dict[str, list[float]] = {name: [] for name in calls}
        for turn in range(max(_FEWEST, rounds)):
            order = list(calls)
            Random(turn).shuffle(order)
            for name in order:
                readings: list[float] = []
                for _ in range(_CALLS):
                    before = time.perf_counter()
                    total = await calls[name]()
                    readings.append(1e3 * (time.perf_counter() - before))
                    if total not in totals:
                        raise ValueError(name)
                spent[name].append(median(readings))
    return {name: median(readings) for name, readings in spent.items()}


def _asking(storage: Storage) -> Callable[[], Awaitable[int]]:
    async def ask() -> int:
        return (await storage.history.token_statistics(session_id=_SESSION)).total_tokens

    return ask


async def _fill(storage: Storage) -> int:
    """Add the usages, the same ones everywhere, and return their sum."""
    random = Random(SEED)
    await storage.sessions.create(id=_SESSION)
    total = 0
    async with storage.unit() as unit:
        for _ in range(_USAGES):
            prompt, completion = random.randrange(4_000), random.randrange(1_000)
            total += prompt + completion
            await unit.history.add_token_usage(
                model="m", prompt_tokens=prompt, completion_tokens=completion, session_id=_SESSION
            )
    return total
