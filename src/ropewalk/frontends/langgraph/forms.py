"""`Forms`: what the serializer made of messages, remembered by all that it looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from .generations import MOST, Generations
from .plain import held_by, is_faithful, made_of
from .replicas import Replicas

if TYPE_CHECKING:
    from ...services.storage import Storage

_Look: TypeAlias = tuple[tuple[type, ...], bool, bytes]
"""The classes of models, whether they are a list, and all that they hold."""

_Known: TypeAlias = tuple[_Look, bytes]
"""What was looked for, and its form."""

_LONGEST: Final = 256 * 1024
"""A longer form is not remembered."""

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
        self._known: Generations[_Look, _Known] = Generations()
        self._near: dict[int, _Known] = {}
        self.replicas: Final = Replicas()
        self._turns = 0

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
        held = held_by(items)
        if held is None:
            return None
        look = tuple(map(type, items)), is_list, held
        # The first object is a guess at what is looked for, which spares a hash over all of it.
        known = self._near.get(id(items[0]))
        if known is None or known[0] != look:
            known = self._known.get(look) or self._made(look, write, like)
            if known is None:
                return None
            if len(self._near) >= MOST or self._turns != self._known.turns:
                self._near.clear()
                self._turns = self._known.turns
            self._near[id(items[0])] = known
        return known[1]

    def _is_plain(self, kind: type) -> bool:
        if BaseModel not in kind.__mro__:
            return False
        plain = self._plain.get(kind)
        if plain is None:
            plain = self._plain[kind] = writes_plainly(kind)
        return plain

    def _made(
        self, look: _Look, write: Callable[[object], bytes | None], like: bytes
    ) -> _Known | None:
        """Make a form that was asked for before; the first time it is left to the serializer."""
        kinds, is_list, held = look
        if len(held) > _LONGEST or not all(map(self._is_plain, kinds)):
            return None
        if self._known.is_new(look) or not is_faithful(held):
            return None
        copies = made_of(held, kinds)
        form = write(copies if is_list else copies[0])
        if form is None:
            return None
        known = look, like if form == like else form
        self._known.keep(look, known, weight=len(held) + len(form))
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
