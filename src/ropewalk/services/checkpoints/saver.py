"""`Saver`: write checkpoints at the end of a thread's line, one behind the other."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.change import Change, Check, Put
from ...domain.checkpoint import CheckpointHeader
from ...domain.errors import Conflict, Invalid
from ...domain.lease import LEASE_LOST
from ...door import DOOR
from ...still import still
from ...stores.base import unchanged
from ...trees.weigh import is_light
from ...turns import give_way
from ..lineage import stretches
from ..manager import ATTEMPTS, missing
from .planter import dressed

if TYPE_CHECKING:
    from ...domain.record import Key
    from ...domain.thread import Segment
    from ..desk import Desk
    from ..lineage import Lineage
    from ..schemas import Schemas
    from .grove import Grove
    from .planter import Plant, Planter

_WHAT: Final = "checkpoint"
_MOST_TIPS: Final = 1_024
_TICK: Final = timedelta(microseconds=1)

_PATIENCE: Final = 0.002
"""Seconds to wait after a conflict, times the attempts and a chance."""

Newest = Callable[["tuple[Segment, ...]"], Awaitable["CheckpointHeader | None"]]


@dataclass(slots=True)
class Tip:
    """The end of a thread's line as it was when somebody looked: what a save goes on from.

    While the thread is as `thread` expects it and the head has the version `head`, a save goes
    behind `parent`. `is_newest` tells whether that is the newest checkpoint: one that the caller
    dated may be older than what it stands behind.
    """

    session_id: str | None
    family: str
    thread: Check
    head_key: Key
    head: int
    parent: CheckpointHeader | None
    is_newest: bool = True


class Saver:
    """Save states, whole or by what changed, so that two writers never overwrite each other.

    Every save expects the end of the line to be where it was looked for last. If somebody was
    quicker, the checkpoint is put behind theirs.
    """

    def __init__(
        self,
        desk: Desk,
        lineage: Lineage,
        grove: Grove,
        planter: Planter,
        *,
        newest: Newest,
    ) -> None:
        """Write with `planter` into `grove`; `newest` finds the end of a line."""
        self._desk = desk
        self._lineage = lineage
        self._store = grove.store
        self._forest = grove.forest
        self._training = grove.training
        self._planter = planter
        self._newest = newest
        self._tips: OrderedDict[str, Tip] = OrderedDict()
        self._lock = threading.Lock()

    async def save(
        self,
        header: CheckpointHeader,
        state: object,
        *,
        schema: int,
        by_identity: bool,
    ) -> CheckpointHeader:
        """Keep a whole state under a header, behind the newest unless it names a parent."""
        is_open = DOOR.is_open()
        tip = self._tip_at_hand(header.thread_id) if is_open else None
        if tip is None:
            # While this waits, the caller may change its state.
            state = self._copied(state)
            if not is_open:
                await DOOR.enter()
                tip = self._tip_at_hand(header.thread_id)
            tip = tip or await self._tip(header.thread_id)
        parent = await self._parent(header, tip)
        plant = await self._planter.plant(
            state,
            family=tip.family,
            parent=parent,
            schema=schema,
            by_identity=by_identity,
        )
        try:
            return await self._write(header, plant, tip, parent)
        except Conflict as error:
            if header.parent_id is not None or not self._is_about(error, parent):
                raise
            # What it goes on from was removed or changed: now it goes on from nothing.
            whole = await self._planter.plant(state, family=tip.family, parent=None, schema=schema)
            if whole.root != plant.root:
                # The caller has changed it meanwhile, and only what it was at the call may be kept.
                raise
        return await self._write(header, whole, None, None)

    async def append(
        self, header: CheckpointHeader, delta: Mapping[str, object], *, schemas: Schemas
    ) -> CheckpointHeader:
        """Keep the newest state with `delta` on top of it: lists extended, other values replaced.

        If another writer was quicker, the delta is put on top of what that one wrote.
        """
        if not DOOR.is_open():
            delta = cast("dict[str, object]", self._copied(dict(delta)))
            await DOOR.enter()

        async def once() -> CheckpointHeader:
            tip = self._tip_at_hand(header.thread_id) or await self._tip(header.thread_id)
            parent = tip.parent
            if parent is None or not self._goes_on(parent, tip, schemas):
                plant = await self._planter.plant(
                    await self._joined(delta, parent, schemas),
                    family=tip.family,
                    parent=None,
                    schema=schemas.newest,
                )
            else:
                plant = await self._planter.extend(delta, family=tip.family, parent=parent)
            return await self._once(header, plant, tip, parent)

        return await self._persist(header, once)

    def _goes_on(self, parent: CheckpointHeader, tip: Tip, schemas: Schemas) -> bool:
        """Tell whether a state can be put on top of its parent's tree as it is stored."""
        if parent.trunk is None or parent.trunk.family != tip.family:
            return False
        return not schemas.newest or self._planter.root(parent).schema == schemas.newest

    async def _joined(
        self, delta: Mapping[str, object], parent: CheckpointHeader | None, schemas: Schemas
    ) -> object:
        """Return the whole state: the parent's, raised to the newest version, and the delta."""
        if parent is None:
            return dict(delta)
        root, state = await self._planter.state(parent)
        return _joined(schemas.raised(state, root.schema, parent.id), delta, parent)

    async def copy(self, source: CheckpointHeader, header: CheckpointHeader) -> CheckpointHeader:
        """Keep the state of another checkpoint under a header: no node is written in a family."""

        async def once() -> CheckpointHeader:
            tip = self._tip_at_hand(header.thread_id) or await self._tip(header.thread_id)
            plant = await self._planter.transplanted(source, family=tip.family, parent=None)
            return await self._once(header, plant, tip, tip.parent, source)

        return await self._persist(header, once, source=source)

    def touch(self, thread_id: str) -> Change:
        """Make the change that tells every writer to look for the end of a thread's line anew."""
        return Put(key=self._forest.head_key(thread_id))

    async def _write(
        self,
        header: CheckpointHeader,
        plant: Plant,
        seen: Tip | None,
        parent: CheckpointHeader | None,
    ) -> CheckpointHeader:
        """Write a plant that goes on from `parent`, behind whoever was quicker."""

        async def once() -> CheckpointHeader:
            nonlocal seen
            now, seen = seen or await self._tip(header.thread_id), None
            behind = now.parent if header.parent_id is None else parent
            return await self._once(header, plant, now, behind, parent)

        return await self._persist(header, once, source=parent)

    async def _persist(
        self,
        header: CheckpointHeader,
        once: Callable[[], Awaitable[CheckpointHeader]],
        *,
        source: CheckpointHeader | None = None,
    ) -> CheckpointHeader:
        """Try until nobody is quicker; raise `Conflict` where the id is taken, or in the end.

        So it is at once where `source` is not what it was: that is no question of being quicker.
        """
        attempt = 1
        while True:
            try:
                saved = await once()
            except Conflict as error:
                final = self._is_about(error, header) or self._is_about(error, source)
                if final or error.code == LEASE_LOST or attempt == ATTEMPTS:
                    raise
            else:
                if DOOR.is_over():
                    # Or the next call of this task would wait with a copy of what it brings.
                    await give_way()
                return saved
            await wait_after(attempt)
            attempt += 1

    def _is_about(self, error: Conflict, header: CheckpointHeader | None) -> bool:
        """Tell whether a conflict is about the record of this checkpoint."""
        return header is not None and error.facts.get("key") == self._store.key(header.id)

    async def _once(
        self,
        header: CheckpointHeader,
        plant: Plant,
        tip: Tip,
        parent: CheckpointHeader | None,
        source: CheckpointHeader | None = None,
    ) -> CheckpointHeader:
        """Write a checkpoint if all is still as `tip` says.

        Nodes were left out that `source` has: it must still be there.
        """
        now, newest = self._desk.now(), tip.parent
        if newest is not None and newest.created_at >= now:
            # Clocks may be apart, and it stands behind the newest.
            now = newest.created_at + _TICK
        dated = header.created_at != header.updated_at
        header = dressed(
            header,
            plant,
            self._planter,
            session_id=tip.session_id,
            parent_id=parent.id if parent else None,
            dates=(header.created_at, header.updated_at) if dated else (now, now),
        )
        changes: list[Change] = [
            tip.thread,
            Put(key=tip.head_key, expect=tip.head),
            await self._store.put(header, expect=0),
        ]
        # The newest cannot go without the head noticing; any other can.
        if source is not None and source is not newest:
            changes.append(unchanged(self._store.key(source.id), source))
        await plant.growth.finish(changes)
        self._planter.remember(header, plant.memo)
        tip.is_newest = not dated or (tip.is_newest and _is_behind(header, newest))
        tip.head += 1
        tip.parent = header
        self._keep_tip(header.thread_id, tip)
        if plant.growth.samples:
            await self._training.offer(plant.growth.samples)
        return header

    async def _parent(self, header: CheckpointHeader, tip: Tip) -> CheckpointHeader | None:
        if header.parent_id is None:
            return tip.parent
        parent = await self._store.find(header.parent_id)
        if parent is None:
            raise missing(_WHAT, header.parent_id, space=self._desk.space)
        return parent

    def _copied(self, state: object) -> object:
        """Return a copy of a light state; a heavy one is read piece by piece as it is."""
        if not is_light(state):
            return state
        try:
            return still(state, other=self._read_back)
        except Invalid:
            pass
        try:
            # Asked for all of it, they say where in the state that is.
            return self._read_back(state)
        except Invalid as error:
            message = f"the state cannot be kept: {error.message}"
            raise Invalid(message, code=error.code, **error.facts) from error

    def _read_back(self, value: object) -> object:
        """Return what would be loaded of an object that may be changed in ways unknown here."""
        values = self._planter.values
        return values.loads(values.dumps(value))

    async def newest(self, thread_id: str) -> CheckpointHeader | None:
        """Return the newest checkpoint of a thread's line, `None` where it has to be looked for.

        It is where this saver put it, as long as neither the thread nor its head were changed.
        """
        with self._lock:
            tip = self._tips.get(thread_id)
            if tip is None or tip.parent is None or not tip.is_newest:
                return None
            # Whoever saves takes the tip and raises what it says.
            check, head, id_ = tip.thread, tip.head, tip.parent.id
            keys = (check.key, tip.head_key, self._store.key(id_))
        thread, now, found = await self._desk.backend.get(keys)
        if thread is None or now is None or found is None:
            return None
        as_it_was = thread.version == check.expect and thread.created_at == check.made
        return await self._store.open(found) if as_it_was and now.version == head else None

    def _tip_at_hand(self, thread_id: str) -> Tip | None:
        with self._lock:
            return self._tips.pop(thread_id, None)

    def _keep_tip(self, thread_id: str, tip: Tip) -> None:
        with self._lock:
            self._tips[thread_id] = tip
            if len(self._tips) > _MOST_TIPS:
                self._tips.popitem(last=False)

    async def _tip(self, thread_id: str) -> Tip:
        """Look for the end of a thread's line; raise `NotFound` for an unknown thread."""
        head_key = self._forest.head_key(thread_id)
        # The head comes first: whoever writes behind this look raises it.
        [head] = await self._desk.backend.get((head_key,), bodies=False)
        line = await self._lineage.ancestors(thread_id)
        thread = line[-1]
        return Tip(
            session_id=thread.session_id,
            family=thread.root_id,
            thread=unchanged(self._lineage.key(thread_id), thread),
            head_key=head_key,
            head=head.version if head else 0,
            parent=await self._newest(stretches(line)),
        )


def _is_behind(header: CheckpointHeader, newest: CheckpointHeader | None) -> bool:
    """Tell whether a checkpoint stands behind what was the newest, as lists have it."""
    if newest is None:
        return True
    return (newest.created_at, newest.id) < (header.created_at, header.id)


def _joined(state: object, delta: Mapping[str, object], parent: CheckpointHeader) -> object:
    if not isinstance(state, dict):
        message = (
            f"the state of checkpoint {parent.id} is no dictionary with text keys, so nothing "
            "can be appended to it; save a whole state"
        )
        raise Invalid(message, code="not_a_dict", field="delta", id=parent.id)
    joined: dict[Any, Any] = {**state}
    for name, value in delta.items():
        before = joined.get(name)
        both = isinstance(value, list) and isinstance(before, list)
        joined[name] = [*before, *value] if both else value  # type: ignore[misc]
    return joined


async def wait_after(attempt: int) -> None:
    """Wait a little after a conflict, so that those who met do not meet again at once."""
    await asyncio.sleep(_PATIENCE * attempt * random.random())  # noqa: S311
