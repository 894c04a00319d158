"""LangGraph on Ropewalk: its checkpoints, its long-term memory and its cache in one store."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .bridge import opened
    from .bringing import bring
    from .cache import RopewalkCache
    from .saver import RopewalkSaver
    from .store import RopewalkStore

__all__ = ["RopewalkCache", "RopewalkSaver", "RopewalkStore", "bring", "opened"]

_PLACES: Final = {
    "RopewalkCache": "cache",
    "RopewalkSaver": "saver",
    "RopewalkStore": "store",
    "bring": "bringing",
    "opened": "bridge",
}


def __getattr__(name: str) -> object:
    """Import what is asked for, and nothing else: a saver needs no store."""
    place = _PLACES.get(name)
    if place is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(f".{place}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what there is, whether it was asked for or not."""
    return sorted({*globals(), *__all__})
