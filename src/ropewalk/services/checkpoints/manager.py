"""`Checkpoints`: save a workflow's state, come back to it, and clear away what is old."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.checkpoint import Checkpoint, CheckpointHeader, HeaderDraft, PendingWrite
from ...domain.errors import Conflict
from ...domain.query import NEWEST_FIRST, Condition
from ...domain.thread import Position, Segment
from ...stores.base import Find, check_metadata, has_metadata, metadata_conditions
from ...stores.checkpoints import check_delta, check_tag, with_tag
from ..lineage import Lineage, along, page_along
from ..manager import change, get
from .adopting import Adopting
from .looking import Looking
from .pending import Pending
from .saver import Saver
from .standing import FORK, standing
from .upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from ...domain.change import Change
    from ...domain.diff import Diff
    from ...domain.page import Page
    from ...domain.thread import Thread
    from ..desk import Desk
    from .grove import Grove

_WHAT: Final = "checkpoint"
_ON_TOP: Final = (Condition("labels.namespace", "eq", None),)
_FIELDS: Final = tuple(field.name for field in fields(CheckpointHeader))


class Checkpoints(Upkeep):
    """The states of threads. A thread sees its own checkpoints and those it was forked from.

    Responsible for states and their order, and for nothing else: what a state means is the
    workflow's, and where a line comes from is the threads'.
    """

    def __init__(
        self, desk: Desk, lineage: Lineage, grove: Grove, *, fork: Callable[..., Awaitable[Thread]]
    ) -> None:
        """Work at `desk` with the trees of `grove`; `lineage` knows lines, `fork` bends them."""
        super().__init__(desk, lineage, grove, newest=self.newest_of)
        self._store = grove.store
        self._planter = grove.planter(desk.sealer.values)
        self._saver = Saver(desk, lineage, grove, self._planter, newest=self.newest_of)
        self._adopting = Adopting(desk, lineage, grove, self._planter)
        self._looking = Looking(self._planter)
        self._fork = fork
        self._schemas = desk.schemas

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
        trust_identity: bool = False,
    ) -> CheckpointHeader:
        """Keep `state` as the newest checkpoint of a thread, and return its header.

        The state is taken as it is at the call; one that takes longer than a few milliseconds to
        read is read in slices, and must not be changed until this returns. What it shares with
        the checkpoint before is not written again; with `trust_identity` the caller vouches that
        an object that was in the last state and is in this one has not been changed in place.

        The parent is the newest checkpoint on the thread's line unless `parent_id` names another.
        Raises `NotFound` for an unknown thread or parent, `Invalid` naming the path of a value
        that has no registered type, and `Conflict` where `id` is taken.
        """
        header = self._header(thread_id, workflow_id, metadata, id, created_at, parent_id=parent_id)
        return await self._saver.save(
            header,
            state,
            schema=self._schemas.newest,
            by_identity=trust_identity,
        )

    async def append(
        self,
        thread_id: str,
        delta: Mapping[str, Any],
        *,
        workflow_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
        created_at: datetime | None = None,
    ) -> CheckpointHeader:
        """Keep the newest state with `delta` on top of it as the thread's newest checkpoint.

        A list in `delta` is put behind the list that stands under its key; any other value takes
        the place of the old one. Costs what `delta` costs, however long the lists have become.
        Where the thread has no checkpoint yet, `delta` is the whole state. Raises as `save` does,
        and `Invalid` where the newest state is no dictionary with text keys.
        """
        header = self._header(thread_id, workflow_id, metadata, id, created_at)
        return await self._saver.append(header, check_delta(delta), schemas=self._schemas)

    def _header(
        self,
        thread_id: str,
        workflow_id: str | None,
        metadata: Mapping[str, Any] | None,
        id: str | None,
        created_at: datetime | None,
        *,
        parent_id: str | None = None,
    ) -> CheckpointHeader:
        now = self._desk.now()
        draft = HeaderDraft()
        draft.id = id or self._desk.clock.new_id()
        draft.thread_id = thread_id
        draft.session_id = None
        draft.parent_id = parent_id
        draft.workflow_id = workflow_id
        draft.metadata = check_metadata(metadata)
        draft.created_at = now if created_at is None else self._desk.moment(created_at)
        draft.updated_at = now
        draft.version, draft.size = 1, 0
        draft.namespace = ""
        draft.tags = ()
        draft.pinned = False
        draft.trunk = None
        return draft.done()

    def upcast(self, schema: int, function: Callable[[Any], Any]) -> None:
        """Read states of version `schema` through `function`, which makes the next version of it.

        States are saved with the version behind the last such function, 0 where there is none;
        each that is older goes through all functions from its own version on when it is read.
        """
        self._schemas.add(schema, function)

    async def adopt(self, *checkpoints: Checkpoint) -> None:
        """Write checkpoints that were made elsewhere, with their own ids, times and parents.

        All or none; raises `Conflict` where one of the ids is taken. Values in the form of
        another program stay in it.
        """
        await self._adopting.checkpoints(checkpoints)

    async def adopt_writes(self, *writes: PendingWrite) -> None:
        """Write pending writes that were made elsewhere; their checkpoints need not be there.

        All or none; raises `Conflict` where one of the ids is taken.
        """
        await self._adopting.writes(writes)

    async def pending_write(self, id: str) -> PendingWrite:
        """Return a pending write by the id of its record; raise `NotFound` where there is none."""
        stored = await get(self._desk, self._grove.writes, "write", id)
        return await Pending(self._desk, self._grove, self._planter).opened(stored)

    async def load(self, checkpoint_id: str) -> Checkpoint:
        """Return a checkpoint with its state; raise `NotFound` where there is none."""
        return await self._open(await self.get(checkpoint_id))

    async def load_many(self, checkpoint_ids: Sequence[str]) -> tuple[Checkpoint | None, ...]:
        """Return checkpoints with their states in the order asked, `None` where there is none."""
        headers = await self._store.find_many(checkpoint_ids)
        return tuple([await self._open(header) if header else None for header in headers])

    async def get_path(self, checkpoint_id: str, path: str) -> Any:  # noqa: ANN401 (a user's state)
        """Return one part of a state, such as `messages.40` or `messages[-10:]`, reading no more.

        The state is read as it was saved, without raising it to a later version. Raises
        `NotFound` for an unknown checkpoint and for a path that leads nowhere.
        """
        return await self._looking.at(await self.get(checkpoint_id), path)

    async def diff(self, old_id: str, new_id: str) -> Diff:
        """Tell what differs between two states, at a cost that grows with the difference.

        `str()` of the outcome reads `messages +1 (assistant)`; `json_patch()` gives RFC 6902.
        Raises `NotFound` for an unknown checkpoint.
        """
        return await self._looking.diff(await self.get(old_id), await self.get(new_id))

    async def fork(self, checkpoint_id: str, *, name: str = "", id: str | None = None) -> Thread:
        """Begin a thread that continues behind a checkpoint; nothing is copied."""
        header = await self.get(checkpoint_id)
        return await self._fork(header.thread_id, at=checkpoint_id, name=name, id=id)

    async def get(self, checkpoint_id: str) -> CheckpointHeader:
        """Return a checkpoint without its state; raise `NotFound` where there is none."""
        return await get(self._desk, self._store, _WHAT, checkpoint_id)

    async def find(self, checkpoint_id: str) -> CheckpointHeader | None:
        """Return a checkpoint without its state, or `None`."""
        return await self._store.find(checkpoint_id)

    async def held(self, header: CheckpointHeader) -> Change:
        """Make the change that lets a fork begin at a checkpoint only while that is there.

        It raises the checkpoint's version: whoever was about to clear it away looks again.
        """
        return await self._store.put(header, expect=header.version)

    async def latest(self, thread_id: str, *, workflow_id: str | None = None) -> Checkpoint | None:
        """Return the newest checkpoint on a thread's line with its state, or `None`."""
        header = await self.latest_header(thread_id, workflow_id=workflow_id)
        return await self._open(header) if header else None

    async def latest_header(
        self, thread_id: str, *, workflow_id: str | None = None, until: Position | None = None
    ) -> CheckpointHeader | None:
        """Return the newest checkpoint on a thread's line, before `until` if that is given."""
        if until is None:
            known = await self._saver.newest(thread_id)
            if known is not None and workflow_id in (None, known.workflow_id):
                return known
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
        where = _of_workflow(workflow_id) + _ON_TOP
        find = Find(where=where, order=NEWEST_FIRST, limit=1)
        if until is None and len(segments) == 1 and segments == (Segment(segments[0].thread_id),):
            # Nearly every thread is no fork, and no part of it was taken back.
            return await self._store.newest(replace(find, thread_id=segments[0].thread_id))
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
        """Return a page of the checkpoints on a thread's line, newest first, without states.

        Those of a graph inside a graph, which have a namespace, are left out: `stream` has them.
        """
        return await page_along(
            self._store,
            await self._lineage.segments(thread_id),
            Find(where=_of_workflow(workflow_id) + _ON_TOP),
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
        """Make the changes that take the checkpoints of a session out of it."""
        async for put in self._store.detach(session_id):
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
        """Save the state of a checkpoint as the newest of thread `to`; return the new header.

        Within a family of forked threads nothing but the header is written.
        """
        source = await self.get(checkpoint_id)
        header = self._header(to, source.workflow_id, source.metadata, None, None)
        return await self._saver.copy(source, header)

    async def tag(self, checkpoint_id: str, name: str, *, remove: bool = False) -> CheckpointHeader:
        """Give a checkpoint a name, or take it off; a tagged one is never cleaned away.

        The same name may stand on several checkpoints. Raises `NotFound` for an unknown one, and
        `Invalid` for a name that is empty or too long for a label.
        """
        check_tag(name)

        def edit(old: CheckpointHeader) -> CheckpointHeader:
            kept = {tag for tag in old.tags if tag != name}
            return replace(old, tags=tuple(sorted(kept if remove else {*kept, name})))

        return await self._change(checkpoint_id, edit)

    async def tagged(
        self, name: str | None = None, *, thread_id: str | None = None
    ) -> tuple[CheckpointHeader, ...]:
        """Return the checkpoints that have this tag, or any, newest first."""
        find = Find(thread_id=thread_id, where=with_tag(name), order=NEWEST_FIRST)
        return tuple([h async for h in self._store.scan(find) if h.tags])

    async def pin(self, checkpoint_id: str, *, pinned: bool = True) -> CheckpointHeader:
        """Keep a checkpoint from ever being cleaned away, or no longer."""
        return await self._change(checkpoint_id, lambda old: replace(old, pinned=pinned))

    async def _change(
        self, checkpoint_id: str, edit: Callable[[CheckpointHeader], CheckpointHeader]
    ) -> CheckpointHeader:
        return await change(
            self._desk, self._store, _WHAT, checkpoint_id, edit, expected_version=None
        )

    async def delete(self, checkpoint_id: str) -> None:
        """Delete a checkpoint with its state and what was written at it.

        Raises `NotFound` where there is none, and `Conflict` where a fork begins at it.
        """
        header = await self.get(checkpoint_id)
        held = await standing(header.thread_id, self._lineage, self.newest_of)
        if held.get(checkpoint_id) == FORK:
            message = (
                f"checkpoint {checkpoint_id!r} is where a fork of thread {header.thread_id!r} "
                "begins; delete that thread first"
            )
            raise Conflict(message, code="fork_point", id=checkpoint_id)
        pending = Pending(self._desk, self._grove, self._planter)
        changes = [change async for change in pending.removals([checkpoint_id])]
        changes.append(self._store.remove(checkpoint_id, expect=header.version))
        await self._desk.commit([*changes, self._saver.touch(header.thread_id)])

    async def delete_of(self, thread_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete every checkpoint of a thread, forks or not."""
        async for record in self._store.headers(Find(thread_id=thread_id)):
            yield self._store.remove(record.key.id)
        async for record in self._grove.writes.headers(Find(thread_id=thread_id)):
            yield self._grove.writes.remove(record.key.id)
        yield self._grove.forget_head(thread_id)

    async def _open(self, header: CheckpointHeader) -> Checkpoint:
        root, state = await self._planter.state(header)
        raised = self._schemas.raised(state, root.schema, header.id)
        known: dict[str, Any] = {name: getattr(header, name) for name in _FIELDS}
        return Checkpoint(**known, state=raised, form=root.values)


def _of_workflow(workflow_id: str | None) -> tuple[Condition, ...]:
    return () if workflow_id is None else (Condition("labels.workflow_id", "eq", workflow_id),)
