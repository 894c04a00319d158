"""`Openings`: what each seal says about opening a body, read once and remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from ..domain.errors import Corrupt, Invalid
from ..domain.ports import Dictionary, Values
from ..domain.spelling import did_you_mean
from .dictionaries import is_name
from .recipe import (
    RAW,
    Codec,
    Packer,
    decodes_many,
    parse,
    steps_bytes,
    unpacks_many,
)

T = TypeVar("T")

_MOST: Final = 512
"""So many seals of each sort are remembered: they are few, but for those that somebody makes up."""

Opening: TypeAlias = tuple[
    tuple[tuple[Callable[..., bytes], bytes | None, str], ...], Callable[[bytes], object]
]
"""What undoes each step of a seal, with the steps before it and its parameter; and the reader. A
step that leans on a dictionary has `None` for the steps before it."""


@dataclass(frozen=True, slots=True)
class Undo:
    """One step on the way to open a body: `before` stands for the steps before it.

    `packer` is there where the step was one of a packed body, or leans on a dictionary, which
    `parameter` names.
    """

    codec: Codec
    packer: Packer | None
    parameter: str
    before: bytes

    def undo_all(
        self,
        bodies: Sequence[bytes],
        bound: Sequence[bytes],
        dictionaries: Mapping[str, Dictionary],
    ) -> Sequence[bytes]:
        """Undo the step for many bodies, each of the key of these bytes."""
        parameter = self.parameter
        if self.packer is not None:
            dictionary = lent(parameter, dictionaries) if parameter else None
            if unpacks_many(self.packer):
                return self.packer.unpack_all(bodies, dictionary=dictionary)
            return [self.packer.unpack(data, dictionary=dictionary) for data in bodies]
        aads = [key + self.before for key in bound]
        if decodes_many(self.codec):
            return self.codec.decode_all(bodies, aads, parameter=parameter)
        pairs = zip(bodies, aads, strict=True)
        return [self.codec.decode(data, aad, parameter=parameter) for data, aad in pairs]


@dataclass(frozen=True, slots=True)
class Way:
    """How the bodies of one seal become what the serializer wrote; `needs` names a dictionary."""

    form: str
    steps: tuple[Undo, ...]
    needs: str

    def walk(self, data: bytes, bound: bytes, dictionaries: Mapping[str, Dictionary]) -> bytes:
        """Undo the steps of a body that belongs to the key of these bytes.

        Raises `Invalid` with the code `unknown_dictionary` where the one that is needed is not
        given, and as the codecs do.
        """
        for undo in self.steps:
            if undo.packer is None:
                data = undo.codec.decode(data, bound + undo.before, parameter=undo.parameter)
                continue
            name = undo.parameter
            dictionary = lent(name, dictionaries) if name else None
            data = undo.packer.unpack(data, dictionary=dictionary)
        return data

    def walk_all(
        self,
        bodies: Sequence[bytes],
        bound: Sequence[bytes],
        dictionaries: Mapping[str, Dictionary],
    ) -> Sequence[bytes]:
        """Undo the steps of many bodies, each of the key of these bytes; raise as `walk` does."""
        for undo in self.steps:
            bodies = undo.undo_all(bodies, bound, dictionaries)
        return bodies


class Openings:
    """Find how a body is opened by its seal alone."""

    def __init__(self, readers: Mapping[str, Values], codecs: Mapping[str, Codec]) -> None:
        """Know these serializers and codecs, each by its name."""
        self._readers = readers
        self._codecs = codecs
        # Whether a codec is one is asked here, once: it takes longer than opening a body.
        self._packers = {n: codec for n, codec in codecs.items() if isinstance(codec, Packer)}
        self._ways: dict[str, Way] = {}
        self.known: dict[str, Opening] = {}
        """Of the seals that were asked for by `value`: whoever opens many looks here first."""

    def way(self, seal: str) -> Way:
        """Return how the body is taken as far as what the serializer wrote.

        Raises `Corrupt` for a seal that is none, `Invalid` for a codec that is not known.
        """
        return self._ways.get(seal) or self._read(seal)

    def needs(self, seal: str) -> str:
        """Return the name of the dictionary that the body of a value leans on, or nothing.

        Nothing is said of a seal that cannot be read here: whoever opens the body is told.
        """
        try:
            recipe = parse(seal)
        except Corrupt:  # no error here: bytes of others have seals of their own
            return ""
        if recipe.serializer == RAW:
            return ""
        for step, _ in recipe.undo:
            if is_name(step.parameter) and step.name in self._packers:
                return step.parameter
        return ""

    def packed(self, seal: str) -> Way:
        """Return the way of a packed body; raise `Corrupt` for the seal of another."""
        way = self._ways.get(seal)
        if way is not None and way.form == RAW:
            return way
        if parse(seal).serializer != RAW:
            message = f"the seal {seal[:80]!r} does not begin with {RAW!r}: no packed body has it"
            raise Corrupt(message, code="bad_seal", seal=seal)
        return self._read(seal)

    def value(self, seal: str) -> Opening:
        """Return how the body of a value is opened; raise `Invalid` for a packed one."""
        return self.known.get(seal) or self._value(seal)

    def _read(self, seal: str) -> Way:
        recipe = parse(seal)
        needs = ""
        found: list[Undo] = []
        for step, before in recipe.undo:
            codec = _known(step.name, self._codecs, what="codec")
            leans = bool(step.parameter) or recipe.serializer == RAW
            packer = self._packers.get(step.name) if leans else None
            if packer is not None and step.parameter:
                if not is_name(step.parameter):
                    message = f"{step.parameter!r} cannot be the name of a dictionary"
                    raise Corrupt(message, code="bad_seal", seal=seal)
                needs = step.parameter
            found.append(Undo(codec, packer, step.parameter, steps_bytes(before)))
        way = Way(recipe.serializer, tuple(found), needs)
        if len(self._ways) >= _MOST:
            self._ways.clear()
        self._ways[seal] = way
        return way

    def _value(self, seal: str) -> Opening:
        if parse(seal).serializer == RAW:
            message = "it is bytes, part of something bigger, and no object; use unpack"
            raise Invalid(message, code="packed", seal=seal)
        way = self.way(seal)
        loads = _known(way.form, self._readers, what="serializer").loads
        opening = tuple(map(_step, way.steps)), loads
        if len(self.known) >= _MOST:
            self.known.clear()
        self.known[seal] = opening
        return opening


def lent(name: str, dictionaries: Mapping[str, Dictionary]) -> Dictionary:
    """Return the dictionary of this name; raise `Invalid` with the code `unknown_dictionary`."""
    found = dictionaries.get(name)
    if found is None:
        message = f"it leans on the dictionary {name!r}, which is not at hand; read that one first"
        raise Invalid(message, code="unknown_dictionary", dictionary=name)
    return found


def _step(undo: Undo) -> tuple[Callable[..., bytes], bytes | None, str]:
    if undo.packer is not None:
        return undo.packer.unpack, None, undo.parameter
    return undo.codec.decode, undo.before, undo.parameter


def _known(name: str, known: Mapping[str, T], *, what: str) -> T:
    found = known.get(name)
    if found is None:
        message = (
            f"its seal names the {what} {name!r}, which this program has not set up "
            f"({did_you_mean(name, known)}); install it, and name it in the settings"
        )
        raise Invalid(message, code="unknown_codec", codec=name)
    return found
