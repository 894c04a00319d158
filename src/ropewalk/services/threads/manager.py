"""`Threads`: create, change, list and delete threads; their branches, snapshots and family."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Unpack

from ...domain.cascade import Cascade
from ...domain.errors import Conflict, Invalid
from ...domain.lease import LEASE_LOST
from ...domain.query import Condition, Order
from ...domain.record import check_name
from ...domain.thread import Node, Thread, ThreadStatus
from ...stores.base import Find, check_metadata
from ...stores.threads import ThreadStore
from .. import manager
from ..manager import as_status, created_between, equals, missing, pick
from ..policies.settling import Settling

if TYPE_CHECKING:
    from datetime import datetime

    from ...domain.change import Change
    from ...domain.conflict import MergeReport
    from ...domain.page import Page
    from ...domain.policy import Policy
    from ...domain.thread import Branch, BranchStatus, Segment, Snapshot
    from ..checkpoints.manager import Checkpoints
    from ..desk import Desk
    from ..history import History
    from ..lineage import Lineage
    from ..trail import Trail
    from .branching import Branching
    from .merging import Merging, Messages

WHAT: Final = "thread"


class Threads:
    """Lines of work and how they fork.

    Responsible for threads, branches and snapshots: who continues whom, from where, and which
    stretch is on whose line. What is said on a line is the history's, what was computed the
    checkpoints'.
    """

    def __init__(
        self,
        desk: Desk,
        lineage: Lineage,
        branching: Branching,
        *,
        history: History,
        checkpoints: Checkpoints,
        merging: Merging,
        trail: Trail,
        session_exists: Callable[[str], Awaitable[bool]],
    ) -> None:
        """Work at `desk` with the services that know the other modules."""
        self._desk = desk
        self._lineage = lineage
        self._branching = branching
        self._history = history
        self._checkpoints = checkpoints
        self._merging = merging
        self._trail = trail
        self._session_exists = session_exists
        self._store = ThreadStore(desk.backend, desk.sealer, space=desk.space)

    async def create(
        self,
        *,
        session_id: str | None = None,
        title: str = "",
        graph_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
        created_at: datetime | None = None,
    ) -> Thread:
        """Begin a thread, in a session or on its own, and return it.

        Raises `NotFound` for an unknown session and `Conflict` where `id` is taken.
        """
        if session_id is not None and not await self._session_exists(session_id):
            raise missing("session", session_id, space=self._desk.space)
        id_ = id or self._desk.clock.new_id()
        thread = Thread(
            id=id_,
            session_id=session_id,
            title=title,
            graph_id=None if graph_id is None else check_name(graph_id, field="graph_id"),
            root_id=id_,
            metadata=check_metadata(metadata),
            created_at=self._desk.moment(created_at),
            updated_at=self._desk.now(),
        )
        await manager.add(self._desk, self._store, [thread])
        return await self.get(id_)

    async def adopt(self, *threads: Thread) -> None:
        """Write threads that were made elsewhere, with their own ids, times and origins.

        All or none; raises `Conflict` where one of the ids is taken.
        """
        await manager.add(self._desk, self._store, threads)

    async def get(self, thread_id: str) -> Thread:
        """Return a thread; raise `NotFound` where there is none."""
        return await self._lineage.thread(thread_id)

    async def find(self, thread_id: str) -> Thread | None:
        """Return a thread, or `None`."""
        return await self._store.find(thread_id)

    async def ensure(self, thread_id: str) -> Thread:
        """Return a thread, which is begun where there is none."""
        found = await self._store.find(thread_id)
        if found is not None:
            return found
        try:
            return await self.create(id=thread_id)
        except Conflict as error:
            if error.code == LEASE_LOST:
                raise
            return await self.get(thread_id)

    async def update(
        self,
        thread_id: str,
        *,
        title: str | None = None,
        status: ThreadStatus | str | None = None,
        graph_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected_version: int | None = None,
        **how: Unpack[Settling[Thread]],
    ) -> Thread:
        """Change what is given, merge `metadata`, and return the thread as it is now.

        With `expected_version`, raises `Conflict` where somebody changed it since, unless a
        `policy` says otherwise; `Merge` needs as `base` the thread that was read.
        """
        chosen = None if status is None else as_status(ThreadStatus, status)
        given = pick(title=title, status=chosen, graph_id=graph_id)
        extra = check_metadata(metadata)
        return await manager.change(
            self._desk,
            self._store,
            WHAT,
            thread_id,
            lambda old: replace(old, **given, metadata={**old.metadata, **extra}),
            expected_version=expected_version,
            how=how,
        )

    async def list(
        self,
        *,
        session_id: str | None = None,
        status: ThreadStatus | str | None = None,
        graph_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        created_since: datetime | None = None,
        created_until: datetime | None = None,
        newest_first: bool = True,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Thread]:
        """Return a page of threads, by default the newest first."""
        chosen = None if status is None else as_status(ThreadStatus, status).value
        find = Find(
            session_id=session_id,
            where=equals(status=chosen, graph_id=graph_id)
            + created_between(created_since, created_until),
            order=Order(descending=newest_first),
        )
        return await self._store.page(
            find, limit=limit, cursor=cursor, metadata=check_metadata(metadata)
        )

    async def ids_of(self, session_id: str) -> tuple[str, ...]:
        """Return the ids of the threads of a session, oldest first, without reading bodies."""
        headers = self._store.headers(Find(session_id=session_id))
        return tuple([record.key.id async for record in headers])

    async def stream(self, *, session_id: str | None = None) -> AsyncIterator[Thread]:
        """Go through all threads, oldest first, in bounded memory."""
        async for thread in self._store.scan(Find(session_id=session_id)):
            yield thread

    async def count(self, *, session_id: str | None = None) -> int:
        """Count threads in the engine."""
        return await self._store.count(Find(session_id=session_id))

    async def fork(
        self,
        thread_id: str,
        *,
        at: str | None = None,
        before: str | None = None,
        name: str = "",
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> Thread:
        """Fork a thread behind the checkpoint or entry `at`, or before the entry `before`.

        Without either, at its present end. Copies nothing: the new thread reads the old one up
        to there. To edit or regenerate message N, fork `before` it. Raises `NotFound` where
        there is no such thing, and `Invalid` where it is not on the thread's line.
        """
        return await self._branching.fork(
            await self.get(thread_id),
            at=at,
            before=before,
            name=name,
            title=title,
            metadata=check_metadata(metadata),
            id_=id,
        )

    async def merge(
        self,
        source_id: str,
        *,
        into: str,
        policy: Policy | None = None,
        messages: Messages = "leave",
        dry_run: bool = False,
    ) -> MergeReport:
        """Merge the newest state of a thread into another, and report what was taken where.

        A three-way merge against the newest checkpoint that both lines have in common, written
        as one commit. The branch is marked merged and stays readable; with `messages="append"`
        its messages are copied behind those of the other, once, however often it is merged.
        Where both changed the same, `policy` decides: `FirstWins()` keeps what stands in the
        thread `into`, `LastWins()` takes the other, `Merge(...)` has reducers by path (that of
        the threads' metadata begins with `thread.metadata`). Without one, raises `Conflict` with
        the paths. A dry run reports all that and writes nothing. Raises `Invalid` where the
        source has no state.
        """
        return await self._merging.merge(
            source_id, into=into, policy=policy, messages=messages, dry_run=dry_run
        )

    async def rollback(
        self, thread_id: str, *, to: str | None = None, before: str | None = None
    ) -> Thread:
        """Take everything behind `to` (or from `before` on) off the thread's line.

        Nothing is deleted: forks made from the stretch still see it. Raises as `fork` does.
        """
        return await self._branching.rollback(await self.get(thread_id), to=to, before=before)

    async def snapshot(
        self,
        thread_id: str,
        name: str,
        *,
        description: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Snapshot:
        """Give the present end of a thread a name to come back to."""
        return await self._branching.snapshot(
            await self.get(thread_id),
            name,
            description=description,
            metadata=check_metadata(metadata),
        )

    async def restore(self, thread_id: str, snapshot_id: str) -> Thread:
        """Bring a thread's line back to a snapshot, by id or by name; nothing is deleted."""
        return await self._branching.restore(await self.get(thread_id), snapshot_id)

    async def snapshots(self, thread_id: str) -> tuple[Snapshot, ...]:
        """Return the snapshots of a thread, oldest first."""
        return await self._branching.snapshots(thread_id)

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot; raise `NotFound` where there is none."""
        await self._branching.delete_snapshot(snapshot_id)

    async def branches(
        self, thread_id: str, *, status: BranchStatus | str | None = None
    ) -> tuple[Branch, ...]:
        """Return the branches that were forked from a thread, oldest first."""
        return await self._branching.branches(thread_id, status=status)

    async def update_branch(
        self,
        branch_id: str,
        *,
        name: str | None = None,
        status: BranchStatus | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected_version: int | None = None,
    ) -> Branch:
        """Change what is given of a branch, merge `metadata`, and return it."""
        return await self._branching.update_branch(
            branch_id,
            name=name,
            status=status,
            metadata=check_metadata(metadata),
            expected_version=expected_version,
        )

    async def adopt_branches(self, *branches: Branch) -> None:
        """Write branches that were made elsewhere; raise `Conflict` where an id is taken."""
        await self._branching.adopt_branches(branches)

    async def adopt_snapshots(self, *snapshots: Snapshot) -> None:
        """Write snapshots that were made elsewhere; raise `Conflict` where an id is taken."""
        await self._branching.adopt_snapshots(snapshots)

    async def lineage(self, thread_id: str) -> tuple[Thread, ...]:
        """Return the thread and those it was forked from, the root first."""
        return await self._lineage.ancestors(thread_id)

    async def segments(self, thread_id: str) -> tuple[Segment, ...]:
        """Return the stretches of threads that make up a thread's line, oldest first."""
        return await self._lineage.segments(thread_id)

    async def tree(self, thread_id: str) -> Node:
        """Return the whole family of a thread, from its root down, forks oldest first."""
        root_id = (await self.get(thread_id)).root_id
        same_root = Condition("labels.root", "eq", root_id)
        family = [thread async for thread in self._store.scan(Find(where=(same_root,)))]
        return await self._branching.tree(root_id, family)

    async def delete(self, thread_id: str, *, cascade: Cascade | str = Cascade.RESTRICT) -> None:
        """Delete a thread with its history, checkpoints, branches, snapshots and runs.

        Under `restrict`, raises `Conflict` where it has forks; under `all`, deletes the forks as
        well. `detach` is refused: a fork cannot live without what it continues.
        """
        chosen = as_status(Cascade, cascade, field="cascade")
        if chosen is Cascade.DETACH:
            message = "a fork cannot be detached from its thread; use restrict or all"
            raise Invalid(message, code="bad_cascade", field="cascade")
        await self.get(thread_id)
        doomed = [thread_id]
        for id_ in doomed:
            forks = [fork.id async for fork in self._lineage.forks(id_)]
            if forks and chosen is Cascade.RESTRICT:
                message = (
                    f"thread {id_!r} has {len(forks)} forks, {forks[0]!r} among them; delete "
                    "them first, or delete with cascade='all'"
                )
                raise Conflict(message, code="has_forks", id=id_, forks=tuple(forks))
            doomed += forks
        # A branch is met from both of its threads.
        changes = {change.key: change async for change in self.delete_of(doomed)}
        await self._desk.commit_in_parts(tuple(changes.values()))

    async def delete_if_empty(self, thread_id: str) -> bool:
        """Delete a thread that is there and has nothing on it; tell whether it was deleted."""
        thread = await self._store.find(thread_id)
        if thread is None:
            return False
        own = await self._history.count(thread_id=thread_id)
        own += await self._checkpoints.count(thread_id)
        own += len(await self.snapshots(thread_id)) + len(await self.branches(thread_id))
        if own or thread.title or thread.session_id or thread.origin:
            return False
        await self.delete(thread_id)
        return True

    async def detach_of(self, session_id: str) -> AsyncIterator[Change]:
        """Make the changes that take the threads of a session, and their relations, out of it."""
        async for put in self._store.detach(session_id):
            yield put
        async for change in self._branching.detach_of(session_id):
            yield change

    async def delete_of(self, thread_ids: Iterable[str]) -> AsyncIterator[Change]:
        """Make the changes that delete threads with everything on them, the threads last."""
        ids = tuple(thread_ids)
        for id_ in ids:
            async for removal in self._history.delete_of(id_):
                yield removal
            async for removal in self._checkpoints.delete_of(id_):
                yield removal
            async for removal in self._branching.delete_of(id_):
                yield removal
            async for removal in self._trail.delete_of(id_):
                yield removal
        for id_ in reversed(ids):
            yield self._store.remove(id_)
