"""`LogsLayer`: one structured line an operation, with figures and ids and never a body."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import aclosing, contextmanager
from time import perf_counter
from typing import Final, TypeAlias, TypeVar

from ..domain.change import Applied, Batch, Commit, Ensure, Put
from ..domain.errors import Conflict, Denied, Invalid, NotFound, RopewalkError
from ..domain.paging import Portion, page_of
from ..domain.ports import Backend
from ..domain.query import Query
from ..domain.record import Key, Record
from ..domain.tally import Tally
from .base import Layer, stop
from .options import check_seconds

LOGGER: Final = logging.getLogger("ropewalk.operations")
"""Where the lines go; each carries its facts as a dictionary in the attribute `ropewalk`."""

# A library stays silent in a program that has not set up logging.
LOGGER.addHandler(logging.NullHandler())

Fact: TypeAlias = str | int | float | None
T = TypeVar("T")

OK: Final = "ok"
ABANDONED: Final = "abandoned"
CANCELLED: Final = "cancelled"


class LogsLayer(Layer):
    """Log each operation at level DEBUG when it has ended, however it ended.

    A line has the verb, the outcome (`ok`, `cancelled`, `abandoned` for a scan that was left
    early, or the code of the error), milliseconds spent in the layers and the store below, and
    how much it was about. An operation of `slow` seconds or more is logged as WARNING, and so is
    one that failed for another reason than what was asked.
    """

    def __init__(self, below: Backend, *, slow: float = 1.0) -> None:
        """Stand round `below`."""
        super().__init__(below)
        self._slow = check_seconds(slow, field="layer.logs.slow")

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Pass on, and log how many keys were asked for and found."""
        # Written out here and below: nearly always there is nothing to tell, and facts take time.
        begin = perf_counter()
        try:
            found = await self._below.get(keys, bodies=bodies)
        except BaseException as error:
            self._end("get", _of_keys(keys), begin, error)
            raise
        if perf_counter() - begin >= self._slow or LOGGER.isEnabledFor(logging.DEBUG):
            facts = _of_keys(keys)
            facts["found"] = sum(record is not None for record in found)
            facts["bytes"] = sum(map(_size, found))
            self._end("get", facts, begin)
        return found

    async def apply(self, batch: Batch) -> Applied:
        """Pass on, and log how many changes and bytes went in under which batch id."""
        begin = perf_counter()
        try:
            applied = await self._below.apply(batch)
        except BaseException as error:
            self._end("apply", _of_batch(batch), begin, error)
            raise
        if perf_counter() - begin >= self._slow or LOGGER.isEnabledFor(logging.DEBUG):
            facts = _of_batch(batch)
            facts["seq"] = applied.seq
            facts["replayed"] = int(applied.replayed)
            self._end("apply", facts, begin)
        return applied

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Pass on, and log what was counted and into how many groups."""
        with self._line("tally", **_asked(query)) as facts:
            groups = await self._below.tally(query, sums, group_by)
            facts["groups"] = len(groups)
        return groups

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Pass on, and log at the end how many records and bytes came."""
        with self._line("scan", **_asked(query), records=0, bytes=0, ms=0.0) as facts:
            async with aclosing(_watched(self._below.scan(query), facts)) as records:
                async for record in records:
                    facts["records"] = _number(facts["records"]) + 1
                    facts["bytes"] = _number(facts["bytes"]) + _size(record)
                    yield record

    async def page(self, query: Query) -> Portion | None:
        """Pass on, and log as a scan how many records and bytes came."""
        begin = perf_counter()
        try:
            portion = await page_of(self._below, query)
        except BaseException as error:
            self._end("scan", _asked(query), begin, error)
            raise
        if portion is not None and (
            perf_counter() - begin >= self._slow or LOGGER.isEnabledFor(logging.DEBUG)
        ):
            facts = _asked(query)
            facts["records"] = len(portion.records)
            facts["bytes"] = sum(map(_size, portion.records))
            self._end("scan", facts, begin)
        return portion

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Pass on, and log at the end how many commits came."""
        with self._line("feed", after=after, commits=0, ms=0.0) as facts:
            async with aclosing(_watched(self._below.feed(after), facts)) as commits:
                async for commit in commits:
                    facts["commits"] = _number(facts["commits"]) + 1
                    yield commit

    async def changed(self, after: int) -> int:
        """Pass on, and log at the end what came; to wait is not to be slow."""
        with self._line("changed", after=after, ms=0.0) as facts:
            newest = await self._below.changed(after)
            facts["newest"] = newest
        return newest

    async def trim(self, before: int) -> int:
        """Pass on, and log how many commits were forgotten."""
        with self._line("trim", before=before) as facts:
            count = await self._below.trim(before)
            facts["commits"] = count
        return count

    def _end(
        self, verb: str, facts: dict[str, Fact], begin: float, error: BaseException | None = None
    ) -> None:
        """Log an operation as ended, well or by an error."""
        outcome, level = (OK, logging.DEBUG) if error is None else _outcome(error)
        spent = facts.setdefault("ms", (perf_counter() - begin) * 1000)
        if _number(spent) >= self._slow * 1000:
            level = logging.WARNING
        if LOGGER.isEnabledFor(level):
            _write(level, verb, outcome, facts)

    @contextmanager
    def _line(self, verb: str, **facts: Fact) -> Generator[dict[str, Fact]]:
        """Log the block as one operation; a block that counts its own `ms` waits for others."""
        begin = perf_counter()
        try:
            yield facts
        except BaseException as error:
            self._end(verb, facts, begin, error)
            raise
        self._end(verb, facts, begin)


async def _watched(items: AsyncIterator[T], facts: dict[str, Fact]) -> AsyncGenerator[T]:
    """Go through `items`, adding up the time spent below, but not that of the reader."""
    try:
        while True:
            begin = perf_counter()
            try:
                item = await anext(items)
            except StopAsyncIteration:
                return
            finally:
                facts["ms"] = _number(facts["ms"]) + (perf_counter() - begin) * 1000
            yield item
    finally:
        await stop(items)


def _outcome(error: BaseException) -> tuple[str, int]:
    if isinstance(error, asyncio.CancelledError):
        return CANCELLED, logging.DEBUG
    if isinstance(error, GeneratorExit):
        return ABANDONED, logging.DEBUG
    if isinstance(error, RopewalkError):
        # These four are answers to the caller; the others are troubles of the store.
        expected = isinstance(error, NotFound | Conflict | Denied | Invalid)
        return error.code, logging.DEBUG if expected else logging.WARNING
    return type(error).__name__, logging.WARNING


def _write(level: int, verb: str, outcome: str, facts: dict[str, Fact]) -> None:
    spent = round(_number(facts.pop("ms")), 3)
    told = {name: value for name, value in facts.items() if value is not None}
    text = " ".join(f"{name}={_plain(value)}" for name, value in told.items())
    LOGGER.log(
        level,
        "%s %s %.3f ms %s",
        verb,
        outcome,
        spent,
        text,
        extra={"ropewalk": {"verb": verb, "outcome": outcome, "ms": spent, **told}},
    )


def _plain(value: Fact) -> str:
    """Write a fact in one word: an id with a line break must not look like a line of its own."""
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)


def _of_keys(keys: Sequence[Key]) -> dict[str, Fact]:
    return {"keys": len(keys), "first": str(keys[0]) if keys else None}


def _of_batch(batch: Batch) -> dict[str, Fact]:
    changes = batch.changes
    return {
        "batch": batch.id,
        "changes": len(changes),
        "first": str(changes[0].key) if changes else None,
        "bytes": sum(len(c.body) for c in changes if isinstance(c, Put | Ensure)),
    }


def _asked(query: Query) -> dict[str, Fact]:
    """Say what a query is about; the values it compares with are the user's own business."""
    return {
        "space": query.space,
        "kinds": ",".join(query.kinds) or None,
        "session": query.session_id,
        "thread": query.thread_id,
        "conditions": len(query.where),
        "limit": query.limit,
    }


def _number(value: Fact) -> int | float:
    return value if isinstance(value, int | float) else 0


def _size(record: Record | None) -> int:
    return len(record.body) if record is not None and record.body is not None else 0
