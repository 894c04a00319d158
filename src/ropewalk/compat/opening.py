"""Stores by the names and the places that the old classes take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

from ..config import Config
from ..domain.errors import Invalid
from ..domain.spelling import did_you_mean
from ..factory import open as open_store
from ..services.blocking import run
from .storage import UnifiedStorage

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

T = TypeVar("T")

FILE_NAME: Final = "ropewalk.db"
"""What the store is called in a folder that an old class is given."""

_KEYS: Final = ("url", "path", "space", "options")


def opened(target: str | Config, **how: Any) -> UnifiedStorage:  # noqa: ANN401 (what `ropewalk.open` takes)
    """Open the store of a URL or a configuration; blocks until it is open."""
    return UnifiedStorage(run(open_store(target, **how).__aenter__()))


def opened_in(folder: str | Path) -> UnifiedStorage:
    """Open the store in a folder, which is made if need be."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    return opened_file(place / FILE_NAME)


def opened_file(file: str | Path) -> UnifiedStorage:
    """Open the SQLite store in a file; its folder is made if need be."""
    place = Path(file).absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    return opened(f"sqlite:///{quote(str(place), safe='/')}")


def opened_in_memory() -> UnifiedStorage:
    """Open a store of its own that is gone at the end of the process."""
    return opened("memory://")


def opened_as(type: str, config: Mapping[str, Any]) -> UnifiedStorage:
    """Open a store of a type that Ropewalk has, by a configuration.

    Its keys are `url`, or `path` for what is on a disk, and `space` and `options`, as
    `ropewalk.open` takes them.
    """
    for name in config:
        if name not in _KEYS:
            message = f"the configuration has an unknown key {name!r}; {did_you_mean(name, _KEYS)}"
            raise Invalid(message, code="unknown_key", field=name)
    how = {name: config[name] for name in ("space", "options") if config.get(name)}
    if config.get("url"):
        return opened(str(config["url"]), **how)
    if type == "memory":
        return opened("memory://", **how)
    if not config.get("path"):
        message = f"a storage of type {type!r} needs a path, or a url"
        raise Invalid(message, code="missing", field="path")
    place = Path(str(config["path"])).absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    return opened(f"{type}:///{quote(str(place), safe='/')}", **how)


def waited(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end for a caller who cannot await."""
    return run(work)
