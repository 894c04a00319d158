"""Typed values to MessagePack and back, exactly, without pickle and without guessing."""

from __future__ import annotations

from ormsgpack import packb

from ..domain.errors import Invalid
from ..domain.ports import Opened
from .allowlist import TYPES, TypeRegistry
from .format import OPTIONS, Value
from .quick import holds_no_bytes, packed, quickly
from .reader import Reader
from .refusal import Refused, invalid
from .whole import unpack_plain
from .writer import Writer


class MsgPack:
    """Write values as MessagePack with extension types, so that each comes back as what it was.

    Kept with their exact types: None, bool, int of any size, float (also NaN, infinities, -0.0),
    str (also lone surrogates), bytes, bytearray, complex, Decimal, Fraction, datetime (with a
    zone), date, time, timedelta, timezone, ZoneInfo, UUID, paths; list, tuple, dict with any
    hashable keys of these types and in its order, set, frozenset, deque, OrderedDict, Counter,
    defaultdict; arrays and scalars of numpy; and the classes of `types`: enums, dataclasses,
    named tuples, pydantic models, others with functions of their own.

    Equal values of equal types give equal bytes, whatever the order within their sets. What is
    not kept: that two places hold the same object (each gets its own), the class of a fixed
    offset that is not `datetime.timezone`, and whether a numpy array was a view.
    """

    name: str = "msgpack"

    def __init__(self, types: TypeRegistry = TYPES) -> None:
        """Write and read the classes that `types` knows."""
        self._types = types
        self._writer = Writer(types)

    def dumps(self, value: Value) -> bytes:
        """Write `value`; raise `Invalid` naming the path of what cannot be kept.

        `facts["path"]` is that path, such as `state.messages[3].payload`.
        """
        data = packed(value)
        return self._walk(value) if data is None else data

    def loads(self, data: bytes, *more: bytes) -> Value:
        """Read what `dumps` wrote, in one piece or more; raise `Corrupt` for anything else.

        A value whose class is not registered comes back as `Opaque`. Raises `Invalid` where the
        bytes are sound but this program cannot make the value: a class that changed its fields,
        a time zone or a package that is missing.
        """
        try:
            return unpack_plain(data, *more)
        except ValueError:
            return Reader(self._types).read(b"".join((data, *more)))

    def same(self, value: Value, form: bytes, *, bare: bool) -> bool:
        """Tell whether `dumps` writes `value` in this form, in less time where that is bare."""
        return (bare and quickly(value) == form) or self.dumps(value) == form

    def is_bare(self, form: bytes) -> bool:
        """Tell whether no bytes lie in a form: so no bytearray has it, which comes as bytes."""
        return holds_no_bytes(form)

    def repeats(self, form: bytes) -> bool:  # noqa: ARG002 (each does)
        """Say of every form that it is read as the same value each time."""
        return True

    def bare(self, value: Value) -> bytes:
        """Write `value`, a bytearray as if it were bytes; nothing where that cannot be."""
        return quickly(value) or b""

    def open(self, value: Value) -> Opened | None:
        """Take a typed value apart: ordered containers, and what is made of registered classes.

        `None` for plain values, for sets (their items are sorted by their bytes, so they do not
        stand alone), for leaves, enums, numpy and `Opaque`. Raises `Invalid` as `dumps`.
        """
        try:
            return self._writer.open(value)
        except Refused as refused:
            raise invalid(refused) from refused.__cause__

    def _walk(self, value: Value) -> bytes:
        try:
            return packb(self._writer.plain(value), option=OPTIONS)
        except Refused as refused:
            raise invalid(refused) from refused.__cause__
        except RecursionError as error:
            message = "the value nests too deep for the stack that is left; keep it flatter"
            raise Invalid(message, code="too_deep") from error
