"""Answer a query: read it, load what it may mean, and let an SQLite in memory decide."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final

from ...domain.labels import PARTIAL
from .cells import read_cell, read_path, weight
from .groups import check_groups
from .halt import Halt
from .limits import beyond
from .params import check_params, read_params
from .pushdown import narrow
from .settle import settle, type_of
from .statement import Statement
from .tree import Path

if TYPE_CHECKING:
    from ...domain.query import Query
    from ...domain.record import Record
    from ..letter import Letter
    from ..shelf import Shelf
    from .cells import Value
    from .engine import Answer
    from .limits import SelectLimits
    from .tree import Select

_STEP: Final = 100
"""Records read before they are opened, and between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked query: what to ask the back end for, and what to do with it."""

    select: Select
    statement: Statement
    query: Query
    raw: tuple[Path | None, ...]
    """For each column of the answer the path whose value is given as it is, if it is one."""
    bools: tuple[bool, ...]
    """For each column of the answer whether it is a bool."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths that are looked at."""
        cells = (cell for cell in self.statement.cells if isinstance(cell, Path))
        return (*cells, *(path for path in self.raw if path is not None))

    @property
    def opens(self) -> bool:
        """Whether every letter must be opened; else labels tell, where they tell everything."""
        return any(path.root == "data" or path.type in (None, "any") for path in self.paths)


async def answer(
    text: str, params: Mapping[str, Any] | None, *, shelf: Shelf, limits: SelectLimits
) -> list[dict[str, Any]]:
    """Return the rows that a SELECT asks of the records of one space.

    Raises `Invalid` for what is not in the language or beyond a limit. A caller who leaves takes
    the query with him.
    """
    halt = Halt(limits.max_query_seconds)
    given = read_params(params)
    try:
        plan = await asyncio.to_thread(prepare, text, given, space=shelf.space, limits=limits)
        rows, values = await _load(plan, shelf, limits, halt)
        found = await asyncio.to_thread(_run, plan.statement, rows, halt)
    finally:
        halt.leave()
    if len(found) > limits.max_query_rows:
        message = (
            f"the answer has more than {limits.max_query_rows} rows; add a LIMIT, group them, or "
            "narrow the query: nothing is cut off silently"
        )
        raise beyond("max_query_rows", message)
    return [_row(plan, row, values) for row in found]


def prepare(text: str, params: Mapping[str, Value], *, space: str, limits: SelectLimits) -> Plan:
    """Check a query in every respect; raise `Invalid` before anything is read."""
    # The parser takes a fifth of a second to import: here that is not the event loop's time.
    from .parse import read

    select = read(text, limits)
    check_params(select, params, limits)
    select = settle(select, params)
    check_groups(select)
    statement = Statement(params)
    statement.write(select, at_most=limits.max_query_rows)
    items = [item.value for item in select.items]
    plan = Plan(
        select,
        statement,
        narrow(select, params).query(space),
        tuple(v if isinstance(v, Path) and v.type is None else None for v in items),
        tuple(type_of(value, params) == "bool" for value in items),
    )
    return replace(plan, query=replace(plan.query, bodies=plan.opens))


def _run(statement: Statement, rows: Sequence[tuple[Value, ...]], halt: Halt) -> Answer:
    # The same holds for the machine.
    from .engine import run

    return run(statement, rows, halt)


async def _load(
    plan: Plan, shelf: Shelf, limits: SelectLimits, halt: Halt
) -> tuple[list[tuple[Value, ...]], list[tuple[object, ...]]]:
    """Read the cells of every record that the query may mean, and the values given as they are."""
    cells = tuple(plan.statement.cells)
    raw = tuple(path for path in plan.raw if path is not None)
    rows: list[tuple[Value, ...]] = []
    values: list[tuple[object, ...]] = []
    size = 0
    async with aclosing(_letters(plan, shelf)) as found:
        async for record, letter in found:
            row = tuple(read_cell(cell, record, letter) for cell in cells)
            rows.append(row)
            size += sum(map(getsizeof, row))
            if raw:
                values.append(tuple(read_path(path, record, letter) for path in raw))
                size += weight(values[-1])
            if len(rows) > limits.max_query_records or size > limits.max_query_bytes:
                raise _too_much(limits, records=len(rows))
            if len(rows) % _STEP == 0:
                halt.check()
    return rows, values


def _too_much(limits: SelectLimits, *, records: int) -> Exception:
    hint = "narrow it in WHERE by id, session_id, thread_id, a time or metadata"
    if records > limits.max_query_records:
        message = f"the query looks at more than {limits.max_query_records} records; {hint}"
        return beyond("max_query_records", message)
    message = f"the query looks at more than {limits.max_query_bytes} bytes; {hint}"
    return beyond("max_query_bytes", message)


async def _letters(plan: Plan, shelf: Shelf) -> AsyncGenerator[tuple[Record, Letter | None], None]:
    """Go through the records that the query may mean, opening the letters that are needed."""
    pending: list[Record] = []
    async with aclosing(shelf.scan(plan.query)) as pages:
        async for page in pages:
            pending += page
            if len(pending) >= _STEP:
                for pair in await _open(plan, shelf, pending):
                    yield pair
                pending.clear()
    for pair in await _open(plan, shelf, pending):
        yield pair


async def _open(
    plan: Plan, shelf: Shelf, records: Sequence[Record]
) -> list[tuple[Record, Letter | None]]:
    if plan.opens:
        return [(record, await shelf.letter(record)) for record in records]
    if not plan.paths:
        return [(record, None) for record in records]
    partial = [record.key for record in records if PARTIAL in record.labels]
    whole = await shelf.backend.get(partial) if partial else []
    # What is gone since was not there; what has changed since is answered as it is now.
    bodies = dict(zip(partial, whole, strict=True))
    pairs: list[tuple[Record, Letter | None]] = []
    for header in records:
        record = bodies.get(header.key, header)
        if record is not None:
            letter = await shelf.letter(record) if header.key in bodies else None
            pairs.append((record, letter))
    return pairs


def _row(
    plan: Plan, row: tuple[Value, ...], values: Sequence[tuple[object, ...]]
) -> dict[str, Any]:
    """Give one row of the answer its names, its bools, and its values as they are."""
    result: dict[str, Any] = {}
    place = 0
    for item, value, path, is_bool in zip(
        plan.select.items, row, plan.raw, plan.bools, strict=True
    ):
        if path is not None and isinstance(value, int):
            result[item.name] = values[value][place]
            place += 1
        else:
            result[item.name] = bool(value) if is_bool and value is not None else value
    return result
