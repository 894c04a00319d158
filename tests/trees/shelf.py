"""`Shelf`: keep nodes in a dictionary, drive trees over them, and forget what a collector would."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ropewalk.codecs.serialize import MsgPack
from ropewalk.domain.ports import Values
from ropewalk.trees.form import Ref, Row, Slot, children, refs_in
from ropewalk.trees.keys import TreeKeys
from ropewalk.trees.lists import extend_list
from ropewalk.trees.memo import ListMemo, Memo
from ropewalk.trees.pieces import Pauses
from ropewalk.trees.read import Reads, TreeReader
from ropewalk.trees.seed import edge_of, remember
from ropewalk.trees.split import Splitter

T = TypeVar("T")

PACK: Values = MsgPack()
SECRET = bytes(range(32))


def done(work: Pauses[T]) -> T:
    """Do a work to its end without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result


class Gone(LookupError):
    """A node is asked for that nobody keeps."""


class Shelf:
    """What one family's trees are kept in; `asked` counts the nodes that were read."""

    def __init__(self, values: Values = PACK, *, family: str = "family") -> None:
        """Begin empty."""
        self.values = values
        self.keys = TreeKeys(SECRET, family)
        self.bodies: dict[bytes, bytes] = {}
        self.new: list[tuple[bytes, bytes]] = []
        self.asked = 0

    @property
    def new_bytes(self) -> int:
        """How many bytes the last write kept."""
        return sum(len(body) for _, body in self.new)

    def _splitter(self, *, by_identity: bool = False) -> Splitter:
        self.new = []
        return Splitter(self.values, self.keys, self._keep, by_identity=by_identity)

    def _keep(self, digest: bytes, body: bytes) -> None:
        assert digest == self.keys.digest(body)
        self.new.append((digest, body))
        self.bodies[digest] = body

    def write(
        self,
        value: object,
        memo: Memo | None = None,
        *,
        before: Slot | None = None,
        by_identity: bool = False,
    ) -> tuple[Slot, Memo | None]:
        """Write a value as a state's writer does: `before` is the slot that it replaces."""
        splitter = self._splitter(by_identity=by_identity)
        if before is not None:
            splitter.forget([before])
        return done(splitter.channel(value, memo))

    def scratch(self, value: object) -> Slot:
        """Return the slot of a value that is written without any knowledge, keeping nothing."""
        return done(Splitter(self.values, self.keys, _nowhere).channel(value, None))[0]

    def extend(self, memo: ListMemo, items: list[object]) -> Row:
        """Append items to a list."""
        splitter = self._splitter()
        splitter.forget([memo.row])
        return done(extend_list(splitter, memo, items))

    def edge(self, row: Row) -> ListMemo:
        """Return what an append has to know, read from the nodes."""
        return self.read(edge_of(row, self.keys))

    def seeded(self, slot: Slot) -> Memo | None:
        """Return the memo of what somebody else wrote, read from the nodes."""
        return self.read(remember(slot, self.values, self.keys))

    def read(self, work: Reads[T]) -> T:
        """Do a reading work to its end; raise `Gone` for a node that is not here."""
        return answered(work, self.bodies, self)

    def value(self, slot: Slot) -> Any:  # noqa: ANN401 (a user's value)
        """Return the value behind a slot."""
        return self.read(TreeReader(self.values).value(slot))

    def form(self, slot: Slot) -> bytes:
        """Return the stored form behind a slot."""
        return self.read(TreeReader(self.values).form(slot))

    def reachable(self, slots: Iterable[Slot]) -> set[bytes]:
        """Return the names of every node that these slots need; `KeyError` where one is gone."""
        found: set[bytes] = set()
        waiting = [ref.digest for ref in refs_in(list(slots))]
        while waiting:
            digest = waiting.pop()
            if digest not in found:
                found.add(digest)
                waiting += [ref.digest for ref in children(self.bodies[digest])]
        return found

    def collect(self, *slots: Slot) -> None:
        """Forget every node that none of these slots needs."""
        live = self.reachable(slots)
        self.bodies = {digest: body for digest, body in self.bodies.items() if digest in live}


def answered(work: Reads[T], bodies: Mapping[bytes, bytes], shelf: Shelf | None = None) -> T:
    """Do a reading work to its end out of `bodies`."""
    sent: Mapping[bytes, bytes] | None = None
    while True:
        try:
            refs: Sequence[Ref] | None = next(work) if sent is None else work.send(sent)
        except StopIteration as end:
            result: T = end.value
            return result
        if shelf is not None and refs:
            shelf.asked += len(refs)
        missing = [ref for ref in refs or () if ref.digest not in bodies]
        if missing:
            raise Gone(missing)
        sent = {ref.digest: bodies[ref.digest] for ref in refs or ()}


def _nowhere(digest: bytes, body: bytes) -> None:
    assert digest
    assert body
