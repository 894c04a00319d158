"""Cases for what coordinates work: leases, runs, consumers of the feed, policies, migrations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from ropewalk.domain.migration import OnConflict
from ropewalk.domain.policy import LastWins

from .migration.shelf import PLAN, ToldShelf, full_shelf, thread

OWNER: Final = "somebody"

WORKING: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "watch": lambda h, _: _watched(h),
    "transact": lambda h, p: _transacted(h, p.thread),
    "lease": lambda h, p: _held(h.lease(_name(p), owner=OWNER)),
    "run": lambda h, p: _held(h.run(p.thread, id=p.of("new", "run", "theirs"), owner=OWNER)),
    "leases.find": lambda h, p: h.leases.find(_name(p)),
    "leases.get": lambda h, p: h.leases.get(_name(p)),
    "leases.held": lambda h, p: h.leases.held([_name(p), "thread:t"]),
    "leases.hold": lambda h, p: _held(h.leases.hold(_name(p), owner=OWNER)),
    "leases.interrupt": lambda h, p: h.leases.interrupt(_name(p), by=OWNER),
    "leases.list": lambda h, _: h.leases.list(),
    "leases.owner": lambda h, _: h.leases.owner(OWNER),
    "leases.release": lambda h, p: h.leases.release(_name(p), owner=OWNER, force=p.of(1, 0)),
    "runs.abandon": lambda h, p: h.runs.abandon(_run(p), reason="new", owner=OWNER),
    "runs.begin": lambda h, p: _held(h.runs.begin(p.thread, id=_run(p), owner=OWNER)),
    "runs.delete": lambda h, p: h.runs.delete(_run(p)),
    "runs.find": lambda h, p: h.runs.find(_run(p)),
    "runs.get": lambda h, p: h.runs.get(_run(p)),
    "runs.list": lambda h, p: h.runs.list(workflow_id=p.of(None, "theirs"), cursor=p.cursor),
    "runs.orphaned": lambda h, _: h.runs.orphaned(),
    "runs.resume": lambda h, p: _held(h.runs.resume(_run(p), owner=OWNER)),
    "runs.steps": lambda h, p: h.runs.steps(_run(p)),
    "consumers.advance": lambda h, p: h.consumers.advance(_consumer(p), 1, token=p.of("x", "")),
    "consumers.delete": lambda h, p: h.consumers.delete(_consumer(p)),
    "consumers.get": lambda h, p: h.consumers.get(_consumer(p)),
    "consumers.lag": lambda h, p: _kind_of(h.consumers.lag(_consumer(p))),
    "consumers.list": lambda h, _: h.consumers.list(),
    "consumers.open": lambda h, p: _held(h.consumers.open(_consumer(p))),
    "consumers.reset": lambda h, p: h.consumers.reset(_consumer(p)),
    "retention.trim": lambda h, p: h.retention.trim(keep_commits=p.of(1, 0), force=True),
    "policies.keep": lambda h, p: h.policies.keep(p.of("note", "message"), LastWins()),
    "policies.kept": lambda h, _: h.policies.kept(),
    "policies.of": lambda h, p: h.policies.of(p.of("note", "message")),
    "policies.own": lambda h, _: h.policies.own,
    "policies.set": lambda h, p: h.policies.set(p.of("note", "message"), LastWins()),
    "migrations.backend": lambda h, _: type(h.migrations.backend).__name__,
    "migrations.content_hash": lambda h, _: _kind_of(h.migrations.content_hash()),
    "migrations.cutover": lambda h, _: _migrated(
        h.migrations.cutover(full_shelf(), PLAN, freeze=_nothing)
    ),
    "migrations.follow": lambda h, _: _followed(h.migrations.follow(ToldShelf(thread("t")), PLAN)),
    "migrations.get": lambda h, p: h.migrations.get(p.of("last", "theirs")),
    "migrations.over": lambda h, _: type(h.migrations.over(h.migrations.backend)).__name__,
    "migrations.rehearse": lambda h, _: _migrated(h.migrations.rehearse(full_shelf(), PLAN)),
    "migrations.rollback": lambda h, p: h.migrations.rollback(p.of("last", "theirs"), force=True),
    "migrations.run": lambda h, p: _migrated(
        h.migrations.run(full_shelf(), replace(PLAN, on_conflict=OnConflict(p.of("skip", "fail"))))
    ),
    "migrations.runs": lambda h, _: h.migrations.runs(),
    "migrations.verify": lambda h, _: h.migrations.verify(full_shelf(), PLAN),
}
"""Method by method, as in `reaching`."""


def _name(pick: Any) -> str:  # noqa: ANN401 (a `Pick`)
    return str(pick.of("thread:t", "mine", "theirs"))


def _run(pick: Any) -> str:  # noqa: ANN401 (a `Pick`)
    return str(pick.of("run", "theirs", "none"))


def _consumer(pick: Any) -> str:  # noqa: ANN401 (a `Pick`)
    return str(pick.of("mail", "theirs"))


async def prepare(handle: Any, mark: str) -> None:  # noqa: ANN401 (a handle)
    """Write down a run that is over, a consumer, and a policy, in the name of `mark`."""
    async with handle.run("t", id="run", workflow_id=mark, owner=OWNER):
        pass
    async with handle.consumers.open("mail"):
        pass
    await handle.policies.keep("message", LastWins())


async def _transacted(handle: Any, thread_id: str) -> object:  # noqa: ANN401 (a handle)
    async def work(unit: Any) -> object:  # noqa: ANN401 (a unit)
        changed: object = await unit.threads.update(thread_id, title="new")
        return changed

    done: object = await handle.transact(work)
    return done


async def _watched(handle: Any) -> list[object]:  # noqa: ANN401 (a handle)
    """Return the first commits that a watcher is told from the beginning on."""
    told: list[object] = []
    async with handle.watch(after=0) as commits:
        async for commit in commits:
            told.append(commit)
            if len(told) == 5:
                return told
    return told


async def _held(context: Any) -> str:  # noqa: ANN401 (a context manager, of handles and runs)
    async with context as held:
        return type(held).__name__


async def _migrated(report: Any) -> object:  # noqa: ANN401 (any report)
    """Return of a report what does not tell how long it took."""
    done = await report
    return getattr(done, "brought", type(done).__name__)


async def _followed(steps: Any) -> object:  # noqa: ANN401 (an iterator of steps)
    """Return how many commits the first step went through."""
    async with aclosing(steps):
        return (await anext(steps)).commits


async def _nothing() -> None:
    """Freeze nothing."""


async def _kind_of(answer: Any) -> str:  # noqa: ANN401 (an awaitable)
    """Return only that there is an answer: it counts commits of others, or is random."""
    return type(await answer).__name__
