"""`Planter`: turn a state into a tree that goes on from another one, and write it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from ...domain.checkpoint import CheckpointHeader, HeaderDraft, Trunk
from ...domain.errors import Corrupt, Invalid
from ...door import DOOR
from ...trees.form import LIST, Row, Slot
from ...trees.lists import extend_list
from ...trees.memo import ListMemo, Memo, StateMemo
from ...trees.read import TreeReader, together
from ...trees.root import MOST_KEYS, WHOLE, Root, pack_root, read_root
from ...trees.seed import edge_of, remember
from ...trees.split import MOST_REMEMBERED, Splitter, is_text
from ...turns import SLICE
from .growth import Growth
from .memos import Memos

if TYPE_CHECKING:
    from datetime import datetime

    from ...domain.ports import Values
    from ...trees.keys import TreeKeys
    from ...trees.pieces import Pauses
    from ...trees.read import Reads
    from ..desk import Desk
    from .forest import Forest

T = TypeVar("T")


_DEFAULT: Final = "msgpack"


@dataclass(slots=True)
class Plant:
    """A state that was taken apart: its root, its new nodes, and what to remember of it."""

    root: bytes
    growth: Growth
    memo: StateMemo
    keys: TreeKeys


class Planter:
    """Take states apart, going on from the checkpoint before where that is of the same family."""

    def __init__(self, desk: Desk, forest: Forest, memos: Memos, values: Values) -> None:
        """Write with `values`, remembering in `memos`."""
        self._desk = desk
        self._forest = forest
        self._memos = memos
        self.values = values
        self._name = "" if values.name == _DEFAULT else values.name
        self._reader = TreeReader(values)

    async def plant(
        self,
        state: object,
        *,
        family: str,
        parent: CheckpointHeader | None,
        schema: int = 0,
        by_identity: bool = False,
        growth: Growth | None = None,
        memo: StateMemo | None = None,
    ) -> Plant:
        """Take a whole state apart; `parent` is the checkpoint that it probably resembles.

        `memo` is of a state whose nodes are in `growth` or stored, where the caller has one.
        """
        taken, keys = self._at_hand(family, parent)
        memo = memo or taken
        if keys is None:
            keys = await self._forest.keys(family)
        if memo is None:
            memo = await self._seeded(family, parent, keys)
        growth = growth or self._growth(family)
        spare = MOST_REMEMBERED - (memo.weight if memo else 0)
        splitter = Splitter(self.values, keys, growth.keep, by_identity=by_identity, spare=spare)
        try:
            grown = await self._drive(_write(splitter, state, memo), growth)
        except Invalid as error:
            raise self._with_path(error, state) from error
        grown.schema, grown.weight = schema, MOST_REMEMBERED - splitter.spare
        return self._plant(grown, growth, keys)

    async def extend(
        self, delta: Mapping[str, object], *, family: str, parent: CheckpointHeader
    ) -> Plant:
        """Take apart what changed: lists are extended, other values take the place of the old."""
        memo, keys = self._at_hand(family, parent)
        if keys is None:
            keys = await self._forest.keys(family)
        if memo is None:
            root = self.root(parent)
            memo = StateMemo(dict(root.slots), {}, is_dict=root.is_dict, schema=root.schema)
        if not memo.is_dict:
            message = (
                f"the state of checkpoint {parent.id} is no dictionary with text keys, so nothing "
                "can be appended to it; save a whole state"
            )
            raise Invalid(message, code="not_a_dict", field="delta", id=parent.id)
        growth = self._growth(family)
        spare = MOST_REMEMBERED - memo.weight
        splitter = Splitter(self.values, keys, growth.keep, spare=spare)
        for name, value in delta.items():
            await self._extend(splitter, growth, memo, name, value, family=family)
        if len(memo.slots) > MOST_KEYS:
            message = (
                f"a state that is appended to has at most {MOST_KEYS} keys, not "
                f"{len(memo.slots)}; put what there are many of into a dictionary of its own"
            )
            raise Invalid(message, code="too_many", field="delta")
        memo.weight = MOST_REMEMBERED - splitter.spare
        return self._plant(memo, growth, keys)

    async def _extend(
        self,
        splitter: Splitter,
        growth: Growth,
        memo: StateMemo,
        name: str,
        value: object,
        *,
        family: str,
    ) -> None:
        slot, known = memo.slots.get(name), memo.memos.get(name)
        if slot is not None:
            splitter.forget([slot])
        if isinstance(value, list) and slot is not None:
            items = cast("list[object]", value)
            if isinstance(slot, Row) and slot.kind == LIST:
                if not isinstance(known, ListMemo):
                    known = await self._forest.read(family, edge_of(slot, splitter.keys))
                    memo.memos[name] = known
                memo.slots[name] = await self._drive(extend_list(splitter, known, items), growth)
                return
            before = await self._forest.read(family, self._reader.value(slot))
            if isinstance(before, list):
                value = [*cast("list[object]", before), *items]
        grown = await self._drive(splitter.channel(value, known), growth)
        _note(memo, name, *grown)

    def root(self, header: CheckpointHeader) -> Root:
        """Return the root of a checkpoint's state; raise `Corrupt` where it is missing."""
        if header.trunk is None:
            raise no_state(header)
        return read_root(header.trunk.root)

    async def state(self, header: CheckpointHeader) -> tuple[Root, Any]:
        """Return the state of a checkpoint, made anew, and the root that it was read from."""
        if not DOOR.is_open():
            await DOOR.enter()
        root = self.root(header)
        made = await self.read(header, self._reader_at(header, root).all_of(root.slots))
        return root, made if root.is_dict else made[WHOLE]

    async def some(self, header: CheckpointHeader, only: Collection[str]) -> dict[str, Any]:
        """Return those of a state's keys that it has; nothing else is read."""
        root = self.root(header)
        slots = {name: root.slots[name] for name in only if name in root.slots}
        return await self.read(header, self._reader_at(header, root).all_of(slots))

    async def read(self, header: CheckpointHeader, work: Reads[T]) -> T:
        """Do a work that reads the state of a checkpoint, whose root is checked first."""
        trunk = await self.checked(header)
        try:
            return await self._forest.read(trunk.family, work)
        except Corrupt as error:
            message = f"the state of checkpoint {header.id} is damaged: {error.message}"
            facts = {**error.facts, "id": header.id}
            raise Corrupt(message, code=error.code, **facts) from error

    async def checked(self, header: CheckpointHeader) -> Trunk:
        """Return a checkpoint's trunk; raise `Corrupt` unless it is this checkpoint's own."""
        trunk = header.trunk
        if trunk is None:
            raise no_state(header)
        family, forest = trunk.family, self._forest
        keys = forest.reading_keys_at_hand(family) or await forest.reading_keys(family)
        if root_mac(keys, header, trunk.root) != trunk.mac:
            message = (
                f"the root of checkpoint {header.id} is damaged, or another checkpoint's: "
                "restore it from a backup"
            )
            raise Corrupt(message, code="bad_root", id=header.id)
        return trunk

    async def again(self, source: CheckpointHeader) -> Plant:
        """Return the state of a checkpoint as a plant, to be written once more as it is."""
        if source.trunk is None:
            raise no_state(source)
        root = self.root(source)
        keys = await self._forest.keys(source.trunk.family)
        memo = StateMemo(dict(root.slots), {}, is_dict=root.is_dict, schema=root.schema)
        return Plant(source.trunk.root, self._growth(keys.family), memo, keys)

    async def transplanted(
        self,
        source: CheckpointHeader,
        *,
        family: str,
        parent: CheckpointHeader | None,
        growth: Growth | None = None,
    ) -> Plant:
        """Return the state of a checkpoint as a plant of a family, its values as they are stored.

        Within one family no node is written; from another one every node is.
        """
        if source.trunk is None:
            raise no_state(source)
        if source.trunk.family == family:
            plant = await self.again(source)
            return plant if growth is None else replace(plant, growth=growth)
        root = self.root(source)
        stored = self._desk.sealer.foreign(root.values or _DEFAULT)
        raw = Planter(self._desk, self._forest, Memos(), stored)
        _, state = await raw.state(source)
        return await raw.plant(
            state, family=family, parent=parent, schema=root.schema, growth=growth
        )

    def reader_of(self, root: Root) -> TreeReader:
        """Return who reads the values of a root: another program's come as they are stored."""
        if root.values == self._name:
            return self._reader
        if not root.values:
            return TreeReader(self._desk.sealer.values)
        return TreeReader(self._desk.sealer.foreign(root.values))

    def _reader_at(self, header: CheckpointHeader, root: Root) -> TreeReader:
        """Return who reads the values of a root, with what is remembered of its leaves."""
        if root.values != self._name or header.trunk is None:
            return self.reader_of(root)
        joined = self._forest.joined(header.trunk.family, self.values)
        return TreeReader(self.values, joined=joined)

    def trunk(self, plant: Plant, header: CheckpointHeader | HeaderDraft) -> Trunk:
        """Return the trunk of a checkpoint that is to have this plant for its state."""
        return Trunk(plant.keys.family, plant.root, root_mac(plant.keys, header, plant.root))

    def remember(self, header: CheckpointHeader, memo: StateMemo) -> None:
        """Remember the state of a checkpoint that was just written, for the one behind it."""
        if header.trunk is not None:
            self._memos.put((self._name, header.trunk.mac), memo)

    def _at_hand(
        self, family: str, parent: CheckpointHeader | None
    ) -> tuple[StateMemo | None, TreeKeys | None]:
        memo = None
        if parent is not None and parent.trunk is not None and parent.trunk.family == family:
            # By the root itself: an id may have been given to another state meanwhile.
            memo = self._memos.take((self._name, parent.trunk.mac))
        return memo, self._forest.keys_at_hand(family)

    async def _seeded(
        self, family: str, parent: CheckpointHeader | None, keys: TreeKeys
    ) -> StateMemo | None:
        """Read what the parent's state consists of, where it can be gone on from."""
        if parent is None or parent.trunk is None or parent.trunk.family != family:
            return None
        root = self.root(parent)
        if root.values != self._name:
            return None
        works = {name: remember(slot, self.values, keys) for name, slot in root.slots.items()}
        found = await self._forest.read(family, together(works))
        memos = {name: memo for name, memo in found.items() if memo is not None}
        return StateMemo(dict(root.slots), memos, is_dict=root.is_dict)

    def _growth(self, family: str) -> Growth:
        return Growth(
            self._desk, self._forest, family, dictionary=self._forest.dictionary_at_hand()
        )

    async def _drive(self, work: Pauses[Any], growth: Growth) -> Any:  # noqa: ANN401 (what it is)
        began = perf_counter()
        try:
            while True:
                next(work)
                if growth.is_heavy:
                    await growth.ahead()
                if perf_counter() - began > SLICE:
                    await DOOR.enter()
                    began = perf_counter()
        except StopIteration as end:
            return end.value

    def _plant(self, memo: StateMemo, growth: Growth, keys: TreeKeys) -> Plant:
        root = pack_root(Root(self._name, memo.schema, memo.is_dict, memo.slots))
        return Plant(root, growth, memo, keys)

    def _with_path(self, error: Invalid, state: object) -> Invalid:
        """Return the error that names the path in the whole state, where there is one."""
        if "path" in error.facts:
            try:
                self.values.dumps(state)
            except Invalid as whole:
                message = f"the state cannot be kept: {whole.message}"
                return Invalid(message, code=whole.code, **whole.facts)
        return error


def dressed(
    header: CheckpointHeader,
    plant: Plant,
    planter: Planter,
    *,
    session_id: str | None,
    parent_id: str | None,
    dates: tuple[datetime, datetime] | None = None,
) -> CheckpointHeader:
    """Return a header with the size and the trunk that a plant gives it, and without a state.

    It belongs to this session and continues this parent; with `dates`, it was created and last
    changed then.
    """
    draft = HeaderDraft()
    draft.id = header.id
    draft.thread_id = header.thread_id
    draft.session_id = session_id
    draft.parent_id = parent_id
    draft.workflow_id = header.workflow_id
    draft.metadata = header.metadata
    draft.size = plant.growth.own_size() + len(plant.root)
    draft.created_at, draft.updated_at = dates or (header.created_at, header.updated_at)
    draft.version = header.version
    draft.namespace = header.namespace
    draft.tags = header.tags
    draft.pinned = header.pinned
    draft.trunk = planter.trunk(plant, draft)
    return draft.done()


def no_state(header: CheckpointHeader) -> Corrupt:
    """Make the error for a checkpoint without a root."""
    message = f"checkpoint {header.id} has no state; restore it from a backup"
    return Corrupt(message, code="missing_state", id=header.id)


def root_mac(keys: TreeKeys, header: CheckpointHeader | HeaderDraft, root: bytes) -> bytes:
    """Return the keyed hash that binds a root to its checkpoint."""
    return keys.mac(
        (
            header.id.encode(),
            header.thread_id.encode(),
            (header.parent_id or "").encode(),
            header.namespace.encode(),
            root,
        )
    )


def _write(splitter: Splitter, state: Any, memo: StateMemo | None) -> Pauses[StateMemo]:  # noqa: ANN401
    """Write every part of a state."""
    keys = cast("dict[object, Any]", state) if type(state) is dict else None  # pyright: ignore[reportUnknownArgumentType]
    whole = keys is None or len(keys) > MOST_KEYS or not all(map(is_text, keys))
    parts = {WHOLE: cast("Any", state)} if whole else cast("dict[str, Any]", state)
    known = memo if memo is not None and memo.is_dict != whole else StateMemo({}, {}, is_dict=True)
    grown = StateMemo({}, {}, is_dict=not whole)
    for name, value in parts.items():
        slot = splitter.scalar(value)
        if slot is not None:
            grown.slots[name] = slot
            continue
        before = known.slots.get(name)
        if before is not None:
            splitter.forget([before])
        made = yield from splitter.channel(value, known.memos.get(name))
        _note(grown, name, *made)
        yield
    return grown


def _note(memo: StateMemo, name: str, slot: Slot, inner: Memo | None) -> None:
    memo.slots[name] = slot
    if inner is None:
        memo.memos.pop(name, None)
    else:
        memo.memos[name] = inner
