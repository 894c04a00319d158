"""`Census`: count the bytes of states, those that are shared and those that are not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...domain.census import ThreadSpace, TreeSpace
from ...domain.query import Query
from ...stores.base import Find
from ...stores.trees import DICTIONARY, NODE
from ...trees.form import DIGEST_BYTES, children, refs_in
from ...trees.root import read_root
from ...turns import Turns

if TYPE_CHECKING:
    from ...domain.checkpoint import Trunk
    from ...domain.record import Record
    from ..desk import Desk
    from .grove import Grove

_DIGEST_HEX: Final = 2 * DIGEST_BYTES
_SHARED: Final = ""
"""Stands for more than one thread: no thread has this id."""


class Census:
    """Reads every node once; remembers name, size and children of each."""

    def __init__(self, desk: Desk, grove: Grove) -> None:
        """Count in the space of `desk`."""
        self._desk = desk
        self._grove = grove
        self._sizes: dict[bytes, int] = {}
        self._below: dict[bytes, tuple[bytes, ...]] = {}
        self._weights: dict[bytes, int] = {}
        self._owners: dict[bytes, str] = {}
        self._reached: defaultdict[str, int] = defaultdict(int)
        self._seen: set[bytes] = set()

    async def take(self, thread_id: str | None) -> TreeSpace:
        """Count all threads, and return what there is, or one thread's part of it."""
        await self._nodes()
        spaces = [await self._thread(each) for each in await self._threads()]
        own: defaultdict[str, int] = defaultdict(int)
        for digest, owner in self._owners.items():
            own[owner] += self._sizes.get(digest, 0)
        spaces = [
            replace(
                space,
                node_bytes=own[space.thread_id],
                shared_bytes=self._reached[space.thread_id] - own[space.thread_id],
            )
            for space in spaces
        ]
        if thread_id is not None:
            return _of_one(next((s for s in spaces if s.thread_id == thread_id), None), thread_id)
        needed = [size for digest, size in self._sizes.items() if digest in self._owners]
        dictionaries = [len(r.body or b"") async for r in self._all(DICTIONARY)]
        return TreeSpace(
            threads=tuple(sorted(spaces, key=lambda space: (-space.own_bytes, space.thread_id))),
            nodes=len(needed),
            node_bytes=sum(needed),
            garbage=len(self._sizes) - len(needed),
            garbage_bytes=sum(self._sizes.values()) - sum(needed),
            dictionaries=len(dictionaries),
            dictionary_bytes=sum(dictionaries),
        )

    async def _all(self, kind: str) -> AsyncIterator[Record]:
        async for record in self._desk.backend.scan(Query(space=self._desk.space, kinds=(kind,))):
            yield record

    async def _nodes(self) -> None:
        turns = Turns()
        async for record in self._all(NODE):
            digest = bytes.fromhex(record.key.id[-_DIGEST_HEX:])
            self._sizes[digest] = len(record.body or b"")
            below = children(await self._grove.forest.open(record))
            if below:
                self._below[digest] = tuple(ref.digest for ref in below)
            await turns.rest()

    async def _threads(self) -> list[str]:
        query = Query(
            space=self._desk.space,
            kinds=(*self._grove.store.kinds, *self._grove.writes.kinds),
            bodies=False,
        )
        rows = await self._desk.backend.tally(query, (), ("thread_id",))
        return [str(row.group[0]) for row in rows if row.group[0] is not None]

    async def _thread(self, thread_id: str) -> ThreadSpace:
        headers = writes = header_bytes = write_bytes = whole = 0
        self._seen = set()
        find = Find(thread_id=thread_id)
        turns = Turns()
        async for record in self._grove.store.records(find):
            header = await self._grove.store.open(record)
            headers += 1
            header_bytes += len(record.body or b"")
            whole += len(record.body or b"") + self._tree(header.trunk, thread_id)
            await turns.rest()
        async for record in self._grove.writes.records(find):
            stored = await self._grove.writes.open(record)
            writes += 1
            write_bytes += len(record.body or b"")
            whole += len(record.body or b"") + self._tree(stored.trunk, thread_id)
        return ThreadSpace(
            thread_id=thread_id,
            checkpoints=headers,
            writes=writes,
            header_bytes=header_bytes,
            write_bytes=write_bytes,
            whole_bytes=whole,
        )

    def _tree(self, trunk: Trunk | None, thread_id: str) -> int:
        """Count the tree of one state; return what it would take by itself."""
        if trunk is None:
            return 0
        tops = [ref.digest for ref in refs_in(list(read_root(trunk.root).slots.values()))]
        self._reach(tops, thread_id)
        return sum(self._weight(digest) for digest in tops)

    def _reach(self, tops: Iterable[bytes], thread_id: str) -> None:
        """Note that a thread needs these nodes, and all beneath them."""
        waiting = list(tops)
        while waiting:
            digest = waiting.pop()
            if digest in self._seen:
                continue
            self._seen.add(digest)
            self._reached[thread_id] += self._sizes.get(digest, 0)
            owner = self._owners.setdefault(digest, thread_id)
            if owner != thread_id:
                self._owners[digest] = _SHARED
            waiting += self._below.get(digest, ())

    def _weight(self, top: bytes) -> int:
        """Return the bytes of a node with everything beneath it, as often as it stands there."""
        waiting = [top]
        while waiting:
            digest = waiting[-1]
            below = self._below.get(digest, ())
            missing = [child for child in below if child not in self._weights]
            if missing and digest not in self._weights:
                waiting += missing
                continue
            waiting.pop()
            weight = self._sizes.get(digest, 0) + sum(self._weights[child] for child in below)
            self._weights[digest] = weight
        return self._weights[top]


def _of_one(space: ThreadSpace | None, thread_id: str) -> TreeSpace:
    own = space or ThreadSpace(thread_id=thread_id)
    return TreeSpace(threads=(own,), node_bytes=own.node_bytes + own.shared_bytes)
