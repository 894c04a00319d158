"""`Forest`: the nodes of a space's trees over the five verbs, with their keys and dictionaries."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar, cast

from ...domain.change import Check, Put
from ...domain.errors import Conflict, Corrupt, Invalid
from ...domain.leaning import OF
from ...domain.lease import LEASE_LOST
from ...domain.packed import unpack_all
from ...domain.paging import portion_of
from ...domain.ports import Dictionary
from ...domain.query import NEWEST_FIRST, Condition, Query
from ...domain.record import Key
from ...door import DOOR
from ...stores.trees import DICTIONARY, FAMILY, HEAD, NODE, SECRET, TREES
from ...trees.keys import SECRET_BYTES, TreeKeys
from ...turns import SLICE
from .cache import Cache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...domain.ports import Values
    from ...domain.record import Record
    from ...trees.form import Ref
    from ...trees.read import Joined, Reads
    from ..desk import Desk

T = TypeVar("T")

CACHE_BYTES: Final = 32 * 1024 * 1024
_TRIAL: Final = 200
"""Bytes that are packed to see whether a dictionary is what its name says."""
_AT_ONCE: Final = 1_024
_TOGETHER: Final = 32
"""So many nodes are opened in one go; hardly one has more than 64 kB, and most have one or two."""

OF_STATES: Final = Condition(f"labels.{OF}", "eq", None)
"""Which dictionaries are for nodes: the others say what they are for."""

_LONGEST_FAMILY: Final = 200
"""In characters; beyond, the name of a node may be longer than an id is allowed to be."""


class Forest:
    """Read and name nodes in one space; every state of a family of forked threads shares them.

    May be used from several threads and event loops at once.
    """

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._cache = Cache(CACHE_BYTES)
        self._secret: bytes | None = None
        self._keys: OrderedDict[str, TreeKeys] = OrderedDict()
        self._dictionaries: dict[str, Dictionary] = {}
        self._current: Dictionary | None = None
        self._looked = False
        self._generations: OrderedDict[str, int] = OrderedDict()
        self._checks: OrderedDict[str, Check] = OrderedDict()

    def key(self, family: str, digest: bytes) -> Key:
        """Name the record of a node."""
        if len(family) > _LONGEST_FAMILY:
            return Key(self._desk.space, NODE, f"{family}.{digest.hex()}")
        return Key.trusted(self._desk.space, NODE, f"{family}.{digest.hex()}")

    def family_key(self, family: str) -> Key:
        """Name the record whose version is the generation of a family's nodes."""
        return Key(self._desk.space, FAMILY, family)

    def head_key(self, thread_id: str) -> Key:
        """Name the record whose version rises with whatever may change a thread's newest."""
        return Key(self._desk.space, HEAD, thread_id)

    def keys_at_hand(self, family: str) -> TreeKeys | None:
        """Return the keys of a family, unless what it is written with has to be read first."""
        return self.reading_keys_at_hand(family) if self._looked else None

    def reading_keys_at_hand(self, family: str) -> TreeKeys | None:
        """Return the keys of a family, unless the secret has to be read first."""
        if self._secret is None:
            return None
        found = self._keys.get(family)
        if found is None:
            found = TreeKeys(self._secret, family)
            self._keys[family] = found
            if len(self._keys) > _AT_ONCE:
                self._keys.popitem(last=False)
        return found

    async def keys(self, family: str) -> TreeKeys:
        """Return the keys of a family for whoever writes, who will need the dictionary too."""
        await self.dictionary()
        return await self.reading_keys(family)

    async def reading_keys(self, family: str) -> TreeKeys:
        """Return the keys of a family; the first to ask makes the secret of the space."""
        if self._secret is None:
            self._secret = await self._read_secret()
        found = self.reading_keys_at_hand(family)
        if found is None:
            message = "the secret of the trees is gone"
            raise Corrupt(message, code="no_secret")
        return found

    async def _read_secret(self) -> bytes:
        key = Key(self._desk.space, SECRET, TREES)
        [record] = await self._desk.backend.get([key])
        if record is None:
            secret = secrets.token_bytes(SECRET_BYTES)
            sealed = self._desk.sealer.pack(secret, key)
            # A secret that is made anew, after a space was deleted, never has the old version.
            version = self._desk.clock.now()
            put = Put(key=key, body=sealed.body, seal=sealed.seal, expect=0, version=version)
            try:
                await self._desk.commit([put])
            except Conflict as error:
                if error.code == LEASE_LOST:
                    raise
                return await self._read_secret()
            return secret
        return self._desk.sealer.unpack(record)

    def forget(self) -> None:
        """Forget what was read of the space: somebody took it back to what it was before."""
        self._cache = Cache(CACHE_BYTES)
        self._secret = None
        self._current, self._looked = None, False
        for known in (self._keys, self._dictionaries, self._generations):
            known.clear()

    async def dictionary(self) -> Dictionary | None:
        """Return the dictionary that nodes are written with now, `None` where there is none."""
        if not self._looked:
            newest = Query(
                space=self._desk.space,
                kinds=(DICTIONARY,),
                where=(OF_STATES,),
                order=NEWEST_FIRST,
                limit=1,
            )
            for record in (await portion_of(self._desk.backend, newest)).records:
                self._current = self._known(record)
            self._looked = True
        return self._current

    def dictionary_at_hand(self) -> Dictionary | None:
        """Return the dictionary that is known to be current, without a look into the store."""
        return self._current

    async def adopt(self, dictionary: Dictionary) -> None:
        """Keep a new dictionary, and write with it from now on."""
        key = Key(self._desk.space, DICTIONARY, dictionary.name)
        sealed = self._desk.sealer.pack(dictionary.content, key)
        await self._desk.commit([Put(key=key, body=sealed.body, seal=sealed.seal)])
        self._dictionaries[dictionary.name] = dictionary
        self._current, self._looked = dictionary, True

    def read_dictionary(self, record: Record) -> Dictionary:
        """Take a dictionary in; raise `Corrupt` where it is not what its name says."""
        dictionary = self._known(record)
        # Writing with it is what compares its content with its name.
        self._desk.sealer.pack(bytes(_TRIAL), record.key, dictionary=dictionary)
        return dictionary

    def _known(self, record: Record) -> Dictionary:
        content = self._desk.sealer.unpack(record)
        dictionary = Dictionary(record.key.id, content)
        self._dictionaries[dictionary.name] = dictionary
        return dictionary

    async def open(self, record: Record) -> bytes:
        """Return the body of a node's record; raise `Corrupt` where it is damaged."""
        [body] = await self._opened((record,))
        return body

    async def _opened(self, records: Sequence[Record]) -> list[bytes]:
        """Return the bodies of some nodes, reading the dictionaries that are not at hand."""
        while True:
            try:
                return unpack_all(self._desk.sealer, records, dictionaries=self._dictionaries)
            except Invalid as error:
                name = str(error.facts.get("dictionary"))
                if error.code != "unknown_dictionary" or name in self._dictionaries:
                    raise
                wanted = error.facts["key"]
            key = Key(self._desk.space, DICTIONARY, name)
            [found] = await self._desk.backend.get((key,))
            if found is None:
                message = f"{wanted} needs the dictionary {name}, which is gone: restore a backup"
                raise Corrupt(message, code="missing_dictionary", key=wanted, dictionary=name)
            self._known(found)

    async def fetch(self, family: str, refs: Sequence[Ref]) -> Mapping[bytes, bytes]:
        """Return the bodies of nodes by name; raise `Corrupt` where one is missing or damaged."""
        found = self._cache.bodies.take(family, [ref.digest for ref in refs])
        if len(found) == len(refs):
            return found
        missing = [ref.digest for ref in refs if ref.digest not in found]
        began = perf_counter()
        for start in range(0, len(missing), _AT_ONCE):
            digests = missing[start : start + _AT_ONCE]
            records = await self._desk.backend.get(self._keys_of(family, digests))
            there = [record for record in records if record is not None]
            if len(there) < len(records):
                raise _missing(self.key(family, digests[records.index(None)]))
            for at in range(0, len(there), _TOGETHER):
                some = there[at : at + _TOGETHER]
                bodies = await self._opened(some)
                found.update(zip(digests[at : at + _TOGETHER], bodies, strict=True))
                if perf_counter() - began > SLICE:
                    await DOOR.enter()
                    began = perf_counter()
        self._cache.bodies.put(family, {digest: found[digest] for digest in missing})
        return found

    def _keys_of(self, family: str, digests: Sequence[bytes]) -> list[Key]:
        # The first one is looked at: the others are as long.
        first = self.key(family, digests[0])
        if len(digests) == 1:
            return [first]
        ids = [f"{family}.{digest.hex()}" for digest in digests]
        return Key.all_trusted(first.space, NODE, ids)

    def joined(self, family: str, values: Values) -> Joined:
        """Return what is remembered of a family's leaves, for whoever reads with `values`."""
        return self._cache.joined(family, values)

    async def read(self, family: str, work: Reads[T]) -> T:
        """Do a reading work to its end, giving it what it asks for."""
        began = perf_counter()
        try:
            asked = next(work)
            while True:
                bodies: Mapping[bytes, bytes] = {}
                if asked:
                    bodies = await self.fetch(family, asked)
                if perf_counter() - began > SLICE:
                    await DOOR.enter()
                    began = perf_counter()
                asked = work.send(bodies)
        except StopIteration as end:
            return cast("T", end.value)

    def generation_at_hand(self, family: str) -> int | None:
        """Return the generation that a family's nodes had lately, if that is known."""
        return self._generations.get(family)

    def note_generation(self, family: str, generation: int | None) -> None:
        """Remember the generation of a family's nodes, or that it has to be asked for."""
        if generation is None:
            self._generations.pop(family, None)
            return
        self._generations[family] = generation
        if len(self._generations) > _AT_ONCE:
            self._generations.popitem(last=False)

    def standing_at(self, family: str, generation: int) -> Check:
        """Make the check that a family's nodes have this generation still.

        Each state of a family expects the same, until a collection begins.
        """
        check = self._checks.get(family)
        if check is None or check.expect != generation:
            check = self._checks[family] = Check(key=self.family_key(family), expect=generation)
            if len(self._checks) > _AT_ONCE:
                self._checks.popitem(last=False)
        return check

    async def generation(self, family: str) -> int:
        """Return the generation of a family's nodes, 0 where it has none yet."""
        [record] = await self._desk.backend.get([self.family_key(family)], bodies=False)
        return record.version if record else 0


def _missing(key: Key) -> Corrupt:
    message = f"{key} is missing, and a state needs it: restore it from a backup"
    return Corrupt(message, code="missing_node", key=key)
