"""`SerdeValues`: values in the form that LangGraph's serializer gives them, open to the tree."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import ormsgpack
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from ...domain.errors import Corrupt, Invalid
from ...domain.graph import LANGGRAPH, TYPED
from ...domain.ports import Opened
from .forms import Forms
from .replicas import reads_plainly

_MSGPACK: Final = "msgpack"
_PICKLE: Final = "pickle"
_FALLBACK: Final = "pickle_fallback"
_FORMS: Final = frozenset({"null", "bytes", "bytearray", "json", _MSGPACK})
"""The forms that LangGraph's serializer reads, whatever its settings are."""
_NIL: Final = b"\xc0"
_SNAPSHOT: Final = 7
_EXTENSIONS: Final = {0xC7: 1, 0xC8: 2, 0xC9: 4}
"""The first byte of an extension of any length, and in how many bytes its length follows."""
_FIXED_EXTENSIONS: Final = range(0xD4, 0xD9)
_CONTAINERS: Final = frozenset(bytes([n]) for n in (*range(0x80, 0xA0), 0xDC, 0xDD, 0xDE, 0xDF))
"""The first bytes of lists and dictionaries."""


@dataclasses.dataclass(frozen=True, slots=True)
class Typed:
    """What a serializer made of a whole value: the name of its form, and the bytes."""

    form: str
    data: bytes


class SerdeValues:
    """Write values as a serializer of LangGraph does, so that it reads back what it wrote.

    A value in the serializer's MessagePack stays what it is, byte for byte: MessagePack composes,
    so whoever keeps the items of a list apart can put together what the serializer would have
    made of the list. Everything else (a bytearray, a pickle, what was encrypted, the work of
    another serializer) is kept whole, as `Typed`.
    """

    name: str = LANGGRAPH

    def __init__(self, serde: SerializerProtocol, forms: Forms | None = None) -> None:
        """Write and read with `serde`; `forms` are those of other such values, to be shared."""
        self._serde = serde
        self._forms = Forms() if forms is None else forms
        self.composes = composes(serde)
        """Whether the parts of a value can be written and read on their own."""
        self._is_plain = self.composes and reads_plainly(serde)

    def __eq__(self, other: object) -> bool:
        """Tell whether another one reads with the same serializer."""
        return isinstance(other, SerdeValues) and other._serde is self._serde

    def __hash__(self) -> int:
        """Go by the serializer: a saver makes such values anew at each call."""
        return id(self._serde)

    def prepared(self, value: object) -> object:
        """Return the value of one channel as `dumps` has to be given it.

        Raises `Invalid` for what a serializer that has to see the whole cannot write.
        """
        if not self.composes:
            return Typed(*self._dumped(value))
        if isinstance(value, bytes) and type(value) is not bytes:
            return bytes(value)
        if isinstance(value, bytearray) or getattr(self._serde, _FALLBACK, False):
            form, data = self._dumped(value)
            return Typed(form, data) if form in ("bytearray", _PICKLE) else value
        return value

    def dumps(self, value: object) -> bytes:
        """Write `value`; raise `Invalid` for what the serializer cannot write."""
        formed = self._formed(value)
        return self._plain(value) if formed is None else formed

    def _plain(self, value: object) -> bytes:
        if type(value) is Typed:
            inner = ormsgpack.packb([value.form, value.data])
            return ormsgpack.packb(ormsgpack.Ext(TYPED, inner))
        if value is None:
            return _NIL
        if isinstance(value, bytes | bytearray):
            return ormsgpack.packb(bytes(value))
        form, data = self._dumped(value)
        if form != _MSGPACK:
            raise _refused(value, f"it would have to become {form}")
        return data

    def loads(self, data: bytes, *more: bytes) -> object:
        """Read what `dumps` wrote, in one piece or more, as the serializer reads it.

        Raises `Corrupt` where the serializer cannot read it, and `Invalid` for a form that it is
        not set up to read, such as a pickle.
        """
        if more:
            data = b"".join((data, *more))
        extension = extension_of(data)
        if extension is not None and extension[0] == TYPED:
            return self._loaded(*_typed(extension[1]))
        made: object = self._forms.replicas.of(data) if self._is_plain else None
        if made is not None:
            return made
        if data[:1] in _CONTAINERS and _holds_typed(data):
            return self._mixed(data)
        made = self._loaded(_MSGPACK, data)
        if self._is_plain:
            self._forms.replicas.learn(data, made)
        return made

    def same(self, value: object, form: bytes, *, bare: bool) -> bool:  # noqa: ARG002 (nothing is)
        """Tell whether `dumps` writes `value` in this form."""
        formed = self._formed(value, like=form)
        return (self._plain(value) if formed is None else formed) == form

    def is_bare(self, form: bytes) -> bool:  # noqa: ARG002 (each comparison looks at everything)
        """Say of no form that it is quicker to compare."""
        return False

    def repeats(self, form: bytes) -> bool:
        """Tell whether a form holds no extension: what that becomes the serializer decides."""
        if not self._is_plain:
            return False
        try:
            # Without a hook an extension is an error.
            ormsgpack.unpackb(form, option=ormsgpack.OPT_NON_STR_KEYS)
        except ValueError:
            return False
        return True

    def bare(self, value: object) -> bytes:  # noqa: ARG002 (no form is bare)
        """Write nothing: there is no quicker way than `dumps`."""
        return b""

    def _mixed(self, data: bytes) -> object:
        """Read a list or a dictionary some of whose members are `Typed`."""

        def extension(code: int, payload: bytes) -> object:
            if code == TYPED:
                return self._loaded(*_typed(payload))
            return self._loaded(_MSGPACK, ormsgpack.packb(ormsgpack.Ext(code, payload)))

        try:
            return ormsgpack.unpackb(data, ext_hook=extension, option=ormsgpack.OPT_NON_STR_KEYS)
        except Invalid:
            raise
        except ValueError as error:
            message = "a value is no MessagePack; restore it from a backup"
            raise Corrupt(message, code="bad_value") from error

    def _loaded(self, form: str, payload: bytes) -> object:
        if self.composes and form not in self._readable():
            message = (
                f"the value was kept as {form}, which this serializer does not read: pass the "
                "saver the serializer that wrote it (for pickles with pickle_fallback=True)"
            )
            raise Invalid(message, code="unknown_form", form=form)
        try:
            return self._serde.loads_typed((form, payload))
        except Exception as error:
            message = (
                f"the serializer cannot read a value of form {form} ({type(error).__name__}): it "
                "needs the key and the settings with which it was written, or the value is damaged"
            )
            raise Corrupt(message, code="bad_value", form=form) from error

    def open(self, value: object) -> Opened | None:
        """Take a typed value apart as the serializer writes it, where that can be done.

        The form is compared with what the serializer writes: where they differ, the value is
        kept in one piece.
        """
        if type(value) is Typed:
            head = ormsgpack.packb([value.form, b""])[:-2]
            return Opened(TYPED, head, value.data)
        if not self.composes:
            return None
        extension = extension_of(self.dumps(value))
        inside = None if extension is None else _inside(value)
        if extension is None or inside is None:
            return None
        code, payload = extension
        same = self._in_one_piece(inside) == payload
        return Opened(code, b"", inside) if same else None

    def _formed(self, value: object, *, like: bytes = b"") -> bytes | None:
        """Return the form of messages, which is known for those that were written lately."""
        return self._forms.of(value, self._written, like=like) if self.composes else None

    def _readable(self) -> frozenset[str]:
        return _FORMS | {_PICKLE} if getattr(self._serde, _FALLBACK, False) else _FORMS

    def _dumped(self, value: object) -> tuple[str, bytes]:
        try:
            form, data = self._serde.dumps_typed(value)
        except Exception as error:
            raise _refused(value, str(error)) from error
        return form, bytes(data)

    def _written(self, models: object) -> bytes | None:
        """Return what the serializer makes of models, `None` where it is no MessagePack."""
        try:
            form, data = self._dumped(models)
        except Invalid:  # whoever writes the models themselves gets the error
            return None
        return data if form == _MSGPACK else None

    def _in_one_piece(self, value: object) -> bytes | None:
        try:
            return self.dumps(value)
        except Invalid:  # then the parts are not what the serializer writes
            return None


def composes(serde: SerializerProtocol) -> bool:
    """Tell whether a list that `serde` writes is made of its items as `serde` writes them."""
    kind = type(serde)
    return (
        isinstance(serde, JsonPlusSerializer)
        and kind.dumps_typed is JsonPlusSerializer.dumps_typed
        and kind.loads_typed is JsonPlusSerializer.loads_typed
    )


def _refused(value: object, reason: str) -> Invalid:
    kind = type(value).__qualname__
    message = f"a {kind} cannot be written by the serializer: {reason}"
    return Invalid(message, code="unserializable", type=kind)


def extension_of(data: bytes) -> tuple[int, bytes] | None:
    """Return code and payload of an item of MessagePack that is an extension, or `None`."""
    first = data[0] if data else 0
    if first in _FIXED_EXTENSIONS:
        return data[1], data[2:]
    width = _EXTENSIONS.get(first)
    return None if width is None else (data[width + 1], data[width + 2 :])


def _holds_typed(data: bytes) -> bool:
    """Tell whether a `Typed` may lie in `data`: its code, behind the head of an extension."""
    at = data.find(TYPED, 1)
    while at > 0:
        if data[at - 1] in _FIXED_EXTENSIONS or any(
            at > width and data[at - width - 1] == head for head, width in _EXTENSIONS.items()
        ):
            return True
        at = data.find(TYPED, at + 1)
    return False


def _typed(payload: bytes) -> tuple[str, bytes]:
    try:
        form, data = cast("tuple[object, object]", ormsgpack.unpackb(payload))
    except (TypeError, ValueError) as error:
        message = "a value that stands for itself is damaged; restore it from a backup"
        raise Corrupt(message, code="bad_value") from error
    if isinstance(form, str) and isinstance(data, bytes):
        return form, data
    message = "a value that stands for itself has no form; restore it from a backup"
    raise Corrupt(message, code="bad_value")


def _inside(value: object) -> object | None:
    """Return what LangGraph writes into the extension of a typed value, or `None`."""
    for tells, parts in _PARTS:
        if tells(value):
            return parts(value)
    return None


def is_snapshot(value: object) -> bool:
    """Tell whether a value is what LangGraph stores of a delta channel now and then."""
    kind = type(value)
    return (kind.__module__, kind.__name__) == (
        "langgraph.checkpoint.serde.types",
        "_DeltaSnapshot",
    )


def _named(value: object) -> list[object]:
    kind = type(value)
    return [kind.__module__, kind.__name__]


def _has(name: str) -> Callable[[object], bool]:
    return lambda value: callable(getattr(value, name, None))


def _is_record(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _sent(send: Any) -> list[object]:  # noqa: ANN401 (a type of LangGraph's core)
    timeout = [] if send.timeout is None else [send.timeout]
    return [*_named(send), [send.node, send.arg, *timeout]]


def _array(array: Any) -> list[object]:  # noqa: ANN401 (of numpy, which may be missing)
    by_columns = array.flags.f_contiguous and not array.flags.c_contiguous
    order = "F" if by_columns else "C"
    return [array.dtype.str, list(array.shape), order, array.tobytes(order="A")]


# In LangGraph's own order, as some values are of several kinds.
_PARTS: Final[Sequence[tuple[Callable[[object], bool], Callable[[Any], object]]]] = (
    (is_snapshot, lambda value: value.value),
    (_has("model_dump"), lambda value: [*_named(value), value.model_dump(), "model_validate_json"]),
    (_has("_asdict"), lambda value: [*_named(value), value._asdict()]),
    (lambda v: isinstance(v, set | frozenset | deque), lambda v: [*_named(v), list(v)]),
    (lambda value: _named(value) == ["langgraph.types", "Send"], _sent),
    (
        _is_record,
        lambda v: [*_named(v), {f.name: getattr(v, f.name) for f in dataclasses.fields(v)}],
    ),
    (lambda value: _named(value) == ["numpy", "ndarray"], _array),
)
