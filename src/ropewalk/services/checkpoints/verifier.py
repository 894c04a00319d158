"""`Verifier`: read everything that states consist of, and name what is damaged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ...domain.errors import Corrupt, Invalid
from ...domain.query import OLDEST_FIRST, Query
from ...domain.record import Key
from ...domain.verified import Damage, Verified
from ...stores.trees import DICTIONARY, NODE, SECRET, TREES
from ...trees.audit import Auditor
from ...trees.form import DIGEST_BYTES
from ...trees.root import read_root
from .forest import Forest
from .pending import header_of
from .planter import no_state, root_mac
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.checkpoint import CheckpointHeader
    from ...domain.record import Record
    from ...trees.form import Ref
    from ...trees.read import Reads
    from ...trees.root import Root
    from ..desk import Desk
    from .grove import Grove

T = TypeVar("T")

_AT_ONCE: Final = 256
_MOST: Final = 10_000
"""So many damages are kept; the rest is counted."""

_DIGEST_HEX: Final = 2 * DIGEST_BYTES

_BROKEN: Final = (Corrupt, Invalid)
"""What opening a record raises: a seal with another letter may name a codec that is not there."""


class Verifier:
    """Checks one store once; remembers the name of each sound node, 12 bytes.

    Reads past every cache. What is damaged keeps nothing else from being looked at, and what
    others remove meanwhile is no damage.
    """

    def __init__(
        self, desk: Desk, grove: Grove, *, progress: Callable[[Verified], None] | None
    ) -> None:
        """Check the space of `desk`, telling `progress` after each state."""
        self._desk = desk
        self._store = grove.store
        self._writes = grove.writes
        self._forest = Forest(desk)
        self._progress = progress
        self._auditors: dict[tuple[str, str], Auditor] = {}
        self._reasons: dict[bytes, str] = {}
        self._counts = dict.fromkeys(("checkpoints", "writes", "orphans", "dictionaries"), 0)
        self._damages: list[Damage] = []
        self._seen: set[tuple[Key | str, str | None, str]] = set()
        self._damaged = 0

    async def verify(self, thread_id: str | None) -> Verified:
        """Check a thread's own states and pending writes, or everything."""
        if not await self._secret():
            return self._verified()
        async for record in self._records(DICTIONARY, None):
            await self._dictionary(record)
        async for record in self._records("checkpoint", thread_id):
            await self._checkpoint(record)
        async for record in self._records("write", thread_id):
            await self._write(record)
        if thread_id is None:
            await self._orphans()
            await self._beneath()
        return self._verified()

    async def _beneath(self) -> None:
        """Ask the store what it finds damaged itself, such as an index that hides a record."""
        health = await self._desk.backend.ping(thorough=True)
        for damage in health.damages:
            self._note(None, damage)

    def _verified(self) -> Verified:
        return Verified(
            nodes=sum(auditor.sound for auditor in self._auditors.values()),
            damaged=self._damaged,
            damages=tuple(self._damages),
            **self._counts,
        )

    def _note(
        self,
        key: Key | None,
        reason: str,
        header: CheckpointHeader | None = None,
        *,
        path: str = "",
        thread_id: str | None = None,
        checkpoint_id: str | None = None,
    ) -> None:
        """Take in a damage, once for each state and place."""
        if header is not None:
            thread_id, checkpoint_id = header.thread_id, header.id
        # Where it is not known which record it is, each finding is one for itself.
        what = reason if key is None else key
        if (what, checkpoint_id, path) in self._seen:
            return
        self._seen.add((what, checkpoint_id, path))
        self._damaged += 1
        if len(self._damages) < _MOST:
            self._damages.append(
                Damage(
                    key=key,
                    reason=reason,
                    thread_id=thread_id,
                    checkpoint_id=checkpoint_id,
                    path=path,
                )
            )

    async def _secret(self) -> bool:
        """Check the secret, without which no state can be read and nothing else be checked."""
        key = Key(self._desk.space, SECRET, TREES)
        try:
            [record] = await self._desk.backend.get([key])
            if record is not None:
                self._desk.sealer.unpack(record)
                return True
        except _BROKEN as error:
            self._note(key, f"no state can be read without it: {error.message}")
            return False
        # Nothing was ever written here, or the secret is lost.
        async for found in self._records("checkpoint", None):
            self._note(key, f"it is missing, and {found.key} needs it")
            break
        return False

    async def _dictionary(self, record: Record) -> None:
        self._counts["dictionaries"] += 1
        try:
            self._forest.read_dictionary(record)
        except _BROKEN as error:
            self._note(record.key, error.message)

    async def _checkpoint(self, record: Record) -> None:
        self._counts["checkpoints"] += 1
        try:
            header = await self._store.open(record)
        except _BROKEN as error:
            self._note(
                record.key,
                error.message,
                thread_id=record.thread_id,
                checkpoint_id=record.key.id,
            )
            return
        await self._state(record.key, header, header)

    async def _write(self, record: Record) -> None:
        self._counts["writes"] += 1
        try:
            stored = await self._writes.open(record)
        except _BROKEN as error:
            self._note(
                record.key,
                error.message,
                thread_id=record.thread_id,
                checkpoint_id=record.key.id.rsplit("/", 2)[0],
                path=f"write {record.key.id}",
            )
            return
        header = header_of(stored)
        told = replace(header, id=stored.checkpoint_id)
        await self._state(record.key, header, told, place=f"write {stored.channel}")

    async def _state(
        self, key: Key, header: CheckpointHeader, told: CheckpointHeader, *, place: str = ""
    ) -> None:
        """Check a root and everything beneath it; `told` is whose damage it is."""
        try:
            if header.trunk is None:
                raise no_state(header)
            root = read_root(header.trunk.root)
            family = header.trunk.family
            keys = await self._forest.keys(family)
            if root_mac(keys, header, header.trunk.root) != header.trunk.mac:
                message = "the root belongs to another checkpoint, or to other data of this one"
                raise Corrupt(message, code="bad_root", key=key)
            auditor = await self._auditor(family, root)
            found = await self._drive(family, auditor.audit(root))
        except _BROKEN as error:
            if not await self._is_gone(key):
                self._note(key, error.message, told, path=place)
            return
        if found and await self._is_gone(key):
            # It was removed while it was looked at, and its nodes were collected.
            found = []
        for damage in found:
            reason = self._reasons.get(damage.digest, damage.reason)
            node = self._forest.key(family, damage.digest)
            path = ": ".join(part for part in (place, damage.path) if part)
            self._note(node, reason, told, path=path)
        if self._progress is not None:
            self._progress(self._verified())

    async def _is_gone(self, key: Key) -> bool:
        """Tell whether a record was removed since it was read."""
        try:
            [record] = await self._desk.backend.get([key], bodies=False)
        except _BROKEN:
            return False
        return record is None

    async def _auditor(self, family: str, root: Root) -> Auditor:
        found = self._auditors.get((family, root.values))
        if found is None:
            sealer = self._desk.sealer
            values = sealer.foreign(root.values) if root.values else sealer.values
            found = Auditor(await self._forest.keys(family), values)
            self._auditors[family, root.values] = found
        return found

    async def _drive(self, family: str, work: Reads[T]) -> T:
        """Answer a work with the bodies of nodes that are there and can be opened."""
        try:
            asked = next(work)
            while True:
                asked = work.send(await self._bodies(family, asked or ()))
        except StopIteration as end:
            return cast("T", end.value)

    async def _bodies(self, family: str, refs: Sequence[Ref]) -> Mapping[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        turns = Turns()
        for start in range(0, len(refs), _AT_ONCE):
            part = {
                self._forest.key(family, ref.digest): ref.digest for ref in refs[start:][:_AT_ONCE]
            }
            async for key, record in self._gotten(list(part)):
                body = await self._opened(part[key], record)
                if body is not None:
                    found[part[key]] = body
                await turns.rest()
        return found

    async def _opened(
        self, digest: bytes, record: Record | Corrupt | Invalid | None
    ) -> bytes | None:
        """Return the body of a node, or note why there is none."""
        if record is None:
            self._reasons[digest] = "it is missing"
        elif isinstance(record, _BROKEN):
            self._reasons[digest] = record.message
        else:
            try:
                return await self._forest.open(record)
            except _BROKEN as error:
                self._reasons[digest] = error.message
        return None

    async def _gotten(
        self, keys: Sequence[Key]
    ) -> AsyncIterator[tuple[Key, Record | Corrupt | Invalid | None]]:
        """Go through records by their keys, with the error in the place of each damaged one."""
        try:
            found = await self._desk.backend.get(keys)
        except _BROKEN as error:
            if len(keys) == 1:
                yield keys[0], error
                return
            for key in keys:
                async for one in self._gotten([key]):
                    yield one
            return
        for key, record in zip(keys, found, strict=True):
            yield key, record

    async def _orphans(self) -> None:
        """Check the nodes that no state needs, or that stand above damage."""
        async for record in self._records(NODE, None):
            family, digits = record.key.id[: -_DIGEST_HEX - 1], record.key.id[-_DIGEST_HEX:]
            try:
                digest = bytes.fromhex(digits)
            except ValueError:
                self._note(record.key, "no node has such a name")
                continue
            auditors = [a for (of, _), a in self._auditors.items() if of == family]
            if any(auditor.is_sound(digest) for auditor in auditors):
                continue
            self._counts["orphans"] += 1
            try:
                body = await self._forest.open(record)
                if (await self._forest.keys(family)).digest(body) != digest:
                    message = "its content is not what its name says"
                    raise Corrupt(message, code="bad_node", key=record.key)
            except _BROKEN as error:
                self._note(record.key, error.message)

    async def _records(self, kind: str, thread_id: str | None) -> AsyncIterator[Record]:
        """Go through the records of a kind, oldest first.

        A damaged row ends every scan that meets it: what stands behind it is found by the feed,
        which tells each key that was ever written.
        """
        query = Query(
            space=self._desk.space, kinds=(kind,), thread_id=thread_id, order=OLDEST_FIRST
        )
        last: tuple[int, str] | None = None
        turns = Turns()
        rows = cast("AsyncGenerator[Record, None]", self._desk.backend.scan(query))
        try:
            async with aclosing(rows):
                async for record in rows:
                    await turns.rest()
                    last = record.created_at, record.key.id
                    yield record
        except _BROKEN as error:
            broken = error
        else:
            return
        told = self._damaged
        async for key, found in self._told(kind):
            if found is None:
                continue
            if isinstance(found, _BROKEN):
                await self._lost(key, found)
                continue
            is_new = last is None or last < (found.created_at, found.key.id)
            if is_new and thread_id in (None, found.thread_id):
                yield found
        if told == self._damaged:
            self._note(None, f"records of kind {kind} cannot be listed: {broken.message}")

    async def _lost(self, key: Key, error: Corrupt | Invalid) -> None:
        """Take in a record that cannot even be read."""
        if key.kind == "checkpoint":
            self._note(key, error.message, checkpoint_id=key.id)
        elif key.kind == "write":
            self._note(key, error.message, checkpoint_id=key.id.rsplit("/", 2)[0])
        elif key.kind != NODE or not self._is_named(key):
            self._note(key, error.message)

    def _is_named(self, key: Key) -> bool:
        """Tell whether a damaged node was named for the states that need it."""
        return any(damage.key == key for damage in self._damages)

    async def _told(
        self, kind: str
    ) -> AsyncIterator[tuple[Key, Record | Corrupt | Invalid | None]]:
        keys: dict[Key, None] = {}
        try:
            async for commit in self._desk.backend.feed():
                for change in commit.changes:
                    if change.key.kind == kind and change.key.space == self._desk.space:
                        keys[change.key] = None
        except _BROKEN as error:
            self._note(None, f"the feed is damaged: {error.message}")
        listed = list(keys)
        for start in range(0, len(listed), _AT_ONCE):
            async for found in self._gotten(listed[start : start + _AT_ONCE]):
                yield found
