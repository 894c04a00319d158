"""LangGraph's metadata in the header of a checkpoint, and what of it only the state can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, get_checkpoint_metadata

REST: Final = "~rest"
"""The names of the metadata that stand in the state; its presence says that there are any."""

_PARENTS: Final = "parents"
_NO_PARENTS: Final = "~no_parents"
_OURS: Final = "~"
_MAX_DEPTH: Final = 32
_SCALARS: Final = frozenset({type(None), bool, int, float})
_ODD: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Parts:
    """Metadata taken apart: what the header holds, and what has to go into the state."""

    header: dict[str, Any]
    rest: dict[str, Any]


def taken(config: RunnableConfig, metadata: CheckpointMetadata) -> Parts:
    """Take the metadata of a checkpoint apart, with what the run's configuration adds to them.

    The header shows and finds them: so it gets everything that JSON could hold. Empty `parents`,
    which almost every checkpoint has, cost nothing.
    """
    whole = cast("Mapping[object, Any]", get_checkpoint_metadata(config, metadata))
    header: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in whole.items():
        if isinstance(name, str) and not name.startswith(_OURS) and is_unicode(name):
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


def has_rest(header: Mapping[str, Any]) -> bool:
    """Tell whether some of the metadata stand in the state."""
    return REST in header


def restored(header: Mapping[str, Any], rest: Mapping[str, Any]) -> dict[str, Any]:
    """Put metadata together again."""
    whole = {name: value for name, value in header.items() if not name.startswith(_OURS)}
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
