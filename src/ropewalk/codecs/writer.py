"""Walk through a value of any supported type and make of it what MessagePack can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final, TypeAlias

from ormsgpack import Ext, packb

from ..domain.ports import Opened
from . import arrays
from . import format as code
from .allowlist import Opaque, TypeRegistry
from .containers import LAYOUTS, UNORDERED, in_dict, in_list
from .format import MAX_DEPTH, MAX_TYPED_DEPTH, OPTIONS, Value
from .quick import packed, shallow
from .refusal import Refused
from .scalars import WRITERS, text
from .shapes import FIELDS, Shape, derive, is_model

Plain: TypeAlias = Any
"""What ormsgpack packs without a question: plain values, and `Ext` for all others."""

Way: TypeAlias = Callable[[Value, int, int], Plain]

_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1


class Writer:
    """Turn values into `Plain` ones, by exact type; raises `Refused` with the path of the culprit.

    Counts how deep it goes: `depth` containers of any sort around a value, and `typed` of those
    that are written as values of their own (at most `MAX_DEPTH` and `MAX_TYPED_DEPTH`). One writer
    may serve several threads.
    """

    def __init__(self, types: TypeRegistry) -> None:
        """Write the classes that `types` knows."""
        self._types = types
        self._ways: dict[type, Way] = {
            **dict.fromkeys((type(None), bool, float, bytes), _as_it_is),
            **dict.fromkeys(WRITERS, _leaf),
            **dict.fromkeys(LAYOUTS, self._container),
            int: _integer,
            str: _text,
            list: self._list,
            dict: self._dict,
            Opaque: _opaque,
        }

    def plain(self, value: object) -> Plain:
        """Return `value` in its plain form."""
        return self._plain(value, 0, 0)

    def open(self, value: object) -> Opened | None:
        """Return the typed value in its parts, or `None` where it is written in one piece."""
        kind = type(value)
        if kind in LAYOUTS:
            return _opened(value)
        if kind in self._ways or issubclass(kind, Enum) or arrays.is_numpy(kind):
            return None
        shape = self._types.shape(kind)
        if shape is None:
            raise _unregistered(value)
        return Opened(code.TYPED, _tag_bytes(shape.tag), _made(value, shape))

    def _plain(self, value: object, depth: int, typed: int) -> Plain:
        return self._ways.get(type(value), self._registered)(value, depth, typed)

    def _items(
        self,
        owner: object,
        items: Iterable[object],
        name: Callable[[int], str],
        depth: int,
        typed: int,
    ) -> list[Plain]:
        if depth >= MAX_DEPTH:
            reason = f"nests deeper than max_depth, which is {MAX_DEPTH}"
            raise Refused(reason, code="too_deep", kind=type(owner))
        found: list[Plain] = []
        way, other = self._ways.get, self._registered
        try:
            for item in items:
                # How many are found says where it failed.
                found.append(way(type(item), other)(item, depth + 1, typed))  # noqa: PERF401
        except Refused as refused:
            refused.path.append((id(owner), name(len(found))))
            raise
        return found

    def _list(self, value: list[Value], depth: int, typed: int) -> Plain:
        return self._items(value, value, lambda at: in_list(value, at), depth, typed)

    def _dict(self, value: dict[Value, Value], depth: int, typed: int) -> Plain:
        if not all(map(_is_plain_key, value)):
            return self._container(value, depth, typed)
        keys = list(value)
        items = self._items(value, value.values(), lambda at: in_dict(keys[at]), depth, typed)
        return dict(zip(keys, items, strict=True))

    def _container(self, value: Value, depth: int, typed: int) -> Ext:
        _check_typed(value, typed)
        layout = LAYOUTS[value.__class__]
        items = layout.items(value)
        if layout.code not in UNORDERED and (data := _quick(items, depth)) is not None:
            return Ext(layout.code, data)
        found = self._items(value, items, lambda at: layout.step(items, at), depth, typed + 1)
        if layout.code in UNORDERED:
            # An array of sorted items, built by hand: its head, then each as it was packed.
            head = packb([None] * len(found))[: -len(found) or None]
            return Ext(layout.code, head + b"".join(sorted(map(_packed, found))))
        return Ext(layout.code, _packed(found))

    def _registered(self, value: object, depth: int, typed: int) -> Ext:
        kind = type(value)
        if arrays.is_numpy(kind):
            return arrays.write(value)
        shape = self._types.shape(kind)
        if shape is None:
            raise _unregistered(value)
        _check_typed(value, typed)
        try:
            made = _made(value, shape)
            data = _quick(made, depth)
            if data is None:
                data = _packed(self._plain(made, depth, typed + 1))
            return _tagged(shape.tag, data)
        except Refused as refused:
            # The fields of a model lie one level deeper in the plain form than in the program.
            if is_model(kind) and refused.path and refused.path[-1][1] == in_dict(FIELDS):
                refused.path.pop()
            refused.path.append((id(value), ""))
            raise


def _as_it_is(value: Value, _depth: int, _typed: int) -> Plain:
    return value


def _leaf(value: Value, _depth: int, _typed: int) -> Ext:
    return WRITERS[type(value)](value)


def _integer(value: int, _depth: int, _typed: int) -> Plain:
    return value if _LEAST <= value <= _MOST else WRITERS[int](value)


def _text(value: str, _depth: int, _typed: int) -> Plain:
    return value if _is_unicode(value) else text(value)


def _opaque(value: Opaque, _depth: int, _typed: int) -> Ext:
    return _tagged(value.tag, value.data)


def _made(value: object, shape: Shape) -> Value:
    try:
        return shape.to_plain(value)
    except Refused:
        raise
    except Exception as error:
        reason = (
            f"holds a {shape.cls.__qualname__} that cannot be made plain: "
            f"{type(error).__name__}: {error}"
        )
        raise Refused(reason, code="to_plain_failed", kind=shape.cls) from error


def _quick(value: object, depth: int) -> bytes | None:
    """Pack what needs no walk, where it is certain that it does not nest too deep."""
    data = packed(value)
    return data if data is not None and shallow(data, MAX_DEPTH - depth) else None


def _packed(plain: Plain) -> bytes:
    return packb(plain, option=OPTIONS)


def _opened(value: Value) -> Opened | None:
    layout = LAYOUTS[type(value)]
    if layout.code in UNORDERED or (layout.code == code.MAP and all(map(_is_plain_key, value))):
        return None
    return Opened(layout.code, b"", layout.items(value))


def _tagged(tag: str, data: bytes) -> Ext:
    return Ext(code.TYPED, _tag_bytes(tag) + data)


def _tag_bytes(tag: str) -> bytes:
    name = tag.encode()
    return bytes([len(name)]) + name


def _is_unicode(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_plain_key(key: object) -> bool:
    return type(key) is str and _is_unicode(key)


def _check_typed(value: object, typed: int) -> None:
    if typed >= MAX_TYPED_DEPTH:
        reason = (
            f"nests more than {MAX_TYPED_DEPTH} typed values (max_typed_depth) inside one another"
        )
        raise Refused(reason, code="too_deep", kind=type(value))


def _unregistered(value: object) -> Refused:
    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, type | FunctionType | BuiltinFunctionType | MethodType | ModuleType):
        reason = f"holds {value!r}: code cannot be kept, only values"
    elif kind is memoryview:
        reason = "holds a memoryview, which is only a view of other data; make it bytes"
    elif derive(kind) is not None:
        reason = f"holds a {name}, which is not registered; call ropewalk.register_type({name})"
    else:
        reason = (
            f"holds a {name}, which is not registered; "
            f"call ropewalk.register_type({name}, to_plain=..., from_plain=...)"
        )
    return Refused(reason, code="unknown_type", kind=kind)
