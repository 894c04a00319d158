"""`Pending`: what tasks wrote at checkpoints: kept, read, copied and removed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace as replaced
from typing import TYPE_CHECKING, Final

from ...domain.checkpoint import CheckpointHeader, PendingWrite, Write, write_id
from ...domain.errors import Conflict, Corrupt
from ...domain.lease import LEASE_LOST
from ...domain.moment import from_micros
from ...domain.query import Condition, Order
from ...stores.base import Find
from ...stores.writes import StoredWrite, prefix_of
from ...trees.read import together
from ...trees.root import WHOLE
from ...turns import give_way
from ..manager import ATTEMPTS
from .saver import wait_after

if TYPE_CHECKING:
    from ...domain.change import Change
    from ...domain.checkpoint import Trunk
    from ...domain.thread import Thread
    from ...trees.read import Reads, TreeReader
    from ...trees.root import Root
    from ..desk import Desk
    from .grove import Grove
    from .growth import Growth
    from .planter import Planter

_BY_ID: Final = Order("id")

_BEHIND: Final = chr(ord(prefix_of("")) + 1)
"""What makes a bound right behind the writes at a checkpoint, put behind its id."""

_NEVER: Final = from_micros(0)

_AT_ONCE: Final = 64
"""So many values are made without a pause."""

_OTHERS: Final = 16
"""So many writes for each checkpoint are looked through at most, to find those of several."""


class Pending:
    """The values are trees of the same family as the states, so that both share their nodes."""

    def __init__(self, desk: Desk, grove: Grove, planter: Planter) -> None:
        """Keep values in the form that `planter` writes."""
        self._desk = desk
        self._store = grove.writes
        self._forest = grove.forest
        self._planter = planter

    async def put(self, id: str, thread: Thread, writes: Sequence[Write], *, replace: bool) -> None:
        """Keep writes at a checkpoint; without `replace`, those that are there already stay."""
        for attempt in range(1, ATTEMPTS + 1):
            wanted = list(writes)
            if not replace:
                ids = [write_id(id, write.task_id, write.index) for write in wanted]
                there = await self._store.find_many(ids)
                wanted = [w for w, found in zip(wanted, there, strict=True) if found is None]
            if not wanted:
                return
            growth: Growth | None = None
            puts: list[Change] = []
            for write in wanted:
                plant = await self._planter.plant(
                    write.value, family=thread.root_id, parent=None, growth=growth
                )
                growth = plant.growth
                stored = StoredWrite(
                    checkpoint_id=id,
                    thread_id=thread.id,
                    task_id=write.task_id,
                    index=write.index,
                    channel=write.channel,
                    task_path=write.task_path,
                    trunk=self._planter.trunk(plant, belonging(id, thread.id, write)),
                    created_at=self._desk.now(),
                )
                puts.append(await self._store.put(stored, expect=None if replace else 0))
            if growth is None:
                return
            try:
                await growth.finish(puts)
            except Conflict as error:
                # Somebody wrote one of them in between: those that are there stay.
                if replace or attempt == ATTEMPTS or error.code == LEASE_LOST:
                    raise
                await wait_after(attempt)
            else:
                return

    async def stored(self, id: str) -> AsyncIterator[StoredWrite]:
        """Go through the writes at a checkpoint, by task and place; no value is read."""
        prefix = Condition("id", "prefix", prefix_of(id))
        async for stored in self._store.scan(Find(where=(prefix,), order=_BY_ID)):
            # The id of another checkpoint may begin with this one's and a separator.
            if stored.checkpoint_id == id:
                yield stored

    async def stored_at(self, ids: Sequence[str]) -> AsyncIterator[StoredWrite]:
        """Go through the writes at several checkpoints; no value is read.

        Checkpoints that follow one another are mostly asked for together, with few writes of
        others between theirs: then one look is enough.
        """
        wanted = dict.fromkeys(ids)
        if len(wanted) > 1:
            most = _OTHERS * len(wanted)
            between = (
                Condition("id", "ge", prefix_of(min(wanted))),
                Condition("id", "lt", max(wanted) + _BEHIND),
            )
            find = Find(where=between, order=_BY_ID, limit=most)
            near = [stored async for stored in self._store.scan(find)]
            if len(near) < most:
                for stored in near:
                    if stored.checkpoint_id in wanted:
                        yield stored
                return
        for id_ in wanted:
            async for stored in self.stored(id_):
                yield stored

    async def read(
        self, ids: Sequence[str], *, channels: Collection[str] | None
    ) -> dict[str, list[Write]]:
        """Return the writes at each checkpoint, by task path, task and place."""
        found: dict[str, list[Write]] = {id_: [] for id_ in ids}
        there = [
            stored
            async for stored in self.stored_at(ids)
            if channels is None or stored.channel in channels
        ]
        for start in range(0, len(there), _AT_ONCE):
            part = there[start : start + _AT_ONCE]
            for stored, value in zip(part, await self._values(part), strict=True):
                write = Write(
                    task_id=stored.task_id,
                    index=stored.index,
                    channel=stored.channel,
                    value=value,
                    task_path=stored.task_path,
                )
                found[stored.checkpoint_id].append(write)
            await give_way()
        for writes in found.values():
            writes.sort(key=lambda w: (w.task_path, w.task_id, w.index))
        return found

    async def opened(self, stored: StoredWrite) -> PendingWrite:
        """Return a stored write with its value."""
        root, value = await self._planter.state(header_of(stored))
        return PendingWrite(
            checkpoint_id=stored.checkpoint_id,
            thread_id=stored.thread_id,
            task_id=stored.task_id,
            index=stored.index,
            channel=stored.channel,
            value=value,
            task_path=stored.task_path,
            created_at=stored.created_at,
            form=root.values,
        )

    async def _values(self, stored: Sequence[StoredWrite]) -> list[object]:
        """Return the values of several writes, whose nodes are read together."""
        try:
            return await self._together(stored)
        except Corrupt:
            # One after the other, so that the error is about the one that is damaged.
            return [await self._value(each) for each in stored]

    async def _together(self, stored: Sequence[StoredWrite]) -> list[object]:
        works: defaultdict[str, dict[int, Reads[object]]] = defaultdict(dict)
        for place, each in enumerate(stored):
            header = header_of(each)
            root = self._planter.root(header)
            trunk = await self._planter.checked(header)
            works[trunk.family][place] = _value_of(root, self._planter.reader_of(root))
        values: dict[int, object] = {}
        for family, parts in works.items():
            values |= await self._forest.read(family, together(parts))
        return [values[place] for place in range(len(stored))]

    async def _value(self, stored: StoredWrite) -> object:
        _, value = await self._planter.state(header_of(stored))
        return value

    async def copy(self, id: str, *, to: str, thread_id: str, family: str) -> None:
        """Keep the writes at one checkpoint at another one too; no value is changed."""
        growth: Growth | None = None
        puts: list[Change] = []
        async for stored in self.stored(id):
            plant = await self._planter.transplanted(
                header_of(stored), family=family, parent=None, growth=growth
            )
            growth = plant.growth
            copied = replaced(stored, checkpoint_id=to, thread_id=thread_id)
            trunk = self._planter.trunk(plant, header_of(copied))
            puts.append(await self._store.put(replaced(copied, trunk=trunk), expect=None))
        if growth is not None:
            await growth.finish(puts)

    async def removals(self, ids: Sequence[str]) -> AsyncIterator[Change]:
        """Make the changes that delete the writes at these checkpoints."""
        for id_ in ids:
            async for stored in self.stored(id_):
                yield self._store.remove(stored.id)

    async def of_thread(self, thread_id: str) -> AsyncIterator[Change]:
        """Make the changes that delete every write of a thread."""
        async for record in self._store.headers(Find(thread_id=thread_id)):
            yield self._store.remove(record.key.id)


def belonging(id: str, thread_id: str, write: Write) -> CheckpointHeader:
    """Return what binds the root of a write to its place, as a header does for a state."""
    return _bound(write_id(id, write.task_id, write.index), thread_id)


def header_of(stored: StoredWrite) -> CheckpointHeader:
    """Return a header that a planter can read the value of a stored write from."""
    return _bound(stored.id, stored.thread_id, stored.trunk)


def _bound(id: str, thread_id: str, trunk: Trunk | None = None) -> CheckpointHeader:
    return CheckpointHeader(
        id=id, thread_id=thread_id, created_at=_NEVER, updated_at=_NEVER, trunk=trunk
    )


def _value_of(root: Root, reader: TreeReader) -> Reads[object]:
    """Return the value that a root leads to."""
    if root.is_dict:
        return together({name: reader.value(slot) for name, slot in root.slots.items()})
    return reader.value(root.slots[WHOLE])
