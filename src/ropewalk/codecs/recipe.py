"""What a seal says, and the two contracts of its steps: `Serializer` and `Codec`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Protocol, runtime_checkable

from ..domain.errors import Corrupt, Invalid
from ..domain.record import Key

_NAME: Final = re.compile(r"[a-z][a-z0-9+._-]{0,63}")
_PARAMETER: Final = re.compile(r"[A-Za-z0-9+._-]{1,255}")


class Encoded(NamedTuple):
    """What a codec made, and the parameter to write beside its name, such as the name of a key."""

    data: bytes
    parameter: str = ""


@runtime_checkable
class Serializer(Protocol):
    """Turn a value into bytes and back; the first step of every seal."""

    @property
    def name(self) -> str:
        """The name that stands in seals."""
        ...

    def dumps(self, value: object) -> bytes:
        """Write `value`; raise `Invalid` naming the path of what cannot be written."""
        ...

    def loads(self, data: bytes) -> object:
        """Read what `dumps` wrote; raise `Corrupt` for anything else."""
        ...


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
    parts = (key.space.encode(), key.kind.encode(), key.id.encode())
    return b"".join([len(part).to_bytes(4) + part for part in parts])


@lru_cache(maxsize=1_024)
def steps_bytes(before: str) -> bytes:
    """Return the bytes that stand for the steps before, a seal, behind their length."""
    text = before.encode()
    return len(text).to_bytes(4) + text
