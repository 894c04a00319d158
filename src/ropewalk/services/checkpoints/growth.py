"""`Growth`: one state on its way into the store: its nodes, stamped, in batches of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...domain.change import Applied, Change, Ensure, Put
from ...domain.errors import Conflict
from ...trees.form import CHUNK, VALUE, is_of_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...domain.ports import Dictionary, Sealed
    from ...domain.record import Key
    from ..desk import Desk
    from .forest import Forest

_BATCH_BYTES: Final = 1024 * 1024
_BATCH_NODES: Final = 256


class Growth:
    """Gather the new nodes of a state of one family, and write them together with what needs them.

    Nodes of a big state are written ahead, in batches; all carry the generation that the family
    had, and every batch expects it to be so still. If a collection began meanwhile, all are
    stamped anew: so no node that this state needs can be taken for garbage.
    """

    def __init__(
        self, desk: Desk, forest: Forest, family: str, *, dictionary: Dictionary | None
    ) -> None:
        """Begin without nodes."""
        self._desk = desk
        self._forest = forest
        self._family = family
        self._dictionary = dictionary
        self._nodes: list[tuple[Key, Sealed]] = []
        self._kept: set[bytes] = set()
        self._ahead = 0
        self._waiting = 0
        self._generation = forest.generation_at_hand(family)
        self._told = 0
        self.is_heavy = False
        """Whether it is time to write ahead."""
        self.size = 0
        self.samples: list[bytes] = []

    def keep(self, digest: bytes, body: bytes) -> None:
        """Take a new node; one that several values have in common is taken once."""
        if digest in self._kept:
            return
        self._kept.add(digest)
        key = self._forest.key(self._family, digest)
        kind = body[:1]
        if kind != VALUE and (kind == CHUNK or is_of_names(body)):
            sealed = self._desk.sealer.pack(body, key)
        else:
            sealed = self._desk.sealer.pack(body, key, dictionary=self._dictionary)
            self.samples.append(body)
        self._nodes.append((key, sealed))
        size = len(sealed.body)
        self.size += size
        self._waiting += size
        if self._waiting > _BATCH_BYTES or len(self._nodes) - self._ahead > _BATCH_NODES:
            self.is_heavy = True

    def own_size(self) -> int:
        """Return the bytes of the nodes since this was asked last."""
        own, self._told = self.size - self._told, self.size
        return own

    async def ahead(self) -> None:
        """Write what has gathered, before the state is complete."""
        try:
            await self._desk.commit(await self._stamped(self._nodes[self._ahead :]))
        except Conflict as error:
            self._check(error)
            await self._again(self._nodes)
        self._generation = self._generation or 1
        self._ahead = len(self._nodes)
        self._waiting = 0
        self.is_heavy = False
        self.samples.clear()

    async def _again(self, nodes: Sequence[tuple[Key, Sealed]]) -> None:
        """Stamp nodes with the present generation, in batches, until it stays the same."""
        at = 0
        while at < len(nodes):
            size, end = 0, at
            while end < len(nodes) and size <= _BATCH_BYTES and end - at <= _BATCH_NODES:
                size += len(nodes[end][1].body)
                end += 1
            try:
                await self._desk.commit(await self._stamped(nodes[at:end]))
            except Conflict as error:
                self._check(error)
                at = 0
            else:
                at = end

    def _check(self, error: Conflict) -> None:
        """Raise the conflict unless it is about the generation, which is asked for anew then."""
        if error.facts.get("key") != self._forest.family_key(self._family):
            raise error
        self._generation = None
        self._forest.note_generation(self._family, None)

    async def _stamped(self, nodes: Sequence[tuple[Key, Sealed]]) -> list[Change]:
        generation = self._generation
        if generation is None:
            generation = self._generation = await self._forest.generation(self._family)
        changes: list[Change] = []
        if generation == 0:
            changes.append(Put(key=self._forest.family_key(self._family), expect=0))
        else:
            changes.append(self._forest.standing_at(self._family, generation))
        stamp = generation or 1
        for key, (body, seal) in nodes:
            changes.append(Ensure(key=key, stamp=stamp, body=body, seal=seal))
        return changes

    async def release(self) -> list[Change]:
        """Return the changes that write the last nodes, for a batch of somebody else."""
        return await self._stamped(self._nodes[self._ahead :])

    async def finish(self, changes: Sequence[Change]) -> Applied:
        """Write the last nodes together with `changes`, which come last in the answer.

        Raises `Conflict` where one of `changes` expects what is not so.
        """
        while True:
            batch = [*await self._stamped(self._nodes[self._ahead :]), *changes]
            try:
                applied = await self._desk.commit(batch)
            except Conflict as error:
                self._check(error)
                # What was written ahead has an old stamp now.
                await self._again(self._nodes[: self._ahead])
                continue
            self._forest.note_generation(self._family, self._generation or 1)
            return applied
