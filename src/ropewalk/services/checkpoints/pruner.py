"""`Pruner`: remove checkpoints that no rule keeps, never breaking one that stays."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ...domain.change import Delete
from ...domain.checkpoint import CheckpointHeader, CleanupPolicy, CleanupReport
from ...domain.errors import Conflict
from ...domain.lease import LEASE_LOST
from ...domain.moment import to_micros
from ...domain.query import NEWEST_FIRST, Query
from ...domain.thread import Position, Segment
from ...stores.base import Find
from ...trees.read import TreeReader
from ...trees.root import read_root
from ...turns import Turns
from ..lineage import is_on
from ..manager import ATTEMPTS
from .cleanup import (
    NEEDED,
    Keep,
    Step,
    ancestors_needed,
    channel_of,
    judge,
    lacking,
    names_in,
)
from .room import Room
from .saver import wait_after
from .standing import standing

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ...domain.change import Change
    from ...domain.record import Record
    from ...trees.root import Root
    from ..desk import Desk
    from ..lineage import Lineage
    from .collector import Collector
    from .grove import Grove
    from .standing import Newest

_AT_ONCE: Final = 500

_SEED: Final = 7
"""The code of MessagePack's extension by which LangGraph tells a value that later states begin with
(`langgraph.checkpoint.serde`, delta snapshots)."""

_LANGGRAPH: Final = "langgraph"
"""What the form of values is called that has this extension."""

_CODE_AT: Final = {0xC7: 2, 0xC8: 3, 0xC9: 5, **dict.fromkeys(range(0xD4, 0xD9), 1)}
"""Where the code of an extension stands behind the first byte of its stored form."""


@dataclass(slots=True)
class _Plan:
    """What is to become of the checkpoints of one thread.

    `doomed` has the version that each had, `writes` the keys of what was written at them.
    """

    thread_id: str
    doomed: dict[str, int] = field(default_factory=dict[str, int])
    writes: dict[str, list[Record]] = field(default_factory=dict[str, "list[Record]"])
    kept: dict[str, str] = field(default_factory=dict[str, str])
    families: set[str] = field(default_factory=set[str])
    room: int = 0


class Pruner:
    """Judges thread by thread, tells what that will free, and removes in batches."""

    def __init__(
        self,
        desk: Desk,
        lineage: Lineage,
        grove: Grove,
        collector: Collector,
        *,
        newest: Newest,
    ) -> None:
        """Work at `desk`; `newest` finds the newest checkpoint on some stretches."""
        self._desk = desk
        self._lineage = lineage
        self._grove = grove
        self._collector = collector
        self._newest = newest
        self._planter = grove.planter(desk.sealer.values)

    async def prune(
        self, thread_id: str | None, policy: CleanupPolicy, *, dry_run: bool
    ) -> CleanupReport:
        """Remove what no rule keeps of one thread, or of all; return what went and why not."""
        if thread_id is not None:
            await self._lineage.thread(thread_id)
        room = await Room.of(self._desk.backend)
        threads = [thread_id] if thread_id is not None else await self._threads()
        plans = [await self._plan(each, policy, room) for each in threads]
        doomed = {id_ for plan in plans for id_ in plan.doomed}
        families = {family for plan in plans for family in plan.families}
        garbage = await self._collector.unreachable(families, doomed, weigh=room.freed)
        removed: list[str] = []
        kept: dict[str, str] = {}
        for plan in plans:
            done = plan if dry_run else await self._carry_out(plan, policy, room)
            removed += plan.doomed
            removed += done.doomed.keys() - plan.doomed.keys()
            kept |= done.kept
        gone = {id_: None for id_ in removed if id_ not in kept}
        return CleanupReport(
            removed=tuple(gone),
            kept=kept,
            freed_bytes=sum(plan.room for plan in plans) + garbage.freed_bytes,
            dry_run=dry_run,
            writes=sum(len(found) for plan in plans for found in plan.writes.values()),
            nodes=garbage.removed,
        )

    async def _threads(self) -> list[str]:
        query = Query(space=self._desk.space, kinds=self._grove.store.kinds, bodies=False)
        rows = await self._desk.backend.tally(query, (), ("thread_id",))
        return [str(row.group[0]) for row in rows if row.group[0] is not None]

    async def _plan(self, thread_id: str, policy: CleanupPolicy, room: Room) -> _Plan:
        plan = _Plan(thread_id)
        written = await self._written(thread_id)
        store = self._grove.store
        found: list[CheckpointHeader] = []
        rooms: dict[str, int] = {}
        steps: dict[str, Step] = {}
        greatest: dict[str, str] = {}
        trunks: dict[str, CheckpointHeader] = {}
        turns = Turns()
        async for record in store.records(Find(thread_id=thread_id, order=NEWEST_FIRST)):
            header = await store.open(record)
            rooms[header.id] = room.freed(record)
            root = None if header.trunk is None else read_root(header.trunk.root)
            if header.trunk is not None:
                plan.families.add(header.trunk.family)
            if root is not None and root.values:
                # Another program's ids say which of its checkpoints is newer.
                known = greatest.get(header.namespace, "")
                greatest[header.namespace] = max(known, header.id)
            if root is not None and (written or root.values):
                steps[header.id] = _step(header, root, written.get(header.id, {}))
                trunks[header.id] = header
            found.append(replace(header, trunk=None))
            await turns.rest()
        held = dict.fromkeys(greatest.values(), "newest by its id")
        held |= await standing(thread_id, self._lineage, self._newest)
        await self._judge(plan, found, Keep(policy, held, self._desk.now()))
        survivors = [id_ for id_ in plan.kept if id_ in steps]
        wanted = lacking(steps, survivors)
        for id_ in plan.doomed.keys() & steps.keys():
            seeds = await self._seeds(trunks[id_], steps[id_].keys & wanted)
            steps[id_] = replace(steps[id_], seeds=seeds)
        for id_ in ancestors_needed(steps, survivors):
            if plan.doomed.pop(id_, None) is not None:
                plan.kept[id_] = NEEDED
        plan.writes = {
            id_: [record for records in written[id_].values() for record in records]
            for id_ in plan.doomed
            if id_ in written
        }
        plan.room = sum(rooms[id_] for id_ in plan.doomed)
        plan.room += sum(room.freed(record) for rows in plan.writes.values() for record in rows)
        return plan

    async def _seeds(self, header: CheckpointHeader, keys: Collection[str]) -> set[str]:
        """Return the channels whose values are there for later checkpoints to begin with."""
        seeds: set[str] = set()
        if header.trunk is None or not keys:
            return seeds
        root = read_root(header.trunk.root)
        if root.values != _LANGGRAPH:
            return seeds
        reader = TreeReader(self._desk.sealer.foreign(root.values))
        for key in keys:
            form = await self._planter.read(header, reader.form(root.slots[key]))
            at = _CODE_AT.get(form[0])
            if at is not None and form[at] == _SEED:
                seeds.add(channel_of(key))
        return seeds

    async def _judge(self, plan: _Plan, headers: Sequence[CheckpointHeader], keep: Keep) -> None:
        """Divide a thread's checkpoints, newest first, into those that stay and those that go."""
        line = await self._line(plan.thread_id)
        ranks: defaultdict[str, int] = defaultdict(int)
        turns = Turns()
        for header in headers:
            rank: int | None = None
            here = Position(to_micros(header.created_at), header.id)
            if line is None or is_on(line, plan.thread_id, here):
                rank = ranks[header.namespace]
                ranks[header.namespace] += 1
            reason = judge(keep, header, rank)
            if reason is None:
                plan.doomed[header.id] = header.version
            else:
                plan.kept[header.id] = reason
            await turns.rest()

    async def _written(self, thread_id: str) -> dict[str, dict[str, list[Record]]]:
        """Return what was written at each checkpoint, by channel."""
        found: defaultdict[str, dict[str, list[Record]]] = defaultdict(dict)
        store = self._grove.writes
        turns = Turns()
        async for record in store.records(Find(thread_id=thread_id)):
            stored = await store.open(record)
            found[stored.checkpoint_id].setdefault(stored.channel, []).append(record)
            await turns.rest()
        return dict(found)

    async def _line(self, thread_id: str) -> tuple[Segment, ...] | None:
        """Return what is on a thread's line, `None` where there is no thread (any more)."""
        if await self._lineage.find(thread_id) is None:
            return None
        return await self._lineage.segments(thread_id)

    async def _carry_out(self, plan: _Plan, policy: CleanupPolicy, room: Room) -> _Plan:
        """Remove what is doomed; judge anew where something has changed meanwhile."""
        done = _Plan(plan.thread_id)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                for start in range(0, len(plan.doomed), _AT_ONCE):
                    ids = list(plan.doomed)[start : start + _AT_ONCE]
                    await self._check_standing(plan.thread_id, ids)
                    await self._desk.commit_in_parts(self._removals(plan, ids))
                    done.doomed |= {id_: plan.doomed[id_] for id_ in ids}
            except Conflict as error:
                if attempt == ATTEMPTS or error.code == LEASE_LOST:
                    raise
            else:
                done.kept = plan.kept
                return done
            await wait_after(attempt)
            plan = await self._plan(plan.thread_id, policy, room)
        return done

    async def _check_standing(self, thread_id: str, ids: Collection[str]) -> None:
        """Raise `Conflict` where a fork was made meanwhile at one of these checkpoints."""
        held = await standing(thread_id, self._lineage, self._newest)
        taken = held.keys() & set(ids)
        if taken:
            message = f"something begins at checkpoint {min(taken)!r} now"
            raise Conflict(message, code="fork_point", id=min(taken))

    def _removals(self, plan: _Plan, ids: Collection[str]) -> list[Change]:
        # The writes go first: cut in two, the second part would still know whose they are.
        changes: list[Change] = [
            Delete(key=record.key) for id_ in ids for record in plan.writes.get(id_, ())
        ]
        changes += [self._grove.store.remove(id_, expect=plan.doomed[id_]) for id_ in ids]
        return changes


def _step(header: CheckpointHeader, root: Root, written: Mapping[str, Sequence[Record]]) -> Step:
    keys = frozenset(root.slots) if root.is_dict else frozenset[str]()
    return Step(header.parent_id, keys, written.keys(), names_in(header.metadata))
