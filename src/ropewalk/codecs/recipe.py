"""What a seal says, and the contracts of the steps behind the serializer: `Codec`, `Packer`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, TypeGuard, runtime_checkable

from ..domain.errors import Corrupt, Invalid
from ..domain.ports import Dictionary
from ..domain.record import Key

_NAME: Final = re.compile(r"[a-z][a-z0-9+._-]{0,63}")
_PARAMETER: Final = re.compile(r"[A-Za-z0-9+._-]{1,255}")

RAW: Final = "raw"
"""What stands first in the seal of bytes that were a stored form already, and that no serializer
is called."""


class Encoded(NamedTuple):
    """What a codec made, and the parameter to write beside its name, such as the name of a key."""

    data: bytes
    parameter: str = ""


@runtime_checkable
class Codec(Protocol):
    """Turn bytes into other bytes and back: compress, encrypt, add a checksum.

    `aad` ("additional authenticated data", RFC 5116) is what the body belongs to: space, kind and
    id of the record and the seal of the steps before this one, each as UTF-8 behind its length in
    4 bytes, big-endian. A codec that protects a body binds it, so that the body
    does not open under another key. Codecs are called from several threads at once.
    """

    @property
    def name(self) -> str:
        """The name that stands in seals: lower-case letters, digits, `+`, `.`, `_`, `-`."""
        ...

    def encode(self, data: bytes, aad: bytes) -> Encoded | None:
        """Return the other bytes, or `None` where this step does not pay and is left out."""
        ...

    def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:
        """Undo `encode`, with the parameter of the seal; raise `Corrupt` for damaged bytes."""
        ...


@runtime_checkable
class Packer(Codec, Protocol):
    """A codec that has ways of its own for little bodies, and may lean on a dictionary there.

    What stands as its parameter in a seal is the name of the dictionary.
    """

    def lean(self, data: bytes, *, dictionary: Dictionary) -> Encoded | None:
        """Do as `encode`, leaning on a dictionary where that is of use; `unpack` undoes it."""
        ...

    def pack(self, data: bytes, *, dictionary: Dictionary | None) -> Encoded | None:
        """Return the other bytes, the name of the dictionary as parameter; `None` as `encode`."""
        ...

    def unpack(self, data: bytes, *, dictionary: Dictionary | None) -> bytes:
        """Undo `pack` or `lean` with the dictionary of the seal; raise `Corrupt` where damaged."""
        ...

    def train(self, samples: Sequence[bytes], *, size: int) -> Dictionary | None:
        """Make a dictionary of at most `size` bytes; `None` where nothing is gained by one."""
        ...


class DecodesMany(Protocol):
    """A codec that undoes itself for many bodies in one call: their calls would take longer."""

    def decode_all(
        self, bodies: Sequence[bytes], aads: Sequence[bytes], *, parameter: str
    ) -> list[bytes]:
        """Do what `decode` does with each body and what it belongs to; raise where one is bad."""
        ...


class UnpacksMany(Protocol):
    """A packer that undoes itself for many bodies in one call."""

    def unpack_all(self, bodies: Sequence[bytes], *, dictionary: Dictionary | None) -> list[bytes]:
        """Do what `unpack` does with each body; raise where one is bad."""
        ...


def decodes_many(codec: Codec) -> TypeGuard[DecodesMany]:
    """Tell whether a codec undoes itself for many bodies in one call."""
    return hasattr(codec, "decode_all")


def unpacks_many(packer: Packer) -> TypeGuard[UnpacksMany]:
    """Tell whether a packer undoes itself for many bodies in one call."""
    return hasattr(packer, "unpack_all")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a seal: a name, and what it needs to be undone beside the settings."""

    name: str
    parameter: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not be read back from a seal."""
        if not _NAME.fullmatch(self.name):
            message = f"{self.name!r} cannot be the name of a codec: it would not survive in a seal"
            raise Invalid(message, code="bad_name", field="name")
        if self.parameter and not _PARAMETER.fullmatch(self.parameter):
            message = (
                f"codec {self.name!r} gave the parameter {self.parameter!r}; "
                "use letters, digits, '+', '-', '.' and '_' only"
            )
            raise Invalid(message, code="bad_parameter", field="parameter")

    def __str__(self) -> str:
        """Write the step as it stands in a seal."""
        return f"{self.name}:{self.parameter}" if self.parameter else self.name


@dataclass(frozen=True, slots=True)
class Recipe:
    """A seal taken apart: the serializer, and each other step with all that came before it.

    `undo` is in the order of opening, the last step first.
    """

    serializer: str
    undo: tuple[tuple[Step, str], ...]


@lru_cache(maxsize=1_024)
def parse(seal: str) -> Recipe:
    """Read a seal such as `msgpack|zstd|aesgcm:k3|crc32`; raise `Corrupt` where it is none."""
    parts = seal.split("|")
    try:
        first, *steps = (Step(*part.split(":", 1)) for part in parts)
    except Invalid as error:
        raise _no_seal(seal) from error
    if first.parameter or seal != "|".join(map(str, (first, *steps))):
        raise _no_seal(seal)
    undo = [(step, "|".join(parts[: at + 1])) for at, step in enumerate(steps)]
    return Recipe(first.name, tuple(reversed(undo)))


def _no_seal(seal: str) -> Corrupt:
    return Corrupt(f"the seal {seal[:80]!r} is not a row of steps", code="bad_seal", seal=seal)


def key_bytes(key: Key) -> bytes:
    """Return the bytes that stand for a key and for no other: each part behind its length."""
    id_ = key.id.encode()
    return _place_bytes(key.space, key.kind) + len(id_).to_bytes(4) + id_


def bytes_of_keys(keys: Iterable[Key]) -> list[bytes]:
    """Return what `key_bytes` does for each key; the ids of many are of one length."""
    found: list[bytes] = []
    space = kind = ""
    size = -1
    before = b""
    for key in keys:
        id_ = key.id.encode()
        if len(id_) != size or key.kind != kind or key.space != space:
            size, kind, space = len(id_), key.kind, key.space
            before = _place_bytes(space, kind) + size.to_bytes(4)
        found.append(before + id_)
    return found


@lru_cache(maxsize=256)
def _place_bytes(space: str, kind: str) -> bytes:
    return _counted(space) + _counted(kind)


@lru_cache(maxsize=1_024)
def steps_bytes(before: str) -> bytes:
    """Return the bytes that stand for the steps before, a seal, behind their length."""
    return _counted(before)


def _counted(text: str) -> bytes:
    part = text.encode()
    return len(part).to_bytes(4) + part
