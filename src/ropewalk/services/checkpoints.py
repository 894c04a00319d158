"""`Checkpoints`: save a workflow's state, come back to it, and clear away what is old."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, cast

from ..domain.checkpoint import Checkpoint, CheckpointHeader, CleanupPolicy, CleanupReport
from ..domain.errors import Conflict
from ..domain.query import NEWEST_FIRST, Condition
from ..domain.thread import Position, Segment
from ..stores.base import Find, check_metadata, has_metadata, metadata_conditions
from ..stores.checkpoints import STATE, CheckpointStore
from .cleanup import Keep, judge
from .lineage import Lineage, along, page_along, stretches
from .manager import change, get, missing

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from ..domain.change import Change
    from ..domain.page import Page
    from .desk import Desk

_WHAT: Final = "checkpoint"
_DELETE_AT_ONCE: Final = 500


class Checkpoints:
    """The states of threads. A thread sees its own checkpoints and those it was forked from.

    Responsible for states and their order, and for nothing else: what a state means is the
    workflow's, and where a line comes from is the threads'.
    """

    def __init__(self, desk: Desk, lineage: Lineage) -> None:
        """Work at `desk`, asking `lineage` for a thread's line."""
        self._desk = desk
        self._lineage = lineage
        self._store = CheckpointStore(desk.backend, desk.sealer, space=desk.space)

    async def save(
        self,
        thread_id: str,
        state: object,
        *,
        workflow_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        parent_id: str | None = None,
        id: str | None = None,
        created_at: datetime | None = None,
    ) -> CheckpointHeader:
        """Keep `state` as the newest checkpoint of a thread, and return its header.

        The state is taken as it is at the call. The parent is the newest checkpoint on the
        thread's line unless `parent_id` names another. Raises `NotFound` for an unknown thread
        or parent, `Invalid` naming the path of a value that has no registered type, and
        `Conflict` where `id` is taken.
        """
        checked = check_metadata(metadata)
        header = CheckpointHeader(
            id=id or self._desk.clock.new_id(),
            thread_id=thread_id,
            workflow_id=workflow_id,
            metadata=checked,
            created_at=self._desk.moment(created_at),
            updated_at=self._desk.now(),
        )
        # Sealed before the first read: a caller may change its state while we wait.
        body = await self._store.put_state(header, state)
        line = await self._lineage.ancestors(thread_id)
        thread = line[-1]
        if parent_id is None:
            parent = await self.newest_of(stretches(line))
            parent_id = parent.id if parent else None
        elif not await self._store.exists(parent_id):
            raise missing(_WHAT, parent_id, space=self._desk.space)
        header = replace(
            header, session_id=thread.session_id, parent_id=parent_id, size=len(body.body)
        )
        put = await self._store.put(header, expect=0)
        await self._desk.commit([put, replace(body, session_id=thread.session_id)])
        return header

    async def adopt(self, *checkpoints: Checkpoint) -> None:
        """Write checkpoints that were made elsewhere, with their own ids, times and parents.

        All or none; raises `Conflict` where one of the ids is taken.
        """
        changes: list[Change] = []
        for checkpoint in checkpoints:
            body = await self._store.put_state(checkpoint, checkpoint.state)
            changes += [
                await self._store.put(replace(checkpoint, size=len(body.body)), expect=0),
                body,
            ]
        if changes:
            await self._desk.commit(changes)

    async def load(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint with its state; raise `NotFound` where there is none."""
        return await self._open(await self.get(checkpoint_id))

    async def get(self, checkpoint_id: str) -> CheckpointHeader:
        """Return a checkpoint without its state; raise `NotFound` where there is none."""
        return await get(self._desk, self._store, _WHAT, checkpoint_id)

    async def find(self, checkpoint_id: str) -> CheckpointHeader | None:
        """Return a checkpoint without its state, or `None`."""
        return await self._store.find(checkpoint_id)

    async def latest(self, thread_id: str, *, workflow_id: str | None = None) -> Checkpoint | None:
        """Return the newest checkpoint on a thread's line with its state, or `None`."""
        header = await self.latest_header(thread_id, workflow_id=workflow_id)
        return await self._open(header) if header else None

    async def latest_header(
        self, thread_id: str, *, workflow_id: str | None = None, until: Position | None = None
    ) -> CheckpointHeader | None:
        """Return the newest checkpoint on a thread's line, before `until` if that is given."""
        segments = await self._lineage.segments(thread_id)
        return await self.newest_of(segments, workflow_id=workflow_id, until=until)

    async def newest_of(
        self,
        segments: tuple[Segment, ...],
        *,
        workflow_id: str | None = None,
        until: Position | None = None,
    ) -> CheckpointHeader | None:
        """Return the newest checkpoint on these stretches, before `until` if that is given."""
        find = Find(where=_of_workflow(workflow_id), order=NEWEST_FIRST, limit=1)
        if until is not None:
            segments = tuple(
                replace(s, end=until if s.end is None else min(s.end, until)) for s in segments
            )
        rows = cast("AsyncGenerator[CheckpointHeader, None]", along(self._store, segments, find))
        async with aclosing(rows):
            async for header in rows:
                return header
        return None

    async def list(
        self,
        thread_id: str,
        *,
        workflow_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[CheckpointHeader]:
        """Return a page of the checkpoints on a thread's line, newest first, without states."""
        return await page_along(
            self._store,
            await self._lineage.segments(thread_id),
            Find(where=_of_workflow(workflow_id)),
            newest_first=True,
            limit=limit,
            cursor=cursor,
        )

    async def stream(
        self,
        *,
        thread_id: str | None = None,
        session_id: str | None = None,
        workflow_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[CheckpointHeader]:
        """Go through checkpoints newest first, of any thread, without states or inheritance."""
        wanted = check_metadata(metadata)
        find = Find(
            thread_id=thread_id,
            session_id=session_id,
            where=_of_workflow(workflow_id) + metadata_conditions(wanted),
            order=NEWEST_FIRST,
        )
        async for header in self._store.scan(find):
            if has_metadata(header.metadata, wanted):
                yield header

    async def count_of_session(self, session_id: str) -> int:
        """Count the checkpoints of a session in the engine."""
        return await self._store.count(Find(session_id=session_id))

    async def detach_of(self, session_id: str) -> AsyncIterator[Change]:
        """Make the changes that take the checkpoints of a session, and their states, out of it."""
        async for put in self._store.detach(session_id, kinds=("checkpoint", STATE)):
            yield put

    async def count(self, thread_id: str, *, workflow_id: str | None = None) -> int:
        """Count a thread's own checkpoints, without those it was forked from."""
        find = Find(thread_id=thread_id, where=_of_workflow(workflow_id))
        return await self._store.count(find)

    async def set_metadata(
        self,
        checkpoint_id: str,
        metadata: Mapping[str, Any],
        *,
        expected_version: int | None = None,
    ) -> CheckpointHeader:
        """Merge `metadata` into a checkpoint's and return its header; the state is not read."""
        extra = check_metadata(metadata)
        return await change(
            self._desk,
            self._store,
            _WHAT,
            checkpoint_id,
            lambda old: replace(old, metadata={**old.metadata, **extra}),
            expected_version=expected_version,
        )

    async def copy(self, checkpoint_id: str, *, to: str) -> CheckpointHeader:
        """Save the state of a checkpoint as the newest of thread `to`; return the new header."""
        source = await self.load(checkpoint_id)
        return await self.save(
            to, source.state, workflow_id=source.workflow_id, metadata=source.metadata
        )

    async def delete(self, checkpoint_id: str) -> None:
        """Delete a checkpoint with its state.

        Raises `NotFound` where there is none, and `Conflict` where a fork begins at it.
        """
        header = await self.get(checkpoint_id)
        if checkpoint_id in await self._fork_points(header.thread_id):
            message = (
                f"checkpoint {checkpoint_id!r} is where a fork of thread {header.thread_id!r} "
                "begins; delete that thread first"
            )
            raise Conflict(message, code="fork_point", id=checkpoint_id)
        await self._desk.commit(self._store.remove_all(checkpoint_id))

    async def cleanup(
        self, thread_id: str, policy: CleanupPolicy, *, dry_run: bool = False
    ) -> CleanupReport:
        """Delete a thread's own checkpoints that no rule of `policy` keeps, and report.

        The newest and every fork point stay. With `dry_run` nothing is deleted. Deletes in
        batches: what a batch deleted stays deleted if a later one fails.
        """
        await self._lineage.thread(thread_id)
        keep = Keep(policy, await self._fork_points(thread_id), self._desk.now())
        removed: list[str] = []
        kept: dict[str, str] = {}
        freed = 0
        find = Find(thread_id=thread_id, order=NEWEST_FIRST)
        rank = 0
        async for header in self._store.scan(find):
            reason = judge(keep, header, rank)
            rank += 1
            if reason is None:
                removed.append(header.id)
                freed += header.size
            else:
                kept[header.id] = reason
        if not dry_run:
            await self._delete(removed)
        return CleanupReport(removed=tuple(removed), kept=kept, freed_bytes=freed, dry_run=dry_run)

    async def delete_of(self, thread_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete every checkpoint of a thread, forks or not."""
        async for record in self._store.headers(Find(thread_id=thread_id)):
            for removal in self._store.remove_all(record.key.id):
                yield removal

    async def _delete(self, ids: Sequence[str]) -> None:
        for start in range(0, len(ids), _DELETE_AT_ONCE):
            batch = ids[start : start + _DELETE_AT_ONCE]
            await self._desk.commit(c for id_ in batch for c in self._store.remove_all(id_))

    async def _fork_points(self, thread_id: str) -> set[str]:
        points: set[str] = set()
        async for fork in self._lineage.forks(thread_id):
            if fork.origin is None:
                continue
            if fork.origin.checkpoint_id is not None:
                points.add(fork.origin.checkpoint_id)
            own = (Segment(thread_id),)
            latest = await self.newest_of(own, until=fork.origin.until)
            if latest is not None:
                points.add(latest.id)
        return points

    async def _open(self, header: CheckpointHeader) -> Checkpoint:
        known = {f.name: getattr(header, f.name) for f in fields(CheckpointHeader)}
        return Checkpoint(**known, state=await self._store.state(header))


def _of_workflow(workflow_id: str | None) -> tuple[Condition, ...]:
    return () if workflow_id is None else (Condition("labels.workflow_id", "eq", workflow_id),)
