"""`Pipeline`: serialise, compress, check; and open every body by its own seal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Final, NoReturn

from ..domain.archive import Peeled
from ..domain.errors import Corrupt, Invalid
from ..domain.limits import MAX_BODY_BYTES, MAX_OPENED_BYTES
from ..domain.ports import NO_DICTIONARIES, Dictionary, Sealed, Values
from ..domain.record import Key, Record
from ..registry import Registry
from . import BUILTIN
from .allowlist import TYPES, TypeRegistry
from .foreign import ForeignValues
from .openings import Openings, lent
from .recipe import RAW, Codec, Packer, Step, bytes_of_keys, key_bytes, steps_bytes
from .serialize import MsgPack

DEFAULT_STEPS: Final = ("zstd", "crc32")
"""What a body goes through behind the serializer, unless the settings say otherwise."""

BIG_BYTES: Final = 64 * 1024
"""A longer body is compressed and checked in a worker thread."""

BIG_SEALED_BYTES: Final = 16 * 1024
"""A longer sealed body is opened in a worker thread: it may well grow on the way."""


class Pipeline:
    """Seal with one serializer and some codecs, in this order; a `Sealer`.

    What each body went through stands in its seal, `msgpack|zstd|crc32`, and the seal alone says
    how it is opened: changed settings do not matter to what is stored. `opens` are the further
    codecs that may be needed for that. A codec that leaves a body as it is (little ones do not
    get smaller) is left out of its seal.

    Small bodies are sealed and opened at once, big ones in a worker thread, so that the event
    loop goes on; a value is always serialised at once, as it is at the call. Raises `Invalid` for
    two codecs of one name.
    """

    def __init__(self, serializer: Values, *codecs: Codec, opens: Iterable[Codec] = ()) -> None:
        """Choose the steps for writing, and what else can be read."""
        self._serializer = serializer
        readers: Mapping[str, Values] = {Step(serializer.name).name: serializer}
        if serializer.name == RAW:
            message = (
                f"no serializer can be called {RAW!r}: that says in a seal that there was none"
            )
            raise Invalid(message, code="bad_name", field="serializer")
        own = {Step(codec.name).name: codec for codec in codecs}
        if len(own) < len(codecs):
            names = ", ".join(codec.name for codec in codecs)
            message = f"each codec stands in a pipeline once, and here are {names}"
            raise Invalid(message, code="duplicate", field="codecs")
        self._openings = Openings(readers, {codec.name: codec for codec in opens} | own)
        # Asked once, for the answer takes its time.
        self._steps = [(codec, codec if isinstance(codec, Packer) else None) for codec in codecs]

    @property
    def values(self) -> Values:
        """The serializer: how objects are written inside the bodies."""
        return self._serializer

    def foreign(self, name: str) -> Values:
        """Return how another program's values are shown: as they are stored, byte for byte."""
        return ForeignValues(name)

    async def seal(self, value: object, key: Key) -> Sealed:
        """Close `value` for `key`, as it is now.

        Raises `Invalid`, with the key, naming the path of a value that cannot be kept, or the
        limit (`max_opened_bytes`, `max_body_bytes`) that the whole is beyond.
        """
        return await self.seal_leaning(value, key)

    async def seal_leaning(
        self, value: object, key: Key, *, dictionary: Dictionary | None = None
    ) -> Sealed:
        """Close as `seal` does, leaning on the dictionary where that saves bytes.

        Raises `Corrupt` also for a dictionary whose content has not its name.
        """
        data = self._serialised(value, key)
        if len(data) <= BIG_BYTES:
            return self._close(data, key, dictionary=dictionary)
        return await asyncio.to_thread(self._close, data, key, dictionary=dictionary)

    async def unseal(self, record: Record) -> object:
        """Open the body of `record` by its own seal.

        Raises `Corrupt`, with the key, where body or seal are damaged; `Invalid` where the record
        came without its body, or where this program lacks what its seal or its types need.
        """
        return await self.unseal_leaning(record)

    async def unseal_leaning(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> object:
        """Open as `unseal` does, with what bodies lean on.

        Raises `Invalid` with the code `unknown_dictionary` where the dictionary that the seal
        names is not among `dictionaries`.
        """
        size = len(_body(record))
        open_ = partial(self.unseal_leaning_at_once, dictionaries=dictionaries, most=size)
        return open_(record) if size <= BIG_SEALED_BYTES else await asyncio.to_thread(open_, record)

    def unseal_at_once(self, record: Record) -> object | None:
        """Open as `unseal` does, without a wait; `None` where a body is too big for that."""
        return self.unseal_leaning_at_once(record)

    def unseal_leaning_at_once(
        self,
        record: Record,
        *,
        dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES,
        most: int = BIG_SEALED_BYTES,
    ) -> object | None:
        """Open as `unseal_leaning` does, without a wait; `None` where a body has more bytes."""
        data, seal = record.body, record.seal
        if data is None:
            data = _body(record)
        if len(data) > most:
            return None
        try:
            # Every body that is read comes this way: what stands in line here spares calls.
            steps, loads = self._openings.known.get(seal) or self._openings.value(seal)
            bound = key_bytes(record.key)
            for undo, before, parameter in steps:
                if before is None:
                    data = undo(data, dictionary=lent(parameter, dictionaries))
                else:
                    data = undo(data, bound + before, parameter=parameter)
            return loads(data)
        except (Corrupt, Invalid) as error:
            _raise_with_key(error, record.key)

    def leans_on(self, seal: str) -> str:
        """Return the name of the dictionary that a body needs, nothing for a packed one."""
        return self._openings.needs(seal)

    def pack(self, data: bytes, key: Key, *, dictionary: Dictionary | None = None) -> Sealed:
        """Close bytes that are a stored form already, at once and in this thread.

        The seal begins with `raw`, and names the dictionary where it was of use. Raises `Invalid`,
        with the key, where the bytes are beyond a limit, and `Corrupt` for a dictionary whose
        content has not its name.
        """
        if len(data) > MAX_OPENED_BYTES:
            raise _too_big(len(data), key, limit=MAX_OPENED_BYTES, limit_name="max_opened_bytes")
        return self._close(data, key, serializer=RAW, dictionary=dictionary)

    def unpack(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> bytes:
        """Open what `pack` closed, at once and in this thread.

        Raises `Invalid` with the code `unknown_dictionary` where the dictionary that the seal
        names is not among `dictionaries`, and as `unseal` does; `Corrupt`, with the key, where
        body, seal or dictionary are damaged.
        """
        data, key = _body(record), record.key
        try:
            return self._openings.packed(record.seal).walk(data, key_bytes(key), dictionaries)
        except (Corrupt, Invalid) as error:
            _raise_with_key(error, key)

    def unpack_all(
        self, records: Sequence[Record], *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> list[bytes]:
        """Open what `pack` closed, one step of many bodies after the other; raise as `unpack`."""
        seals = {record.seal for record in records}
        if len(seals) == 1:
            return self._unpack_alike(records, dictionaries)
        opened: dict[int, bytes] = {}
        for seal in seals:
            some = {at: record for at, record in enumerate(records) if record.seal == seal}
            found = self._unpack_alike(list(some.values()), dictionaries)
            opened.update(zip(some, found, strict=True))
        return [opened[at] for at in range(len(records))]

    def _unpack_alike(
        self, records: Sequence[Record], dictionaries: Mapping[str, Dictionary]
    ) -> list[bytes]:
        """Open packed bodies of one seal."""
        try:
            bound = bytes_of_keys([record.key for record in records])
            bodies = [_body(record) if record.body is None else record.body for record in records]
            way = self._openings.packed(records[0].seal)
            return [*way.walk_all(bodies, bound, dictionaries)]
        except (Corrupt, Invalid):
            # Which one it is that cannot be opened, and why, each of them tells for itself.
            return [self.unpack(record, dictionaries=dictionaries) for record in records]

    def peel(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> Peeled:
        """Open a body of either sort as far as what the serializer wrote.

        Raises as `unpack` does, and never asks for the types of values.
        """
        data, key = _body(record), record.key
        try:
            way = self._openings.way(record.seal)
            data = way.walk(data, key_bytes(key), dictionaries)
        except (Corrupt, Invalid) as error:
            _raise_with_key(error, key)
        return Peeled(way.form, data, way.needs)

    def dress(self, peeled: Peeled, key: Key, *, dictionary: Dictionary | None = None) -> Sealed:
        """Close what was peeled as bodies are closed here, at once and in this thread."""
        if len(peeled.data) > MAX_OPENED_BYTES:
            size = len(peeled.data)
            raise _too_big(size, key, limit=MAX_OPENED_BYTES, limit_name="max_opened_bytes")
        Step(peeled.form)
        return self._close(peeled.data, key, serializer=peeled.form, dictionary=dictionary)

    def train(self, samples: Sequence[bytes], *, size: int) -> Dictionary | None:
        """Make a dictionary of at most `size` bytes for bodies like these; takes its time.

        Returns `None` where nothing is gained by one, where the samples are too few, and where no
        codec of this pipeline leans on dictionaries.
        """
        for _, packer in self._steps:
            if packer is not None:
                return packer.train(samples, size=size)
        return None

    def _serialised(self, value: object, key: Key) -> bytes:
        try:
            data = self._serializer.dumps(value)
        except Invalid as error:
            message = f"{key} cannot be kept: {error.message}"
            raise Invalid(message, code=error.code, **{**error.facts, "key": key}) from error
        if len(data) > MAX_OPENED_BYTES:
            raise _too_big(len(data), key, limit=MAX_OPENED_BYTES, limit_name="max_opened_bytes")
        return data

    def _close(
        self,
        data: bytes,
        key: Key,
        *,
        serializer: str = "",
        dictionary: Dictionary | None = None,
    ) -> Sealed:
        packed = serializer == RAW
        seal = serializer or self._serializer.name
        bound = key_bytes(key)
        for codec, packer in self._steps:
            if packed and packer is not None:
                encoded = packer.pack(data, dictionary=dictionary)
            elif dictionary is not None and packer is not None:
                encoded = packer.lean(data, dictionary=dictionary)
            else:
                encoded = codec.encode(data, bound + steps_bytes(seal))
            if encoded is not None:
                data, parameter = encoded
                seal = _and_step(seal, codec.name, parameter)
        if len(data) > MAX_BODY_BYTES:
            raise _too_big(len(data), key, limit=MAX_BODY_BYTES, limit_name="max_body_bytes")
        return Sealed(data, seal)


def make_pipeline(
    steps: Sequence[str | Codec] = DEFAULT_STEPS,
    *,
    types: TypeRegistry = TYPES,
    load: Callable[[str], type[object]] | None = None,
) -> Pipeline:
    """Return a pipeline of MessagePack and the codecs named, or given ready-made.

    `load` finds the class of a name (a `Registry` does it; without one, built-in names and
    entry points of the group `ropewalk.codecs`). Every built-in codec can be opened, whether
    named or not. Raises `Invalid` for an unknown name, and for one that is no codec.
    """
    find = load or Registry[object]("codec", BUILTIN, group="ropewalk.codecs").load
    codecs = [_codec(find(step)(), step) if isinstance(step, str) else step for step in steps]
    made = [find(name)() for name in BUILTIN]
    return Pipeline(
        MsgPack(types), *codecs, opens=[codec for codec in made if isinstance(codec, Codec)]
    )


def _codec(made: object, name: str) -> Codec:
    if isinstance(made, Codec):
        return made
    message = f"{name!r} is no codec: it does not turn bytes into bytes; leave it out of the steps"
    raise Invalid(message, code="not_a_codec", field="codecs", name=name)


@lru_cache(maxsize=1_024)
def _and_step(before: str, name: str, parameter: str) -> str:
    return f"{before}|{Step(name, parameter)}"


def _body(record: Record) -> bytes:
    if record.body is None:
        message = (
            f"{record.key} was read without its body (headers alone); read it with bodies=True"
        )
        raise Invalid(message, code="no_body", key=record.key)
    return record.body


def _raise_with_key(error: Corrupt | Invalid, key: Key) -> NoReturn:
    facts = {**error.facts, "key": key}
    if isinstance(error, Corrupt):
        message = f"the body of {key} is damaged: {error.message}; restore it from a backup"
        raise Corrupt(message, code=error.code, **facts) from error
    message = f"the body of {key} cannot be opened here: {error.message}"
    raise Invalid(message, code=error.code, **facts) from error


def _too_big(size: int, key: Key, *, limit: int, limit_name: str) -> Invalid:
    message = (
        f"the body of {key} is {size} bytes; {limit_name} is {limit}: split it over several records"
    )
    return Invalid(message, code="too_big", field="body", limit=limit_name, size=size, key=key)
