"""A checkpoint of LangGraph as one of ours: its id, the keys of its state, and its metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from .errors import Invalid
from .limits import MAX_ID_BYTES

LANGGRAPH: Final = "langgraph"
"""The name of the form in which LangGraph's serializer writes values."""

TYPED: Final = 31
"""The extension that holds what the serializer gave in another form than MessagePack.

In it stands the name of the form and then the bytes. LangGraph's own codes begin at 0, those of
Ropewalk's values at 32 and those of its trees at 100.
"""

CHECKPOINT: Final = "~checkpoint"
"""The key under which everything of a checkpoint stands but the values of its channels."""

METADATA: Final = "~metadata"
"""The key under which the metadata stand that fit into no header."""

GROUP: Final = "~channels"
"""The key under which all channels stand where they are too many to stand on top."""

MOST: Final = 200
"""The most channels that stand on top, each under its own name."""

REST: Final = "~rest"
"""The names of the metadata that stand in the state; its presence says that there are any."""

_MARK: Final = "~"
_PARENTS: Final = "parents"
_NO_PARENTS: Final = "~no_parents"
_MAX_DEPTH: Final = 32
_SCALARS: Final = frozenset({type(None), bool, int, float})
_ODD: Final[Any] = object()

_SEPARATOR: Final = "+"
_ESCAPE: Final = ","

# The separator is the smallest character that an encoded id can hold, so that the order of ids is
# kept: `1` stands before `10`, as `1+...` before `10+...`.
_LOW: Final = re.compile("[\x00-,]")
_ESCAPED: Final = re.compile(",([0-9a-f]{2})")
_RESERVED: Final = re.compile("[+,]")


def place_id(checkpoint_id: str, thread_id: str, namespace: str) -> str:
    """Make one id of the three by which LangGraph finds a checkpoint.

    LangGraph keeps one checkpoint id in several threads and namespaces (a copy of a thread keeps
    the ids); an id of ours stands once in a space. So the three are made one, reversibly, in a
    way that sorts as the checkpoint ids do within a thread and a namespace. Raises `Invalid`
    where it would be too long.
    """
    thread = _RESERVED.sub(_escaped, thread_id)
    id_ = f"{before(checkpoint_id)}{_SEPARATOR}{thread}"
    if namespace:
        id_ += _SEPARATOR + namespace
    size = len(id_.encode(errors="replace"))
    if size > MAX_ID_BYTES:
        message = (
            f"checkpoint id, thread id and namespace take {size} bytes together; max_id_bytes "
            f"is {MAX_ID_BYTES}: use a shorter thread id, or nest subgraphs less deep"
        )
        raise Invalid(message, code="too_long", field="thread_id", limit="max_id_bytes")
    return id_


def parsed_id(id: str) -> tuple[str, str, str]:
    """Return checkpoint id, thread id and namespace; raise `Invalid` for an id of another kind."""
    parts = id.split(_SEPARATOR, 2)
    if len(parts) == 1:
        message = f"{id!r} is no id of a LangGraph checkpoint"
        raise Invalid(message, code="bad_id", field="id")
    namespace = parts[2] if len(parts) > 2 else ""  # noqa: PLR2004 (thread and namespace)
    return _decoded(parts[0]), _decoded(parts[1]), namespace


def before(checkpoint_id: str) -> str:
    """Return the bound right before the ids of all checkpoints that are called so."""
    return _LOW.sub(_escaped, checkpoint_id)


def behind(checkpoint_id: str) -> str:
    """Return the bound right behind the ids of all checkpoints that are called so."""
    return before(checkpoint_id) + _ESCAPE


def _escaped(match: re.Match[str]) -> str:
    return f"{_ESCAPE}{ord(match[0]):02x}"


def _decoded(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def channel_key(channel: str) -> str:
    """Return the key of a channel; a name that begins like a key of ours gets one more mark."""
    return _MARK + channel if channel.startswith(_MARK) else channel


def is_channel(key: str) -> bool:
    """Tell whether a key of a state is that of a channel."""
    return not key.startswith(_MARK) or key.startswith(_MARK * 2)


def channel_of(key: str) -> str:
    """Return the channel whose value stands under a key."""
    return key.removeprefix(_MARK)


def is_grouped(channels: Mapping[str, object]) -> bool:
    """Tell whether the channels of a checkpoint stand together under one key."""
    return len(channels) > MOST or not all(map(is_unicode, channels))


@dataclass(frozen=True, slots=True)
class Parts:
    """Metadata taken apart: what the header holds, and what has to go into the state."""

    header: dict[str, Any]
    rest: dict[str, Any]


def parted(metadata: Mapping[Any, Any]) -> Parts:
    """Take metadata apart.

    The header shows and finds them: so it gets everything that JSON could hold. Empty `parents`,
    which almost every checkpoint has, cost nothing.
    """
    header: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in cast("Mapping[object, Any]", metadata).items():
        if isinstance(name, str) and not name.startswith(_MARK) and is_unicode(name):
            plain = _plain(value, _MAX_DEPTH)
            if plain is not _ODD:
                header[name] = plain
                continue
        rest[cast("str", name)] = value
    if header.get(_PARENTS) == {}:
        del header[_PARENTS]
    elif _PARENTS not in header:
        header[_NO_PARENTS] = True
    if rest:
        header[REST] = [str(name) for name in rest]
    return Parts(header, rest)


def restored(header: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Put metadata together again."""
    whole = {name: value for name, value in header.items() if not name.startswith(_MARK)}
    if _PARENTS not in whole and _NO_PARENTS not in header:
        whole[_PARENTS] = {}
    return {**whole, **rest}


def _plain(value: Any, depth: int) -> Any:  # noqa: ANN401 (any metadata)
    """Return the value as JSON would give it back, a tuple as a list, or `_ODD`."""
    kind = type(cast("object", value))
    if kind in _SCALARS or (kind is str and is_unicode(value)):
        return value
    if depth and (kind is list or kind is tuple):
        items = [_plain(item, depth - 1) for item in value]
        return _ODD if any(item is _ODD for item in items) else items
    if depth and kind is dict:
        named = cast("dict[object, object]", value)
        if all(type(name) is str and is_unicode(name) for name in named):
            inner = {name: _plain(item, depth - 1) for name, item in named.items()}
            return _ODD if any(item is _ODD for item in inner.values()) else inner
    return _ODD


def is_unicode(value: str) -> bool:
    """Tell whether there is no lone surrogate in a text: LangGraph's serializer replaces them."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
