"""Copying and clearing away whole threads and runs, without breaking a delta channel's chain."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import TYPE_CHECKING, Final, cast

from ...domain.checkpoint import CheckpointHeader
from ...domain.errors import Invalid
from ...domain.labels import PARTIAL
from ...domain.query import LABEL, AnyOf, Condition
from .deltas import Lifelines
from .keeper import Keeper
from .place import Place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_RUN: Final = "run_id"
_RUNS_AT_ONCE: Final = 200
STRATEGIES: Final = ("keep_latest", "delete")


async def prune(keeper: Keeper, thread_ids: Sequence[str], *, strategy: str) -> None:
    """Keep only the newest checkpoint of each namespace of some threads, or none (`delete`).

    Ancestors that a delta channel of the newest one needs are kept as well. Raises `Invalid` for
    another strategy.
    """
    if strategy not in STRATEGIES:
        message = f"strategy {strategy!r} is unknown; use one of: {', '.join(STRATEGIES)}"
        raise Invalid(message, code="unknown_strategy", field="strategy")
    for thread_id in dict.fromkeys(map(str, thread_ids)):
        if strategy == "delete":
            await keeper.states.delete_thread(thread_id)
            continue
        for headers in _by_namespace(await _headers(keeper, thread_id)):
            await _delete(keeper, headers, doomed={header.id for header in headers[1:]})


async def delete_for_runs(keeper: Keeper, run_ids: Sequence[str]) -> None:
    """Delete the checkpoints of some runs, with what was written at them.

    Where a checkpoint of another run needs one of them for a delta channel, that one stays.
    """
    runs = list(dict.fromkeys(map(str, run_ids)))
    doomed: dict[str, CheckpointHeader] = {}
    for start in range(0, len(runs), _RUNS_AT_ONCE):
        some = tuple(runs[start : start + _RUNS_AT_ONCE])
        where = AnyOf(
            (
                Condition(f"{LABEL}metadata.{_RUN}", "in", some),
                Condition(f"{LABEL}{PARTIAL}", "eq", value=True),
            )
        )
        for header in await _headers(keeper, None, where):
            metadata = await keeper.metadata(header)
            if str(metadata.get(_RUN)) in some:
                doomed[header.id] = header
    for thread_id in {header.thread_id for header in doomed.values()}:
        for headers in _by_namespace(await _headers(keeper, thread_id)):
            await _delete(keeper, headers, doomed=doomed.keys() & {h.id for h in headers})


async def copy_thread(keeper: Keeper, source: str, target: str) -> None:
    """Copy every checkpoint of a thread, and what was written at it, under the same ids.

    What the target has under other ids stays there.
    """
    if source == target:
        return
    for header in reversed(await _headers(keeper, source)):
        parent = None if header.parent_id is None else Place.parse(header.parent_id)
        await keeper.states.copy(
            header.id,
            to=Place.parse(header.id).within(target).id,
            thread_id=target,
            parent_id=None if parent is None else parent.within(target).id,
        )


async def _headers(keeper: Keeper, thread_id: str | None, *where: AnyOf) -> list[CheckpointHeader]:
    headers = cast(
        "AsyncGenerator[CheckpointHeader, None]",
        keeper.states.headers(thread_id=thread_id, where=where),
    )
    async with aclosing(headers):
        return [header async for header in headers]


def _by_namespace(headers: Iterable[CheckpointHeader]) -> Iterable[list[CheckpointHeader]]:
    found: dict[str, list[CheckpointHeader]] = {}
    for header in headers:
        found.setdefault(header.namespace, []).append(header)
    return found.values()


async def _delete(
    keeper: Keeper, headers: Sequence[CheckpointHeader], *, doomed: AbstractSet[str]
) -> None:
    """Delete checkpoints of one namespace but for those that one of the others needs."""
    if not doomed:
        return
    lifelines = Lifelines(keeper.states, headers)
    kept: set[str] = set()
    for header in _behind(headers, doomed):
        kept |= await lifelines.of(header)
    await keeper.states.delete([header.id for header in headers if header.id in doomed - kept])


def _behind(
    headers: Sequence[CheckpointHeader], doomed: Collection[str]
) -> Iterable[CheckpointHeader]:
    """Return the checkpoints that stay and have one that goes among their ancestors."""
    parents = {header.id: header.parent_id for header in headers}
    behind: dict[str, bool] = {}
    for header in headers:
        line: list[str] = []
        here: str | None = header.id
        found = False
        while here is not None and here in parents and here not in line:
            if here in behind:
                found = behind[here]
                break
            line.append(here)
            here = parents[here]
            if here in doomed:
                found = True
                break
        behind.update(dict.fromkeys(line, found))
    return [header for header in headers if behind[header.id] and header.id not in doomed]
