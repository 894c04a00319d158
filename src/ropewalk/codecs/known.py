"""Classes of other libraries that agents keep so often that nobody should have to register them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

_MESSAGES: Final = (
    *("AIMessage", "AIMessageChunk", "ChatMessage", "ChatMessageChunk", "FunctionMessage"),
    *("FunctionMessageChunk", "HumanMessage", "HumanMessageChunk", "RemoveMessage"),
    *("SystemMessage", "SystemMessageChunk", "ToolMessage", "ToolMessageChunk"),
)

KNOWN: Final[Mapping[str, str]] = {
    "langchain.Document": "langchain_core.documents:Document",
    **{f"langchain.{name}": f"langchain_core.messages:{name}" for name in _MESSAGES},
}
"""Tags and the places of their classes; this list alone says what is imported, never the data."""


def find(place: str) -> type | None:
    """Return the class at "module:Class", or `None` where the library or the class is missing."""
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:  # not an error here: the library is not installed
        return None
    return found if isinstance(found, type) else None


def tag_of(cls: type, known: Mapping[str, str]) -> str | None:
    """Return the tag under which `known` lists this very class, if it does."""
    for tag, place in known.items():
        module, _, name = place.partition(":")
        library = module.partition(".")[0]
        if (name, library) == (cls.__name__, cls.__module__.partition(".")[0]):
            return tag if find(place) is cls else None
    return None
