"""`Verifier`: read everything that states consist of, and name what is damaged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ...domain.errors import Corrupt, Invalid
from ...domain.health import State
from ...domain.query import OLDEST_FIRST, Query
from ...domain.record import Key
from ...stores.trees import DICTIONARY, NODE, SECRET, TREES
from ...trees.audit import Auditor
from ...trees.form import DIGEST_BYTES
from ...trees.root import read_root
from ...turns import Turns
from .findings import Findings, checkpoint_of
from .forest import Forest
from .pending import header_of
from .planter import no_state, root_mac

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.checkpoint import CheckpointHeader
    from ...domain.record import Record
    from ...domain.verified import Verified
    from ...trees.form import Ref
    from ...trees.read import Reads
    from ...trees.root import Root
    from ..desk import Desk
    from .grove import Grove

T = TypeVar("T")

_AT_ONCE: Final = 256
_DIGEST_HEX: Final = 2 * DIGEST_BYTES

_OF_STATES: Final = frozenset({"checkpoint", "write", NODE, DICTIONARY, SECRET})

_PACKED: Final = "raw"
"""How a seal begins whose body is bytes and no object."""

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
        self._findings = Findings()

    async def verify(self, thread_id: str | None) -> Verified:
        """Check a thread's own states and pending writes, or everything."""
        async for record in self._records(DICTIONARY, None):
            await self._dictionary(record)
        if await self._secret():
            await self._states(thread_id)
        if thread_id is None:
            await self._others()
            await self._beneath()
        return self._verified()

    async def _states(self, thread_id: str | None) -> None:
        async for record in self._records("checkpoint", thread_id):
            await self._checkpoint(record)
        async for record in self._records("write", thread_id):
            await self._write(record)
        if thread_id is None:
            await self._orphans()

    async def _beneath(self) -> None:
        """Ask the store what it finds damaged itself, such as an index that hides a record."""
        health = await self._desk.backend.ping(thorough=True)
        told = health.damages
        if health.state is State.DOWN:
            # It could not even look.
            told = (*told, *health.reasons)
        for damage in told:
            self._findings.note(None, damage)
        for found in health.records:
            if found.key is not None and not self._findings.is_named(found.key):
                self._findings.note(
                    found.key,
                    found.reason,
                    thread_id=found.thread_id,
                    checkpoint_id=checkpoint_of(found.key),
                )

    async def _others(self) -> None:
        """Open the body of every record that no state consists of."""
        query = Query(space=self._desk.space, bodies=False)
        try:
            counted = await self._desk.backend.tally(query, group_by=("kind",))
        except _BROKEN as error:
            self._findings.note(None, f"kinds of records cannot be listed: {error.message}")
            return
        for kind in sorted({str(tally.group[0]) for tally in counted} - _OF_STATES):
            if not kind:
                # No query can ask for it, and nobody can have written it.
                self._findings.note(None, "there are records whose kind has no name")
                continue
            async for record in self._records(kind, None):
                self._findings.counts["others"] += 1
                await self._other(record)

    async def _other(self, record: Record) -> None:
        if not record.seal:
            # Bytes as they are: what they should be, the store alone knows.
            return
        try:
            if record.seal.startswith(_PACKED):
                await self._forest.open(record)
            else:
                await self._desk.sealer.unseal(record)
        except Corrupt as error:
            self._findings.note(record.key, error.message, thread_id=record.thread_id)
        except Invalid:
            # It is whole, and made of something that this program has not: whose seal is damaged is
            # told by the store itself.
            return

    def _verified(self) -> Verified:
        return self._findings.verified(sum(a.sound for a in self._auditors.values()))

    async def _secret(self) -> bool:
        """Check the secret, without which no state can be read and nothing else be checked."""
        key = Key(self._desk.space, SECRET, TREES)
        try:
            [record] = await self._desk.backend.get([key])
            if record is not None:
                self._desk.sealer.unpack(record)
                return True
        except _BROKEN as error:
            self._findings.note(key, f"no state can be read without it: {error.message}")
            return False
        # Nothing was ever written here, or the secret is lost.
        async for found in self._records("checkpoint", None):
            self._findings.note(key, f"it is missing, and {found.key} needs it")
            break
        return False

    async def _dictionary(self, record: Record) -> None:
        self._findings.counts["dictionaries"] += 1
        try:
            self._forest.read_dictionary(record)
        except _BROKEN as error:
            self._findings.note(record.key, error.message)

    async def _checkpoint(self, record: Record) -> None:
        self._findings.counts["checkpoints"] += 1
        try:
            header = await self._store.open(record)
        except _BROKEN as error:
            self._findings.note(
                record.key,
                error.message,
                thread_id=record.thread_id,
                checkpoint_id=record.key.id,
            )
            return
        await self._state(record.key, header, header)

    async def _write(self, record: Record) -> None:
        self._findings.counts["writes"] += 1
        try:
            stored = await self._writes.open(record)
        except _BROKEN as error:
            self._findings.note(
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
            keys = await self._forest.reading_keys(family)
            if root_mac(keys, header, header.trunk.root) != header.trunk.mac:
                message = "the root belongs to another checkpoint, or to other data of this one"
                raise Corrupt(message, code="bad_root", key=key)
            auditor = await self._auditor(family, root)
            found = await self._drive(family, auditor.audit(root))
        except _BROKEN as error:
            if not await self._is_gone(key):
                self._findings.note(key, error.message, told, path=place)
            return
        if found and await self._is_gone(key):
            # It was removed while it was looked at, and its nodes were collected.
            found = []
        for damage in found:
            reason = self._reasons.get(damage.digest, damage.reason)
            node = self._forest.key(family, damage.digest)
            path = ": ".join(part for part in (place, damage.path) if part)
            self._findings.note(node, reason, told, path=path)
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
            found = Auditor(await self._forest.reading_keys(family), values)
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
                self._findings.note(record.key, "no node has such a name")
                continue
            auditors = [a for (of, _), a in self._auditors.items() if of == family]
            if any(auditor.is_sound(digest) for auditor in auditors):
                continue
            self._findings.counts["orphans"] += 1
            try:
                body = await self._forest.open(record)
                if (await self._forest.reading_keys(family)).digest(body) != digest:
                    message = "its content is not what its name says"
                    raise Corrupt(message, code="bad_node", key=record.key)
            except _BROKEN as error:
                self._findings.note(record.key, error.message)

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
        told = self._findings.damaged
        async for key, found in self._told(kind):
            if found is None:
                continue
            if isinstance(found, _BROKEN):
                await self._lost(key, found)
                continue
            is_new = last is None or last < (found.created_at, found.key.id)
            if is_new and thread_id in (None, found.thread_id):
                yield found
        if told == self._findings.damaged:
            self._findings.note(None, f"records of kind {kind} cannot be listed: {broken.message}")

    async def _lost(self, key: Key, error: Corrupt | Invalid) -> None:
        """Take in a record that cannot even be read."""
        if key.kind != NODE or not self._findings.is_named(key):
            self._findings.note(key, error.message, checkpoint_id=checkpoint_of(key))

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
            self._findings.note(None, f"the feed is damaged: {error.message}")
        listed = list(keys)
        for start in range(0, len(listed), _AT_ONCE):
            async for found in self._gotten(listed[start : start + _AT_ONCE]):
                yield found
