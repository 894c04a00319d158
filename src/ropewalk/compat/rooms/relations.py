"""Branches and snapshots, which the legacy program never wrote down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ...domain.legacy.fields import Fields, Times, is_id
from ...domain.legacy.keeping import difference, join
from ...domain.legacy.shapes import (
    branch_document,
    own_branch,
    own_snapshot,
    snapshot_document,
)
from ...domain.legacy.values import as_list, as_object
from ...domain.moment import to_micros
from ...domain.thread import Branch, BranchStatus, Position, Snapshot
from ..entities.plain import json_copy
from .door import named, row_of, status_of

if TYPE_CHECKING:
    from ...services.modules import Modules
    from ..interfaces.unified import Row

_BRANCH: Final = "thread_branch"
_SNAPSHOT: Final = "thread_snapshot"


class BranchRoom:
    """Keeps branches by the thread that they were made from."""

    def __init__(self, modules: Modules, times: Times) -> None:
        """Work over `modules`; `times` says which zone naive times are in."""
        self._modules = modules
        self._times = times

    async def save(self, row: Row) -> str:
        """Replace a whole branch; where its own thread is known already, that stays so."""
        id_ = named(row, "id")
        document = as_object(json_copy(row.get("data"), what="a branch")) or {}
        source = named({"source_thread_id": row.get("thread_id"), **document}, "source_thread_id")
        fields = Fields(document, self._times)
        old = await self._find(id_)
        at = document.get("source_checkpoint_id")
        thread = await self._modules.threads.find(source)
        created = fields.moment("created_at") or (old.created_at if old else datetime.now(UTC))
        metadata = fields.mapping("metadata")
        branch = Branch(
            id=id_,
            name=fields.text("branch_name"),
            source_thread_id=source,
            thread_id=old.thread_id if old else "",
            session_id=thread.session_id if thread else None,
            checkpoint_id=at if isinstance(at, str) and is_id(at) else None,
            status=status_of(BranchStatus, document.get("status"), otherwise=BranchStatus.ACTIVE),
            created_at=created,
            updated_at=created,
        )
        kept = difference(document, own_branch(branch, metadata, self._times))
        await self._modules.statements.write(replace(branch, metadata=join(metadata, kept)))
        return id_

    async def load(self, id: str) -> Row | None:
        """Return a branch, or `None`."""
        branch = await self._find(id)
        return None if branch is None else self._row(branch)

    async def remove(self, id: str) -> bool:
        """Take a branch away; the threads on both sides stay."""
        return await self._modules.statements.remove(Branch, id) > 0

    async def rows(self, *, session_id: str | None, thread_id: str | None) -> AsyncIterator[Row]:
        """Go through the branches made from a thread, or from any, oldest first."""
        if thread_id is not None:
            for branch in await self._modules.threads.branches(thread_id):
                if session_id in (None, branch.session_id):
                    yield self._row(branch)
            return
        async for record in self._modules.records.stream({"type": "branch"}):
            if session_id in (None, record["session_id"]):
                row = await self.load(record["id"])
                if row is not None:
                    yield row

    async def _find(self, id: str) -> Branch | None:
        return await self._modules.statements.find(Branch, id)

    def _row(self, branch: Branch) -> Row:
        return row_of(
            _BRANCH,
            branch.id,
            branch_document(branch, times=self._times),
            session_id=branch.session_id,
            thread_id=branch.source_thread_id,
            created_at=branch.created_at,
            updated_at=branch.updated_at,
            version=branch.version,
        )


class SnapshotRoom:
    """Keeps snapshots by their thread."""

    def __init__(self, modules: Modules, times: Times) -> None:
        """Work over `modules`; `times` says which zone naive times are in."""
        self._modules = modules
        self._times = times

    async def save(self, row: Row) -> str:
        """Replace a whole snapshot; it ends behind the last of its checkpoints that is there."""
        id_ = named(row, "id")
        document = as_object(json_copy(row.get("data"), what="a snapshot")) or {}
        thread_id = named({"thread_id": row.get("thread_id"), **document}, "thread_id")
        fields = Fields(document, self._times)
        old = await self._find(id_)
        created = fields.moment("created_at") or (old.created_at if old else datetime.now(UTC))
        until, checkpoint_id = await self._until(document.get("checkpoint_ids"), thread_id, created)
        thread = await self._modules.threads.find(thread_id)
        metadata = fields.mapping("metadata")
        snapshot = Snapshot(
            id=id_,
            thread_id=thread_id,
            session_id=thread.session_id if thread else None,
            name=fields.text("snapshot_name") or id_,
            description=fields.text("description"),
            until=until,
            checkpoint_id=checkpoint_id,
            created_at=created,
        )
        kept = difference(document, own_snapshot(snapshot, metadata, self._times))
        await self._modules.statements.write(replace(snapshot, metadata=join(metadata, kept)))
        return id_

    async def load(self, id: str) -> Row | None:
        """Return a snapshot, or `None`."""
        snapshot = await self._find(id)
        return None if snapshot is None else self._row(snapshot)

    async def remove(self, id: str) -> bool:
        """Take a snapshot away."""
        return await self._modules.statements.remove(Snapshot, id) > 0

    async def rows(self, *, session_id: str | None, thread_id: str | None) -> AsyncIterator[Row]:
        """Go through the snapshots of a thread, or of all, oldest first."""
        if thread_id is not None:
            for snapshot in await self._modules.threads.snapshots(thread_id):
                if session_id in (None, snapshot.session_id):
                    yield self._row(snapshot)
            return
        async for record in self._modules.records.stream({"type": "snapshot"}):
            if session_id in (None, record["session_id"]):
                row = await self.load(record["id"])
                if row is not None:
                    yield row

    async def _find(self, id: str) -> Snapshot | None:
        return await self._modules.statements.find(Snapshot, id)

    async def _until(
        self, ids: object, thread_id: str, created: datetime
    ) -> tuple[Position, str | None]:
        for id_ in reversed(as_list(ids) or []):
            if isinstance(id_, str) and is_id(id_):
                header = await self._modules.checkpoints.find(id_)
                if header is not None and header.thread_id == thread_id:
                    return Position(to_micros(header.created_at), id_).behind(), id_
        return Position(to_micros(created), ""), None

    def _row(self, snapshot: Snapshot) -> Row:
        return row_of(
            _SNAPSHOT,
            snapshot.id,
            snapshot_document(snapshot, times=self._times),
            session_id=snapshot.session_id,
            thread_id=snapshot.thread_id,
            created_at=snapshot.created_at,
            updated_at=snapshot.created_at,
            version=snapshot.version,
        )
