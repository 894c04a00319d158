"""`Adopting`: write checkpoints and pending writes that were made elsewhere, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...domain.change import Change, Put
from ...domain.checkpoint import CheckpointHeader
from ...stores.base import unchanged
from ...stores.writes import StoredWrite
from .pending import belonging
from .planter import dressed

if TYPE_CHECKING:
    from ...domain.checkpoint import Checkpoint, PendingWrite
    from ...trees.memo import StateMemo
    from ..desk import Desk
    from ..lineage import Lineage
    from .grove import Grove
    from .growth import Growth
    from .planter import Planter


class Adopting:
    """Keeps ids, parents and times; values are written in the form that each comes in."""

    def __init__(self, desk: Desk, lineage: Lineage, grove: Grove, planter: Planter) -> None:
        """Work at `desk`; `planter` writes this store's own form."""
        self._desk = desk
        self._lineage = lineage
        self._grove = grove
        self._own = planter
        self._foreign: dict[str, Planter] = {}

    async def checkpoints(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Write checkpoints: all or none; raises `Conflict` where one of the ids is taken."""
        store = self._grove.store
        growths: dict[str, Growth] = {}
        changes: dict[object, Change] = {}
        memos: dict[tuple[str, str, str], StateMemo] = {}
        headers: list[tuple[str, str, CheckpointHeader]] = []
        here = {checkpoint.id for checkpoint in checkpoints}
        for checkpoint in checkpoints:
            family, form = await self._family(checkpoint.thread_id), checkpoint.form
            planter = self._planter(form)
            # What the parent consists of may be remembered only where it is on the way as well,
            # or is there and stays there until this is written.
            known = memos.pop((family, form, checkpoint.parent_id or ""), None)
            parent = None
            if checkpoint.parent_id is not None and checkpoint.parent_id not in here:
                parent = await store.find(checkpoint.parent_id)
            if parent is not None:
                key = store.key(parent.id)
                changes.setdefault(key, unchanged(key, parent))
            plant = await planter.plant(
                checkpoint.state,
                family=family,
                parent=parent,
                schema=checkpoint.schema,
                growth=growths.get(family),
                memo=known,
            )
            growths[family] = plant.growth
            header = dressed(
                checkpoint,
                plant,
                planter,
                session_id=checkpoint.session_id,
                parent_id=checkpoint.parent_id,
            )
            changes[store.key(header.id)] = await store.put(header, expect=0)
            memos[family, form, header.id] = plant.memo
            headers.append((family, form, header))
        heads = await self._heads({checkpoint.thread_id for checkpoint in checkpoints})
        await _finish(growths, [*changes.values(), *heads])
        for family, form, header in headers:
            memo = memos.get((family, form, header.id))
            if memo is not None:
                self._planter(form).remember(header, memo)

    async def writes(self, writes: Sequence[PendingWrite]) -> None:
        """Write pending writes: all or none; raises `Conflict` where one of the ids is taken."""
        growths: dict[str, Growth] = {}
        puts: list[Change] = []
        for write in writes:
            family = await self._family(write.thread_id)
            planter = self._planter(write.form)
            plant = await planter.plant(
                write.value, family=family, parent=None, growth=growths.get(family)
            )
            growths[family] = plant.growth
            bound = belonging(write.checkpoint_id, write.thread_id, write)
            stored = StoredWrite(
                checkpoint_id=write.checkpoint_id,
                thread_id=write.thread_id,
                task_id=write.task_id,
                index=write.index,
                channel=write.channel,
                task_path=write.task_path,
                trunk=planter.trunk(plant, bound),
                created_at=write.created_at,
            )
            puts.append(await self._grove.writes.put(stored, expect=0))
        await _finish(growths, puts)

    def _planter(self, form: str) -> Planter:
        if not form:
            return self._own
        if form not in self._foreign:
            self._foreign[form] = self._grove.planter(self._desk.sealer.foreign(form))
        return self._foreign[form]

    async def _heads(self, thread_ids: set[str]) -> list[Change]:
        """Make the changes that tell those who know the newest of a thread to look anew.

        Nobody knows it where no head was ever written.
        """
        keys = [self._grove.forest.head_key(thread_id) for thread_id in sorted(thread_ids)]
        found = await self._desk.backend.get(keys, bodies=False) if keys else []
        return [Put(key=head.key) for head in found if head is not None]

    async def _family(self, thread_id: str) -> str:
        thread = await self._lineage.find(thread_id)
        return thread_id if thread is None else thread.root_id


async def _finish(growths: dict[str, Growth], changes: Sequence[Change]) -> None:
    """Write the nodes of every family together with what needs them."""
    if not growths:
        return
    *others, last = growths.values()
    released: list[Change] = []
    for growth in others:
        released += await growth.release()
    await last.finish([*released, *changes])
