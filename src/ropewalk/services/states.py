"""`States`: states for programs that bring their own ids, parents and form of values."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from ..domain.change import Change, Put
from ..domain.checkpoint import CheckpointHeader
from ..domain.errors import Conflict
from ..domain.lease import LEASE_LOST
from ..domain.query import AnyOf, Condition, Order
from ..door import DOOR
from ..stores.base import Find, check_metadata, unchanged
from .checkpoints.pending import Pending
from .checkpoints.planter import dressed
from .checkpoints.saver import wait_after
from .manager import ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from ..domain.checkpoint import Write
    from ..domain.ports import Values
    from ..domain.thread import Thread
    from .checkpoints.grove import Grove
    from .checkpoints.planter import Plant
    from .desk import Desk
    from .lineage import Lineage
    from .threads.manager import Threads

_NEWEST_ID: Final = Order("id", descending=True)
_MOST_KNOWN: Final = 1_024
_AT_ONCE: Final = 500


class States:
    """Keep states under ids that the caller makes: the ids say which is newer.

    The same checkpoints as `storage.checkpoints` keeps, with the same trees. What is put under
    an id that is taken replaces what was there. May be used from several event loops at once.
    """

    def __init__(
        self, desk: Desk, grove: Grove, lineage: Lineage, threads: Threads, values: Values
    ) -> None:
        """Work at `desk` with states whose values are written by `values`."""
        self._desk = desk
        self._grove = grove
        self._lineage = lineage
        self._threads = threads
        self._planter = grove.planter(values)
        self._pending = Pending(desk, grove, self._planter)
        self._known = _Known()

    def bound(self, values: Values) -> States:
        """Return the same states, with values written and read in another form."""
        other = States(self._desk, self._grove, self._lineage, self._threads, values)
        other._known = self._known
        return other

    async def put(
        self,
        id: str,
        thread_id: str,
        state: Mapping[str, object],
        *,
        namespace: str = "",
        parent_id: str | None = None,
        workflow_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        created_at: datetime | None = None,
    ) -> CheckpointHeader:
        """Keep a state under `id`, in place of what may be there, and return its header.

        Makes the thread where there is none. The parent need not exist; what the state has in
        common with it costs nothing.
        """
        if not DOOR.is_open():
            await DOOR.enter()
        now = self._desk.now()
        header = CheckpointHeader(
            id=id,
            thread_id=thread_id,
            namespace=namespace,
            parent_id=parent_id,
            workflow_id=workflow_id,
            metadata=check_metadata(metadata),
            created_at=now if created_at is None else self._desk.moment(created_at),
            updated_at=now,
        )
        for attempt in range(1, ATTEMPTS + 1):
            thread = await self._thread(thread_id)
            parent = await self._parent(parent_id)
            plant = await self._planter.plant(dict(state), family=thread.root_id, parent=parent)
            try:
                return await self._put(header, plant, thread, parent)
            except Conflict as error:
                # Somebody changed the thread, or removed the parent: look at both again.
                self._known.forget(thread_id, parent_id)
                if attempt == ATTEMPTS or error.code == LEASE_LOST:
                    raise
            await wait_after(attempt)
        message = f"thread {thread_id!r} is written to by too many at once; try again"
        raise Conflict(message, code="busy", thread_id=thread_id)

    async def _put(
        self,
        header: CheckpointHeader,
        plant: Plant,
        thread: Thread,
        parent: CheckpointHeader | None,
    ) -> CheckpointHeader:
        header = dressed(
            header,
            plant,
            self._planter,
            session_id=thread.session_id,
            parent_id=header.parent_id,
        )
        store = self._grove.store
        changes: list[Change] = [
            unchanged(self._lineage.key(thread.id), thread),
            await store.put(header, expect=None),
            Put(key=self._grove.forest.head_key(thread.id)),
        ]
        if parent is not None and parent.id != header.id:
            changes.append(unchanged(store.key(parent.id), parent))
        applied = await plant.growth.finish(changes)
        at = len(applied.versions) - len(changes)
        header = replace(header, version=applied.versions[at + 1])
        self._planter.remember(header, plant.memo)
        self._known.put(header, before=applied.previous[at + 2], after=applied.versions[at + 2])
        await self._grove.training.offer(plant.growth.samples)
        return header

    async def find(self, id: str) -> CheckpointHeader | None:
        """Return a checkpoint without its state, or `None`."""
        return await self._grove.store.find(id)

    async def find_many(self, ids: Sequence[str]) -> list[CheckpointHeader | None]:
        """Return checkpoints without their states in the order asked, `None` where absent."""
        return await self._grove.store.find_many(ids)

    async def open(
        self, header: CheckpointHeader, *, only: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Return the state of a checkpoint, or those of its keys that `only` names."""
        if only is not None:
            return await self._planter.some(header, only)
        _, state = await self._planter.state(header)
        return cast("dict[str, Any]", state)

    def keys(self, header: CheckpointHeader) -> tuple[str, ...]:
        """Return the keys of a state; no value is read."""
        return tuple(self._planter.root(header).slots)

    def may_have(self, header: CheckpointHeader, keys: Iterable[str]) -> bool:
        """Tell whether a state may have one of these keys; where not, that is certain.

        Looks for their texts in the root, which is not taken apart.
        """
        if header.trunk is None:
            return True
        return any(key.encode(errors="replace") in header.trunk.root for key in keys)

    async def newest(self, thread_id: str, *, namespace: str = "") -> CheckpointHeader | None:
        """Return the checkpoint with the greatest id in a namespace of a thread, or `None`."""
        head_key = self._grove.forest.head_key(thread_id)
        known = self._known.newest(thread_id, namespace)
        if known is not None:
            version, id_ = known
            store = self._grove.store
            head, record = await self._desk.backend.get([head_key, store.key(id_)])
            if head is not None and record is not None and head.version == version:
                return await store.open(record)
        [head] = await self._desk.backend.get([head_key], bodies=False)
        rows = self.headers(thread_id=thread_id, namespace=namespace, limit=1)
        async with aclosing(cast("AsyncGenerator[CheckpointHeader, None]", rows)) as found:
            async for header in found:
                if head is not None:
                    self._known.note(header, head.version)
                return header
        return None

    async def headers(
        self,
        *,
        thread_id: str | None = None,
        namespace: str | None = None,
        before: str | None = None,
        where: tuple[Condition | AnyOf, ...] = (),
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointHeader]:
        """Go through checkpoints by id, the greatest first; `before`: only smaller ids."""
        conditions = list(where)
        if namespace is not None:
            wanted = namespace or None
            conditions.append(Condition("labels.namespace", "eq", wanted))
        if before is not None:
            conditions.append(Condition("id", "lt", before))
        find = Find(thread_id=thread_id, where=tuple(conditions), order=_NEWEST_ID, limit=limit)
        async for header in self._grove.store.scan(find):
            yield header

    async def copy(
        self, id: str, *, to: str, thread_id: str, parent_id: str | None
    ) -> CheckpointHeader:
        """Keep a checkpoint under another id too, with its pending writes; no value is changed.

        Raises `Conflict` where it is not there.
        """
        source = await self._grove.store.find(id)
        if source is None:
            message = f"there is no checkpoint {id!r} to copy (any more)"
            raise Conflict(message, code="gone", id=id)
        thread = await self._thread(thread_id)
        header = replace(
            source, id=to, thread_id=thread_id, parent_id=parent_id, version=1, trunk=None
        )
        parent = await self._parent(parent_id)
        plant = await self._planter.transplanted(source, family=thread.root_id, parent=parent)
        copied = await self._put(header, plant, thread, parent)
        await self._pending.copy(id, to=to, thread_id=thread_id, family=thread.root_id)
        return copied

    async def delete(self, ids: Sequence[str]) -> None:
        """Delete checkpoints with their pending writes; absent ones are no error."""
        for start in range(0, len(ids), _AT_ONCE):
            part = ids[start : start + _AT_ONCE]
            found = [header for header in await self._grove.store.find_many(part) if header]
            changes: list[Change] = [self._grove.store.remove(header.id) for header in found]
            threads = dict.fromkeys(header.thread_id for header in found)
            changes += [Put(key=self._grove.forest.head_key(thread)) for thread in threads]
            changes += [change async for change in self._pending.removals(part)]
            await self._desk.commit_in_parts(changes)

    async def delete_thread(self, thread_id: str) -> None:
        """Delete every checkpoint and pending write of a thread, and the thread if it is empty."""
        removals = [change async for change in self._pending.of_thread(thread_id)]
        removals += [
            self._grove.store.remove(record.key.id)
            async for record in self._grove.store.headers(Find(thread_id=thread_id))
        ]
        removals.append(self._grove.forget_head(thread_id))
        await self._desk.commit_in_parts(removals)
        await self._threads.delete_if_empty(thread_id)
        self._known.forget(thread_id, None)

    async def put_writes(
        self, id: str, thread_id: str, writes: Sequence[Write], *, replace: bool
    ) -> None:
        """Keep what a task wrote at a checkpoint, which need not be there yet.

        Without `replace`, what is there already stays.
        """
        thread = await self._thread(thread_id)
        await self._pending.put(id, thread, writes, replace=replace)

    async def writes(self, id: str) -> list[Write]:
        """Return what was written at a checkpoint, by task path, task and place."""
        return (await self.writes_of([id]))[id]

    async def writes_of(
        self, ids: Sequence[str], *, channels: Collection[str] | None = None
    ) -> dict[str, list[Write]]:
        """Return what was written at each checkpoint; with `channels`, what was written to them."""
        return await self._pending.read(ids, channels=channels)

    async def written(self, ids: Sequence[str]) -> dict[str, set[str]]:
        """Return the channels that were written to at each checkpoint; no value is read."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        async for stored in self._pending.stored_at(ids):
            found[stored.checkpoint_id].add(stored.channel)
        return {id_: found[id_] for id_ in ids}

    async def forget_writes(self, ids: Sequence[str]) -> None:
        """Delete what was written at these checkpoints, and leave the checkpoints."""
        await self._desk.commit_in_parts([c async for c in self._pending.removals(ids)])

    async def _thread(self, thread_id: str) -> Thread:
        known = self._known.threads.get(thread_id)
        if known is None:
            known = await self._threads.ensure(thread_id)
            self._known.threads[thread_id] = known
        return known

    async def _parent(self, parent_id: str | None) -> CheckpointHeader | None:
        if parent_id is None:
            return None
        known = self._known.headers.get(parent_id)
        return known or await self._grove.store.find(parent_id)


class _Known:
    """What was written or read lately; all of it is checked again where it matters."""

    def __init__(self) -> None:
        self.threads: OrderedDict[str, Thread] = OrderedDict()
        self.headers: OrderedDict[str, CheckpointHeader] = OrderedDict()
        # By thread: the version of its head, and the newest id of each namespace at that time.
        self._newest: OrderedDict[str, tuple[int, dict[str, str]]] = OrderedDict()
        self._lock = threading.Lock()

    def newest(self, thread_id: str, namespace: str) -> tuple[int, str] | None:
        """Return what was the newest checkpoint, and the version of the head at that time."""
        with self._lock:
            head, ids = self._newest.get(thread_id, (0, {}))
            return (head, ids[namespace]) if namespace in ids else None

    def note(self, newest: CheckpointHeader, head: int) -> None:
        """Remember which checkpoint is the newest, while the head has this version."""
        with self._lock:
            was, ids = self._newest.get(newest.thread_id, (head, {}))
            kept = ids if was == head else {}
            self._newest[newest.thread_id] = head, {**kept, newest.namespace: newest.id}
            for known in (self.threads, self.headers, self._newest):
                while len(known) > _MOST_KNOWN:
                    known.popitem(last=False)

    def put(self, header: CheckpointHeader, *, before: int, after: int) -> None:
        """Take in that a checkpoint was written, which raised the head."""
        with self._lock:
            self.headers[header.id] = header
            was, ids = self._newest.get(header.thread_id, (-1, {}))
            if was != before:
                self._newest.pop(header.thread_id, None)
                return
            if header.namespace in ids:
                newest = max(ids[header.namespace], header.id)
                ids = {**ids, header.namespace: newest}
            self._newest[header.thread_id] = after, ids

    def forget(self, thread_id: str, parent_id: str | None) -> None:
        """Forget a thread and a checkpoint, which have to be looked for anew."""
        with self._lock:
            self.threads.pop(thread_id, None)
            self.headers.pop(parent_id or "", None)
