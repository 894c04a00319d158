"""What belongs to a session, a thread or a person, in every module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from ...domain.memory import Name
from ...domain.query import Condition, Order, Query
from ...domain.record import Key
from ...stores.threads import ThreadStore
from ..lineage import Lineage
from ..manager import missing

if TYPE_CHECKING:
    from ...domain.archive import Scope
    from ...domain.record import Record
    from ..desk import Desk

T = TypeVar("T")

SESSION: Final = "session"
THREAD: Final = "thread"
BRANCH: Final = "branch"
MEMORY: Final = "memory"
VECTOR: Final = "vector"

USER: Final = "metadata.user_id"
"""The label by which anything else says whose it is."""

AT_ONCE: Final = 200
"""How many ids stand in one question."""

BY_ID: Final = Order("id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """Which sessions and threads it is about, and whose.

    Of `named` sessions there is nothing but the entry. `roots` are the families of those threads.
    `strangers` are threads of other people that these continue, `forks` those that continue these.
    """

    sessions: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    user_id: str | None = None
    strangers: tuple[str, ...] = ()
    forks: tuple[str, ...] = ()


async def belongings(desk: Desk, scope: Scope) -> Belongings:
    """Find out what a scope covers.

    A person has the sessions that name them as their user, the threads of these, and the threads
    whose metadata do.
    """
    store = ThreadStore(desk.backend, desk.sealer, space=desk.space)
    lineage = Lineage(desk, store)
    if scope.user_id is not None:
        return await _of_user(desk, lineage, scope.user_id)
    sessions: tuple[str, ...] = ()
    if scope.session_id is not None:
        await _check_session(desk, scope.session_id)
        sessions = (scope.session_id,)
        found = await _ids(desk, _threads(desk, Condition("session_id", "in", sessions)))
    else:
        found = [str(scope.thread_id)]
    roots: dict[str, str] = {}
    named = set(sessions)
    for id_ in found:
        line = await lineage.ancestors(id_)
        roots.update({thread.id: thread.root_id for thread in line})
        named.update([line[-1].session_id] if line[-1].session_id else [])
    return Belongings(
        sessions=sessions,
        named=tuple(sorted(named)),
        threads=tuple(sorted(roots)),
        roots=tuple(sorted(set(roots.values()))),
    )


async def _check_session(desk: Desk, session_id: str) -> None:
    [record] = await desk.backend.get([Key(desk.space, SESSION, session_id)], bodies=False)
    if record is None:
        raise missing(SESSION, session_id, space=desk.space)


async def _of_user(desk: Desk, lineage: Lineage, user_id: str) -> Belongings:
    named = Condition(f"labels.{USER}", "eq", user_id)
    owner = Condition("labels.user_id", "eq", user_id)
    sessions = await _ids(desk, _headers(desk, SESSION, owner))
    ids = set(await _ids(desk, _threads(desk, named)))
    for part in portions(sessions):
        ids.update(await _ids(desk, _threads(desk, Condition("session_id", "in", tuple(part)))))
    strangers, forks, roots = set[str](), set[str](), set[str]()
    for id_ in sorted(ids):
        for thread in await lineage.ancestors(id_):
            roots.update({thread.root_id} if thread.id in ids else ())
            strangers.update({thread.id} - ids)
        forks.update([fork.id async for fork in lineage.forks(id_) if fork.id not in ids])
    return Belongings(
        sessions=tuple(sessions),
        named=tuple(sessions),
        threads=tuple(sorted(ids)),
        roots=tuple(sorted(roots)),
        user_id=user_id,
        strangers=tuple(sorted(strangers)),
        forks=tuple(sorted(forks)),
    )


async def with_forks(desk: Desk, own: Belongings) -> Belongings:
    """Return the same with the threads of other people that continue these, and theirs."""
    lineage = Lineage(desk, ThreadStore(desk.backend, desk.sealer, space=desk.space))
    waiting = list(own.forks)
    forks = dict.fromkeys(own.forks)
    while waiting:
        async for fork in lineage.forks(waiting.pop()):
            if fork.id not in forks and fork.id not in own.threads:
                forks[fork.id] = None
                waiting.append(fork.id)
    threads = tuple(sorted({*own.threads, *forks}))
    return replace(own, threads=threads, forks=tuple(sorted(forks)))


def memory_belongs(record: Record, user_id: str) -> bool:
    """Tell whether a memory is a person's: a whole label of its namespace is their id."""
    return user_id in Name.of(record.key.id).namespace


def portions(items: Sequence[T], size: int = AT_ONCE) -> Iterator[Sequence[T]]:
    """Go through items, some at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def keys_of(desk: Desk, kind: str, ids: Iterable[str]) -> list[Key]:
    """Name records of one kind."""
    return [Key(desk.space, kind, id_) for id_ in ids]


def _headers(desk: Desk, kind: str, *where: Condition) -> Query:
    return Query(space=desk.space, kinds=(kind,), where=where, order=BY_ID, bodies=False)


def _threads(desk: Desk, *where: Condition) -> Query:
    return _headers(desk, THREAD, *where)


async def _ids(desk: Desk, query: Query) -> list[str]:
    return [record.key.id async for record in desk.backend.scan(query)]
