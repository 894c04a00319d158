"""`Replicas`: messages that were read before, made again without asking the serializer."""

from __future__ import annotations

from typing import Final, NamedTuple, cast

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.checkpoint.serde.base import SerializerProtocol

from .generations import Generations
from .plain import held_by, is_faithful, made_of

_KINDS: Final = frozenset({AIMessage, HumanMessage, SystemMessage, ToolMessage})
"""What the serializer makes of one of these follows from its form alone, whatever is allowed."""

_LONGEST: Final = 512 * 1024
"""A longer list is read anew each time."""

_MODEL: Final = 5
"""The extension in which the serializer writes models."""

_LIST_HEADS: Final = {**dict.fromkeys(range(0x90, 0xA0), 1), 0xDC: 3, 0xDD: 5}
"""The first byte of a list, and how long its head is."""

_CODES: Final = {0xC7: 2, 0xC8: 3, 0xC9: 5}
"""The first byte of an extension of any length, and how far behind it its code is."""


class _Original(NamedTuple):
    """What a list of messages was when it had just been read."""

    kinds: tuple[type, ...]
    held: bytes
    given: tuple[frozenset[str], ...]


class Replicas:
    """Make the messages of a list from what the serializer made of the same bytes before.

    Each call gives new objects that share nothing, and hold what the serializer would put into
    them, down to which fields count as set. Reading a message anew takes five times as long, as
    all of it is validated. Lists of other things are left to the serializer.

    What was read twice and lately is kept. May be used from several threads at once.
    """

    def __init__(self) -> None:
        """Begin without originals."""
        self._originals: Generations[bytes, _Original] = Generations()

    def of(self, data: bytes) -> list[object] | None:
        """Return the messages of a list in this form, `None` where the serializer is to read it."""
        if len(data) > _LONGEST or not _is_of_models(data):
            return None
        known = self._originals.get(data)
        return None if known is None else made_of(known.held, known.kinds, known.given)

    def learn(self, data: bytes, made: object) -> None:
        """Take in what the serializer made of a list, which nobody has changed yet."""
        if len(data) > _LONGEST or not _is_of_models(data) or type(made) is not list:
            return
        models = cast("list[object]", made)
        kinds = tuple(map(type, models))
        if not _KINDS.issuperset(kinds) or self._originals.is_new(data):
            return
        messages = cast("list[HumanMessage]", models)
        held = held_by(messages)
        if held is None or any(each.__pydantic_private__ is not None for each in messages):
            return
        if is_faithful(held):
            given = tuple(frozenset(each.model_fields_set) for each in messages)
            original = _Original(kinds, held, given)
            self._originals.keep(data, original, weight=len(data) + len(held))


def reads_plainly(serde: SerializerProtocol) -> bool:
    """Tell whether nobody put a function of their own into a serializer that composes."""
    return getattr(serde, "_custom_unpack_ext_hook", None) is False


def _is_of_models(data: bytes) -> bool:
    """Tell whether these bytes begin as those of a list of models."""
    at = _LIST_HEADS.get(data[0]) if data else None
    if at is None or len(data) < at + max(_CODES.values()) + 1:
        return False
    code = _CODES.get(data[at])
    return code is not None and data[at + code] == _MODEL
