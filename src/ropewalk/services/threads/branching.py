"""`Branching`: fork, merge, roll back and snapshot: everything that bends a thread's line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ...domain.errors import Conflict, Invalid
from ...domain.moment import to_micros
from ...domain.query import Condition
from ...domain.thread import (
    Branch,
    BranchStatus,
    Fork,
    Gap,
    Node,
    Position,
    Snapshot,
    Thread,
)
from ...stores.base import Find, unchanged
from ...stores.threads import BranchStore, SnapshotStore, ThreadStore
from .. import manager
from ..checkpoints.saver import wait_after
from ..lineage import is_on, stretches
from ..manager import as_status, equals, missing, pick

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ...domain.change import Change
    from ...domain.checkpoint import Checkpoint, CheckpointHeader
    from ..checkpoints.manager import Checkpoints
    from ..desk import Desk
    from ..history import History
    from ..lineage import Lineage

_BRANCH: Final = "branch"
_SNAPSHOT: Final = "snapshot"


class Branching:
    """The part of `Threads` that knows positions: it asks the history and the checkpoints."""

    def __init__(
        self, desk: Desk, lineage: Lineage, *, history: History, checkpoints: Checkpoints
    ) -> None:
        """Work at `desk` with the services that know the other modules."""
        self._desk = desk
        self._lineage = lineage
        self._history = history
        self._checkpoints = checkpoints
        self._threads = ThreadStore(desk.backend, desk.sealer, space=desk.space)
        self._branches = BranchStore(desk.backend, desk.sealer, space=desk.space)
        self._snapshots = SnapshotStore(desk.backend, desk.sealer, space=desk.space)

    async def fork(
        self,
        source: Thread,
        *,
        at: str | None,
        before: str | None,
        name: str,
        title: str | None,
        metadata: Mapping[str, Any],
        id_: str | None,
    ) -> Thread:
        """Make the thread that continues `source` from a point, and the branch that names it."""
        origin, checkpoint = await self._point(source, at=at, before=before)
        now = self._desk.now()
        new_id = id_ or self._desk.clock.new_id()
        thread = Thread(
            id=new_id,
            session_id=source.session_id,
            title=title if title is not None else (name or source.title),
            graph_id=source.graph_id,
            root_id=source.root_id,
            origin=origin,
            metadata=metadata,
            created_at=now,
            updated_at=now,
        )
        branch = Branch(
            id=self._desk.clock.new_id(),
            name=name,
            source_thread_id=source.id,
            thread_id=new_id,
            session_id=source.session_id,
            checkpoint_id=origin.checkpoint_id,
            message_id=origin.message_id,
            metadata=metadata,
            created_at=now,
            updated_at=now,
        )
        changes: list[Change] = [
            await self._threads.put(thread, expect=0),
            await self._branches.put(branch, expect=0),
            # The source must still be there, with the line that the point was found on.
            unchanged(self._threads.key(source.id), source),
        ]
        await self._commit_at(checkpoint, changes)
        return thread

    async def _commit_at(
        self, checkpoint: CheckpointHeader | None, changes: Sequence[Change]
    ) -> None:
        """Commit what begins at a checkpoint, if that is there; others may begin there, too."""
        if checkpoint is None:
            await self._desk.commit(changes)
            return
        for attempt in range(1, manager.ATTEMPTS + 1):
            held = await self._checkpoints.held(checkpoint)
            try:
                await self._desk.commit([*changes, held])
            except Conflict as error:
                if error.facts.get("key") != held.key or attempt == manager.ATTEMPTS:
                    raise
            else:
                return
            await wait_after(attempt)
            checkpoint = await self._checkpoints.get(checkpoint.id)

    async def _point(
        self, source: Thread, *, at: str | None, before: str | None
    ) -> tuple[Fork, CheckpointHeader | None]:
        """Find where a fork or a rollback is meant to be, on the line of `source`."""
        if at is not None and before is not None:
            message = "give at (behind it) or before, not both"
            raise Invalid(message, code="bad_point", field="before")
        if at is None and before is None:
            return Fork(thread_id=source.id, until=self._end()), None
        wanted = at if at is not None else before
        name = wanted or ""
        checkpoint = await self._checkpoints.find(name)
        entry = None if checkpoint else await self._history.find(name)
        item = checkpoint or entry
        if item is None:
            raise missing("checkpoint or history entry", name, space=self._desk.space)
        here = Position(to_micros(item.created_at), item.id)
        segments = stretches(await self._lineage.up_from(source))
        if item.thread_id is None or not is_on(segments, item.thread_id, here):
            message = (
                f"{name!r} is not on the line of thread {source.id!r}, but on {item.thread_id!r}"
            )
            raise Invalid(message, code="not_on_line", field="at", id=name)
        fork = Fork(
            thread_id=source.id,
            until=here.behind() if at is not None else here,
            checkpoint_id=checkpoint.id if checkpoint else None,
            message_id=entry.id if entry else None,
        )
        return fork, checkpoint

    def _end(self) -> Position:
        return Position(self._desk.clock.now(), "")

    async def rollback(self, thread: Thread, *, to: str | None, before: str | None) -> Thread:
        """Take a stretch off the line of a thread, up to now."""
        if to is None and before is None:
            message = "say where to roll back: to (behind it) or before"
            raise Invalid(message, code="bad_point", field="to")
        point, _ = await self._point(thread, at=to, before=before)
        return await self._hide(thread, point.until)

    async def _hide(self, thread: Thread, begin: Position) -> Thread:
        gap = Gap(begin, self._end())
        return await manager.change(
            self._desk,
            self._threads,
            "thread",
            thread.id,
            lambda old: replace(old, gaps=(*old.gaps, gap)),
            expected_version=thread.version,
        )

    async def snapshot(
        self, thread: Thread, name: str, *, description: str, metadata: Mapping[str, Any]
    ) -> Snapshot:
        """Name the present end of a thread."""
        if not name:
            message = "a snapshot needs a name"
            raise Invalid(message, code="empty", field="name")
        until = self._end()
        latest = await self._checkpoints.latest_header(thread.id)
        snapshot = Snapshot(
            id=self._desk.clock.new_id(),
            thread_id=thread.id,
            session_id=thread.session_id,
            name=name,
            description=description,
            until=until,
            checkpoint_id=latest.id if latest else None,
            metadata=metadata,
            created_at=self._desk.now(),
        )
        await self.adopt_snapshots([snapshot])
        return snapshot

    async def restore(self, thread: Thread, snapshot_id: str) -> Thread:
        """Bring a thread back to one of its snapshots, the newest of that name."""
        own = await self.snapshots(thread.id)
        named = [s for s in own if s.id == snapshot_id] or [s for s in own if s.name == snapshot_id]
        if not named:
            raise missing(f"snapshot of thread {thread.id!r}", snapshot_id, space=self._desk.space)
        return await self._hide(thread, named[-1].until)

    async def snapshots(self, thread_id: str) -> tuple[Snapshot, ...]:
        """Return the snapshots of a thread, oldest first."""
        return tuple([s async for s in self._snapshots.scan(Find(thread_id=thread_id))])

    async def adopt_snapshots(self, snapshots: Sequence[Snapshot]) -> None:
        """Write snapshots that were made elsewhere."""
        await manager.add(self._desk, self._snapshots, snapshots)

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot."""
        await manager.get(self._desk, self._snapshots, _SNAPSHOT, snapshot_id)
        await self._desk.commit([self._snapshots.remove(snapshot_id)])

    async def branches(
        self, thread_id: str, *, status: BranchStatus | str | None
    ) -> tuple[Branch, ...]:
        """Return the branches that were forked from a thread, oldest first."""
        chosen = None if status is None else as_status(BranchStatus, status).value
        find = Find(thread_id=thread_id, where=equals(status=chosen))
        return tuple([branch async for branch in self._branches.scan(find)])

    async def update_branch(
        self,
        branch_id: str,
        *,
        name: str | None,
        status: BranchStatus | str | None,
        metadata: Mapping[str, Any],
        expected_version: int | None,
    ) -> Branch:
        """Change what is given of a branch."""
        chosen = None if status is None else as_status(BranchStatus, status)
        given = pick(name=name, status=chosen)
        return await manager.change(
            self._desk,
            self._branches,
            _BRANCH,
            branch_id,
            lambda old: replace(old, **given, metadata={**old.metadata, **metadata}),
            expected_version=expected_version,
        )

    async def adopt_branches(self, branches: Sequence[Branch]) -> None:
        """Write branches that were made elsewhere."""
        await manager.add(self._desk, self._branches, branches)

    async def branches_into(self, thread_id: str) -> list[Branch]:
        """Return the branches that live on in a thread."""
        target = Condition("labels.target", "eq", thread_id)
        return [branch async for branch in self._branches.scan(Find(where=(target,)))]

    async def tree(self, root_id: str, family: Sequence[Thread]) -> Node:
        """Build the tree of a family; a thread whose parent is gone hangs from the root."""
        known = {thread.id: thread for thread in family}
        named: dict[str, Branch] = {}
        for thread in family:
            named |= {b.thread_id: b for b in await self.branches(thread.id, status=None)}
        children: defaultdict[str, list[Thread]] = defaultdict(list)
        root = known.get(root_id) or family[0]
        for thread in family:
            if thread.id != root.id:
                parent = thread.origin.thread_id if thread.origin else root.id
                children[parent if parent in known else root.id].append(thread)

        def node(thread: Thread) -> Node:
            below = tuple(node(child) for child in children[thread.id])
            return Node(thread, named.get(thread.id), below)

        return node(root)

    async def common(self, source: Thread, into: Thread) -> Checkpoint | None:
        """Return the newest checkpoint that is on both lines."""
        theirs = await self._lineage.segments(source.id)
        ours = await self._lineage.segments(into.id)
        shared = tuple(
            replace(
                s, end=o.end if s.end is None else (s.end if o.end is None else min(s.end, o.end))
            )
            for s in theirs
            for o in ours
            if s.thread_id == o.thread_id and s.begin == o.begin
        )
        header = await self._checkpoints.newest_of(shared)
        return await self._checkpoints.load(header.id) if header else None

    async def detach_of(self, session_id: str) -> AsyncIterator[Change]:
        """Make the changes that take the branches and snapshots of a session out of it."""
        for store in (self._branches, self._snapshots):
            async for put in store.detach(session_id):
                yield put

    async def delete_of(self, thread_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete the branches and snapshots of a thread."""
        for branch in [
            *await self.branches(thread_id, status=None),
            *await self.branches_into(thread_id),
        ]:
            yield self._branches.remove(branch.id)
        async for record in self._snapshots.headers(Find(thread_id=thread_id)):
            yield self._snapshots.remove(record.key.id)
