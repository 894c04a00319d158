"""`Room`: the dictionaries that one space has for the bodies of its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.change import Batch, Put
from ...domain.errors import Corrupt
from ...domain.leaning import BODIES, DICTIONARY, OF
from ...domain.ports import Dictionary
from ...domain.query import NEWEST_FIRST, Condition, Query
from ...domain.record import Key

if TYPE_CHECKING:
    from ...domain.ports import Backend, Sealer
    from ...domain.record import Record


class Room:
    """Reads and keeps them, each as a record of the space under the name of its content."""

    def __init__(self, backend: Backend, sealer: Sealer, space: str, *, actor: str) -> None:
        """Look into `space` of `backend` when something is asked."""
        self._backend = backend
        self._sealer = sealer
        self._space = space
        self._actor = actor
        self.known: dict[str, Dictionary] = {}
        self.current: Dictionary | None = None
        self.has_looked = False

    async def dictionary(self) -> Dictionary | None:
        """Return the one that bodies are written with now, `None` where there is none."""
        if not self.has_looked:
            newest = Query(
                space=self._space,
                kinds=(DICTIONARY,),
                where=(Condition(f"labels.{OF}", "eq", BODIES),),
                order=NEWEST_FIRST,
                limit=1,
            )
            found = [self._take(record) async for record in self._backend.scan(newest)]
            if not self.has_looked:
                self.current = found[0] if found else None
                self.has_looked = True
        return self.current

    async def adopt(self, dictionary: Dictionary) -> None:
        """Keep a new one, and write with it from now on."""
        key = Key(self._space, DICTIONARY, dictionary.name)
        sealed = self._sealer.pack(dictionary.content, key)
        put = Put(key=key, body=sealed.body, seal=sealed.seal, labels={OF: BODIES})
        await self._backend.apply(Batch((put,), actor=self._actor))
        self.known[dictionary.name] = dictionary
        self.current, self.has_looked = dictionary, True

    async def fetch(self, name: str, *, wanted: Key) -> None:
        """Read the dictionary that the body under `wanted` needs.

        Raises `Corrupt` where it is gone or damaged.
        """
        key = Key(self._space, DICTIONARY, name)
        [record] = await self._backend.get([key])
        if record is None:
            message = f"{wanted} needs the dictionary {name}, which is gone: restore a backup"
            raise Corrupt(message, code="missing_dictionary", key=wanted, dictionary=name)
        self._take(record)

    def forget(self) -> None:
        """Forget which one is current: the space was taken back to what it was before."""
        self.current, self.has_looked = None, False

    def _take(self, record: Record) -> Dictionary:
        dictionary = Dictionary(record.key.id, self._sealer.unpack(record))
        self.known[dictionary.name] = dictionary
        return dictionary
