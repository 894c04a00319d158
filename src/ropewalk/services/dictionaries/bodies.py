"""`Bodies`: a sealer whose bodies lean on a dictionary that is trained on their own space."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol, TypeGuard

from ...domain.archive import Peeler
from ...domain.errors import Corrupt, Invalid
from ...domain.leaning import MOST_SIZE, Leaner, check_size
from ...domain.packed import unpack_all
from ...domain.ports import NO_DICTIONARIES, Dictionary, Sealed, Sealer
from ...domain.record import Key, Record
from ...stores.kinds import INNER
from .room import Room
from .training import Plan, Stage, Training

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...domain.archive import Peeled
    from ...domain.change import Put
    from ...domain.ports import Backend, Values

APART: Final = INNER | {"checkpoint", "migration"}
"""Kinds whose bodies never lean: parts of the house, and the heads of states, mere digests."""

_STAGES: Final = (
    Stage(128 * 1024, 16 * 1024),
    Stage(1024 * 1024, 32 * 1024),
    Stage(4 * 1024 * 1024, MOST_SIZE),
)
"""After so many bytes of sealed bodies, a dictionary of so many bytes; none is ever removed."""

_LONGEST: Final = 8 * 1024
_MOST: Final = 768 * 1024
"""Bytes of sealed bodies that are kept as samples for one space."""

_BIG: Final = 16 * 1024
_MOST_ROOMS: Final = 256
"""Spaces whose dictionaries are at hand; those of others are read again."""


class WholeSealer(Sealer, Peeler, Leaner, Protocol):
    """What a sealer can do whose bodies lean on dictionaries."""


def is_whole(sealer: Sealer) -> TypeGuard[WholeSealer]:
    """Tell whether bodies of this sealer can lean on dictionaries."""
    return isinstance(sealer, Leaner) and isinstance(sealer, Peeler)


class Bodies:
    """Seal with the dictionary of a body's space, and open with the one that the seal names.

    A space never leans on another: its dictionaries are made of its own bodies and kept in it,
    each under a name that its content gives it. The newest is written with. Nothing is read or
    made before the first body. May be used from several threads and event loops at once.
    """

    def __init__(self, sealer: WholeSealer, backend: Backend, *, size: int, actor: str) -> None:
        """Keep dictionaries of at most `size` bytes in `backend`; 0 makes and uses none."""
        self._sealer = sealer
        self._backend = backend
        self._actor = actor
        self._plan: Plan[tuple[Key, Sealed]] = Plan(
            stages=tuple(stages(check_size(size))),
            weigh=_size,
            measure=_size,
            longest=_LONGEST,
            most=_MOST,
        )
        self._known: dict[str, Mapping[str, Dictionary]] = {}
        self._rooms: dict[str, tuple[Room, Training[tuple[Key, Sealed]]]] = {}
        self._lock = threading.Lock()

    @property
    def values(self) -> Values:
        """How objects are written inside the bodies."""
        return self._sealer.values

    def foreign(self, name: str) -> Values:
        """Return how another program's values are shown."""
        return self._sealer.foreign(name)

    async def seal(self, value: object, key: Key) -> Sealed:
        """Close `value` for `key`, as it is now, leaning on what its space has.

        Now and then a new dictionary is written into the store on the way. Raises as the sealer
        and the store do.
        """
        if key.kind in APART or not self._plan.stages:
            return await self._sealer.seal_leaning(value, key, dictionary=None)
        room, training = self._room(key.space)
        # The value is written before anything is waited for: it may change meanwhile.
        sealed = await self._sealer.seal_leaning(value, key, dictionary=room.current)
        if not room.has_looked:
            found = await room.dictionary()
            if found is not None and len(sealed.body) <= _BIG:
                sealed = self._dressed(sealed, key, found)
        if not training.is_over:
            await training.offer(((key, sealed),))
        return sealed

    async def unseal(self, record: Record) -> object:
        """Open the body of `record`, reading the dictionary that it needs first.

        Raises `Corrupt` where that is gone or damaged, and as the sealer does.
        """
        return await self.unseal_lent(record, space=record.key.space)

    async def unseal_lent(self, record: Record, *, space: str) -> object:
        """Open the body of a record whose dictionaries were brought into another `space`."""
        room, _ = self._room(space)
        needed = self.leans_on(record.seal)
        if needed and needed not in room.known:
            await room.fetch(needed, wanted=record.key)
        return await self._sealer.unseal_leaning(record, dictionaries=room.known)

    def unseal_at_once(self, record: Record) -> object | None:
        """Open without a wait; `None` where the body is big, or what it needs not at hand."""
        known = self._known.get(record.key.space, NO_DICTIONARIES)
        try:
            return self._sealer.unseal_leaning_at_once(record, dictionaries=known)
        except Invalid as error:
            if error.code != "unknown_dictionary":
                raise
        return None

    def pack(self, data: bytes, key: Key, *, dictionary: Dictionary | None = None) -> Sealed:
        """Close bytes that are a stored form already."""
        return self._sealer.pack(data, key, dictionary=dictionary)

    def unpack(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> bytes:
        """Open what `pack` closed."""
        return self._sealer.unpack(record, dictionaries=dictionaries)

    def unpack_all(
        self, records: Sequence[Record], *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> list[bytes]:
        """Open many of what `pack` closed."""
        return unpack_all(self._sealer, records, dictionaries=dictionaries)

    def peel(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> Peeled:
        """Open a body as far as what the serializer wrote."""
        return self._sealer.peel(record, dictionaries=dictionaries)

    def dress(self, peeled: Peeled, key: Key, *, dictionary: Dictionary | None = None) -> Sealed:
        """Close what was peeled for `key`."""
        return self._sealer.dress(peeled, key, dictionary=dictionary)

    def train(self, samples: Sequence[bytes], *, size: int) -> Dictionary | None:
        """Make a dictionary of at most `size` bytes for bodies like these; takes its time."""
        return self._sealer.train(samples, size=size)

    def leans_on(self, seal: str) -> str:
        """Return the name of the dictionary that the body of a value needs, or nothing."""
        return self._sealer.leans_on(seal)

    def plain(self, put: Put) -> Put:
        """Return a change whose body leans on nothing, and write so from now on.

        Raises `Corrupt` where what it leans on is not at hand.
        """
        self._begin_anew(put.key.space)
        try:
            sealed = self._dressed(Sealed(put.body, put.seal), put.key, None)
        except Invalid as error:
            name = self.leans_on(put.seal)
            message = (
                f"the body of {put.key} leans on the dictionary {name}, which its space has not: "
                "bring that before it"
            )
            facts = {"key": put.key, "dictionary": name}
            raise Corrupt(message, code="missing_dictionary", **facts) from error
        return replace(put, body=sealed.body, seal=sealed.seal)

    def _room(self, space: str) -> tuple[Room, Training[tuple[Key, Sealed]]]:
        found = self._rooms.get(space)
        if found is not None:
            return found
        with self._lock:
            found = self._rooms.get(space)
            if found is None:
                room = Room(self._backend, self._sealer, space, actor=self._actor)
                found = self._rooms[space] = room, self._training(room)
                self._known[space] = room.known
                if len(self._rooms) > _MOST_ROOMS:
                    oldest = next(iter(self._rooms))
                    del self._rooms[oldest], self._known[oldest]
        return found

    def _begin_anew(self, space: str) -> None:
        """Look again what a space has; what it had is known, but not written with."""
        room, _ = self._room(space)
        with self._lock:
            if room.current is not None:
                room.forget()
                self._rooms[space] = room, self._training(room)

    def _training(self, room: Room) -> Training[tuple[Key, Sealed]]:
        def train(samples: Sequence[tuple[Key, Sealed]], size: int) -> Dictionary | None:
            peeled = [self._peeled(sealed, key, room.known).data for key, sealed in samples]
            return self._sealer.train(peeled, size=size)

        return Training(room, train, self._plan)

    def _dressed(self, sealed: Sealed, key: Key, dictionary: Dictionary | None) -> Sealed:
        known = self._known.get(key.space, NO_DICTIONARIES)
        return self._sealer.dress(self._peeled(sealed, key, known), key, dictionary=dictionary)

    def _peeled(self, sealed: Sealed, key: Key, known: Mapping[str, Dictionary]) -> Peeled:
        record = Record.bare(key, 1, times=(0, 0), seal=sealed.seal, body=sealed.body)
        return self._sealer.peel(record, dictionaries=known)


def stages(size: int) -> list[Stage]:
    """Return when dictionaries are made where none may be longer than `size` bytes."""
    made: list[Stage] = []
    for stage in _STAGES:
        if size and (not made or size > made[-1].size):
            made.append(Stage(stage.seen, min(stage.size, size)))
    return made


def _size(sample: tuple[Key, Sealed]) -> int:
    return len(sample[1].body)
