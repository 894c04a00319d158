"""`Forms`: what the serializer made of messages, remembered by all that it looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast
from weakref import WeakKeyDictionary

import ormsgpack
from pydantic import BaseModel

if TYPE_CHECKING:
    from ...services.storage import Storage

_Look: TypeAlias = tuple[tuple[type, ...], bytes]
"""The classes of models, and all that they hold."""

_Known: TypeAlias = tuple[_Look, bytes]
"""What was looked for, and its form."""

_PLAIN: Final = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
"""With these, and without a function for the rest, nothing but plain values can be written."""

_MOST_BYTES: Final = 16 * 1024 * 1024
"""Of what was compared and of forms, in one of the two generations."""

_LONGEST: Final = 256 * 1024
"""A longer form is not remembered."""

_MOST: Final = 16 * 1024
"""Of hints, each of which is a few dozen bytes."""

_OVERHEAD: Final = 200

_fields = attrgetter("__dict__")
_extra = attrgetter("__pydantic_extra__")

_NO_CODE: Final = frozenset({"to-string", "format", "include-exclude-sequence", "model"})
"""Ways to write a part of a model that call nothing of a program's own."""


class Forms:
    """Remember what a serializer makes of models, such as messages, that consist of plain values.

    A model may change in place at any time, so that the same object says nothing. What says
    everything is its class and what it holds: by both together this finds the form, and compares
    all of it, byte for byte, each time. That takes a fifth of the time of writing a model.
    Models that write themselves in a way of their own, or hold more than texts, numbers, bytes,
    lists and dictionaries with text keys, are left to the serializer.

    A form is made from copies that were put together out of what is compared. So it is what the
    serializer makes of just that, also where another thread changes a model meanwhile.

    What was asked for twice and lately is kept, in up to 32 MiB. May be used from several threads.
    """

    def __init__(self) -> None:
        """Begin without forms."""
        self._plain: WeakKeyDictionary[type, bool] = WeakKeyDictionary()
        # Two generations: what is asked for in the old one moves to the young one, and when that
        # is full, the old one goes. A look-up that finds something young changes nothing.
        self._young: dict[_Look, _Known] = {}
        self._old: dict[_Look, _Known] = {}
        self._near: dict[int, _Known] = {}
        self._weight = 0
        # The hashes of what was asked for once: the end of a list looks like that only once.
        self._once: set[int] = set()
        self._lock = threading.Lock()

    def of(
        self, value: object, write: Callable[[object], bytes | None], *, like: bytes = b""
    ) -> bytes | None:
        """Return the form of a model or of a list of models; `None` where it is to be written.

        `write` makes the form with the serializer, or `None` where it cannot. Where it is `like`
        one that somebody keeps anyway, that is the one to be kept and returned.
        """
        is_list = type(value) is list
        items = cast("list[object]", value) if is_list else [value]
        if not items or not self._is_plain(type(items[0])):
            return None
        kinds = tuple(map(type, items))
        try:
            held = [list(map(_fields, items)), list(map(_extra, items)), is_list]
            look = kinds, ormsgpack.packb(held, None, _PLAIN)
        except (TypeError, AttributeError):  # they hold more than plain values, or are half made
            return None
        # The first object is a guess at what is looked for, which spares a hash over all of it.
        known = self._near.get(id(items[0]))
        if known is None or known[0] != look:
            known = self._young.get(look) or self._older(look)
            known = known or self._made(look, write, like)
            if known is None:
                return None
            if len(self._near) >= _MOST:
                self._near.clear()
            self._near[id(items[0])] = known
        return known[1]

    def _is_plain(self, kind: type) -> bool:
        if BaseModel not in kind.__mro__:
            return False
        plain = self._plain.get(kind)
        if plain is None:
            plain = self._plain[kind] = writes_plainly(kind)
        return plain

    def _older(self, look: _Look) -> _Known | None:
        known = self._old.get(look)
        return None if known is None else self._keep(*known)

    def _made(
        self, look: _Look, write: Callable[[object], bytes | None], like: bytes
    ) -> _Known | None:
        """Make a form that was asked for before; the first time it is left to the serializer."""
        kinds, held = look
        if len(held) > _LONGEST or not all(map(self._is_plain, kinds)):
            return None
        with self._lock:
            asked = hash(look)
            if asked not in self._once:
                if len(self._once) >= _MOST:
                    self._once.clear()
                self._once.add(asked)
                return None
            self._once.discard(asked)
        copies = _copies(kinds, held)
        form = None if copies is None else write(copies)
        return None if form is None else self._keep(look, like if form == like else form)

    def _keep(self, look: _Look, form: bytes) -> _Known:
        known = look, form
        with self._lock:
            self._young[look] = known
            self._weight += len(look[1]) + len(form) + _OVERHEAD
            if self._weight > _MOST_BYTES:
                self._old, self._young, self._weight = self._young, {}, 0
                self._near = {}
        return known


_shared: WeakKeyDictionary[Storage, Forms] = WeakKeyDictionary()
_sharing: Final = threading.Lock()


def forms_of(storage: Storage) -> Forms:
    """Return the forms that all savers on a store share: some programs make one a request."""
    with _sharing:
        found = _shared.get(storage)
        if found is None:
            found = _shared[storage] = Forms()
        return found


def writes_plainly(kind: type) -> bool:
    """Tell whether what a model writes follows from its class and what it holds alone.

    It does not where the class, or the type of one of its fields, brings code for it.
    """
    if not issubclass(kind, BaseModel) or kind.model_dump is not BaseModel.model_dump:
        return False
    schema = cast("object", kind.__dict__.get("__pydantic_core_schema__"))
    return isinstance(schema, dict) and not _has_code(cast("Mapping[str, object]", schema))


def _has_code(schema: Mapping[str, object]) -> bool:
    waiting: list[object] = [schema]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict | list | tuple) or id(cast("object", part)) in seen:
            continue
        seen.add(id(cast("object", part)))
        if isinstance(part, dict):
            named = cast("dict[object, object]", part)
            how = named.get("serialization")
            if isinstance(how, dict) and cast("dict[str, object]", how).get("type") not in _NO_CODE:
                return True
            if named.get("computed_fields"):
                return True
            waiting += named.values()
        else:
            waiting += cast("Iterable[object]", part)
    return False


def _copies(kinds: Sequence[type], held: bytes) -> object | None:
    """Return models that hold just what was compared, `None` where that cannot be told."""
    try:
        parts = cast("list[Any]", ormsgpack.unpackb(held))
    except ValueError:  # an extension, which means nothing here
        return None
    if ormsgpack.packb(parts, None, _PLAIN) != held:
        return None
    fields, extras, is_list = parts
    copies: list[object] = []
    for kind, own, extra in zip(kinds, fields, extras, strict=True):
        copy = cast("BaseModel", object.__new__(kind))
        state: dict[Any, Any] = {
            "__dict__": own,
            "__pydantic_extra__": extra,
            "__pydantic_fields_set__": set[str](),
            "__pydantic_private__": None,
        }
        BaseModel.__setstate__(copy, state)
        copies.append(copy)
    return copies if is_list else copies[0]
