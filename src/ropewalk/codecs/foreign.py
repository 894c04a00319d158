"""`ForeignValues`: values that another program wrote as MessagePack, kept as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ormsgpack import OPT_NON_STR_KEYS, packb

from ..domain.errors import Corrupt, Invalid
from ..domain.ports import Opened
from .allowlist import Opaque, check_tag
from .containers import in_dict, in_list
from .format import MAX_DEPTH, OPTIONS, Value
from .refusal import Refused, invalid
from .whole import unpack_whole

_CODES: Final = range(-128, 128)
_EXTENSIONS: Final = {1: 0xC7, 2: 0xC8, 4: 0xC9}
_FIXED: Final = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}
_FIX_MAP: Final = 0x80
_FIX_MAP_MOST: Final = 15
_MAP_16: Final = b"\xde"
_MAP_32: Final = b"\xdf"

_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})


class ForeignValues:
    """Read and write any MessagePack, without knowing what its extension types mean.

    Plain values come back as themselves; an extension comes back as `Opaque`, with the tag
    `name:code` (such as `langgraph:5`) and the bytes that lie in it. So a store can be looked at
    where the program that filled it is not installed. What was written in the shortest form, as
    libraries do, is written back byte for byte, a whole number never as a float and a float
    always with 64 bits.

    Keys of dictionaries may be anything but extensions and dictionaries; of keys that are equal
    in Python (1 and True) the last value is kept, under the first key.
    """

    def __init__(self, name: str) -> None:
        """Read what the writer of this name wrote; raise `Invalid` for a name beyond a tag."""
        check_tag(f"{name}:{_CODES[0]}")
        self._name = name

    @property
    def name(self) -> str:
        """The name under which stored data says what wrote it."""
        return self._name

    def dumps(self, value: object) -> bytes:
        """Write `value`; raise `Invalid` naming the path of what did not come from `loads`."""
        forms: list[bytes] = []
        try:
            self._write(value, forms, 0)
        except Refused as refused:
            raise invalid(refused) from refused.__cause__
        return b"".join(forms)

    def loads(self, data: bytes, *more: bytes) -> object:
        """Read one value, in one piece or more; raise `Corrupt` for bytes that are none."""
        data = b"".join((data, *more))
        try:
            return unpack_whole(data, self._opaque, OPT_NON_STR_KEYS)
        except (ValueError, TypeError) as error:
            message = f"the bytes are no MessagePack that can be read: {error}"
            raise Corrupt(message, code="bad_value", size=len(data)) from error

    def same(self, value: object, form: bytes, *, bare: bool) -> bool:  # noqa: ARG002 (nothing is)
        """Tell whether `dumps` writes `value` in this form."""
        return self.dumps(value) == form

    def is_bare(self, form: bytes) -> bool:  # noqa: ARG002 (each comparison looks at everything)
        """Say of no form that it is quicker to compare."""
        return False

    def repeats(self, form: bytes) -> bool:  # noqa: ARG002 (each does)
        """Say of every form that it is read as the same value each time."""
        return True

    def bare(self, value: object) -> bytes:  # noqa: ARG002 (no form is bare)
        """Write nothing: there is no quicker way than `dumps`."""
        return b""

    def open(self, value: object) -> Opened | None:
        """Take an extension apart in which there lies one value, and nothing else.

        What does not come out byte for byte as it lies there is kept in one piece.
        """
        if not isinstance(value, Opaque):
            return None
        try:
            code, inside = self._code(value), self.loads(value.data)
            same = self.dumps(inside) == value.data
        except (Corrupt, Invalid, Refused):  # it may hold anything
            return None
        return Opened(code, b"", inside) if same and code >= 0 else None

    def _opaque(self, code: int, data: bytes) -> Opaque:
        return Opaque(f"{self._name}:{code}", data)

    def _write(self, value: Value, forms: list[bytes], depth: int) -> None:
        kind = value.__class__
        if kind is Opaque:
            forms.append(_extension(self._code(value), value.data))
        elif kind is not list and kind is not dict:
            forms.append(_scalar(value))
        elif depth >= MAX_DEPTH:
            reason = f"nests deeper than max_depth, which is {MAX_DEPTH}"
            raise Refused(reason, code="too_deep", kind=kind)
        elif kind is list:
            forms.append(_list_head(value))
            for at, item in enumerate(value):
                self._item(value, item, in_list(value, at), forms, depth)
        else:
            forms.append(_dict_head(value))
            for key, item in value.items():
                try:
                    forms.append(_key(key))
                except Refused as refused:
                    refused.path.append((id(value), f"{in_dict(key)}<key>"))
                    raise
                self._item(value, item, in_dict(key), forms, depth)

    def _item(self, owner: object, item: object, step: str, forms: list[bytes], depth: int) -> None:
        try:
            self._write(item, forms, depth + 1)
        except Refused as refused:
            refused.path.append((id(owner), step))
            raise

    def _code(self, value: Opaque) -> int:
        name, _, digits = value.tag.rpartition(":")
        try:
            code = int(digits)
        except ValueError:
            code = _CODES.stop
        if name != self._name or str(code) != digits or code not in _CODES:
            reason = f"has the tag {value.tag!r}, which is no extension type of {self._name!r}"
            raise Refused(reason, code="unknown_type", kind=Opaque)
        return code


def _scalar(value: object) -> bytes:
    kind = type(value)
    if kind not in _SCALARS:
        reason = f"is a {kind.__qualname__}, which MessagePack does not hold by itself"
        raise Refused(reason, code="unknown_type", kind=kind)
    try:
        return packb(value, option=OPTIONS)
    except TypeError as error:
        reason = f"cannot be written as MessagePack: {error}"
        raise Refused(reason, code="unknown_type", kind=kind) from error


def _key(key: Value) -> bytes:
    # Lists that are keys are read as tuples, which can be keys.
    if key.__class__ is tuple:
        return _list_head(key) + b"".join(map(_key, key))
    return _scalar(key)


def _list_head(items: Sequence[object]) -> bytes:
    return packb([None] * len(items))[: -len(items) or None]


def _dict_head(items: Mapping[object, object]) -> bytes:
    size = len(items)
    if size <= _FIX_MAP_MOST:
        return bytes([_FIX_MAP + size])
    return _MAP_16 + size.to_bytes(2) if size < 1 << 16 else _MAP_32 + size.to_bytes(4)


def _extension(code: int, data: bytes) -> bytes:
    # By hand: ormsgpack does not write the codes below 0, which belong to MessagePack itself.
    size = len(data)
    if size in _FIXED:
        head = bytes([_FIXED[size]])
    else:
        width = 1 if size < 1 << 8 else 2 if size < 1 << 16 else 4
        head = bytes([_EXTENSIONS[width]]) + size.to_bytes(width)
    return head + code.to_bytes(1, signed=True) + data
