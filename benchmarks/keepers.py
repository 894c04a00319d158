"""Who keeps dictionaries: Ropewalk's plain records, and what programs use in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import ropewalk
from ropewalk import Storage
from ropewalk.config import LayerConfig

from . import alchemy, keys
from .aio import Aio
from .raw import Apsw, Loop, Stdlib
from .statements import Row

ROPEWALK: Final = "Ropewalk"
THREADS: Final = "Ropewalk, loop_budget=0"
MEMORY: Final = "Ropewalk, memory"
SAME: Final = "aiosqlite + orjson"
LEAST: Final = "aiosqlite, one statement"
ALCHEMY: Final = "SQLAlchemy, async"
DISKCACHE: Final = "diskcache"
KEY_VALUE: Final = "py-key-value, disk"
KEY_MEMORY: Final = "py-key-value, memory"
STDLIB: Final = "sqlite3, plain loop"
APSW: Final = "apsw, plain loop"

ONLY_KEYS: Final = frozenset({DISKCACHE, KEY_VALUE, KEY_MEMORY})
"""These have no lists."""
IN_MEMORY: Final = frozenset({MEMORY, KEY_MEMORY})


class Keeper(Protocol):
    """A store of dictionaries."""

    async def open(self, documents: Sequence[Row]) -> None:
        """Open a new store and fill it."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        ...

    async def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        ...

    async def save(self, document: Row) -> None:
        """Write one record."""
        ...


class Records:
    """Ropewalk's plain records, opened as everybody opens them where nothing else is said."""

    def __init__(
        self,
        url: str,
        *,
        layers: Sequence[str | LayerConfig] | None = None,
        codecs: Sequence[str] | None = None,
    ) -> None:
        """Begin closed."""
        self._opening = ropewalk.open(url, layers=layers, codecs=codecs)
        self._closing = AsyncExitStack()

    async def open(self, documents: Sequence[Row]) -> None:
        """Open a new store and fill it."""
        self.storage: Storage = await self._closing.enter_async_context(self._opening)
        for start in range(0, len(documents), 1_000):
            await self.storage.records.save_many(documents[start : start + 1_000])

    async def close(self) -> None:
        """Close it."""
        await self._closing.aclose()

    async def load(self, id: str) -> Row | None:
        """Read one record."""
        return await self.storage.records.load(id, type="note")

    async def list(self, session: str, limit: int) -> list[Row]:
        """Read the first records of a session."""
        wanted = {"type": "note", "session_id": session}
        return await self.storage.records.list(wanted, limit=limit)

    async def save(self, document: Row) -> None:
        """Write one record."""
        await self.storage.records.save(document)


_Maker: TypeAlias = Callable[[Path, str], Keeper]

_KEEPERS: Final[Mapping[str, _Maker]] = {
    ROPEWALK: lambda path, sync: Records(f"sqlite:///{path}?sync={sync}"),
    THREADS: lambda path, sync: Records(f"sqlite:///{path}?sync={sync}&loop_budget=0"),
    SAME: lambda path, sync: Aio(path, sync=sync, log=True),
    LEAST: lambda path, sync: Aio(path, sync=sync, log=False),
    ALCHEMY: lambda path, sync: alchemy.Alchemy(path, sync=sync),
    DISKCACHE: lambda path, sync: keys.Diskcache(path, sync=sync),
    KEY_VALUE: lambda path, sync: keys.KeyValue(path, sync=sync),
    MEMORY: lambda path, sync: Records("memory://"),  # noqa: ARG005 (it has no file)
    KEY_MEMORY: lambda path, sync: keys.KeyValue(None, sync=sync),  # noqa: ARG005
}
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    ALCHEMY: alchemy.NEEDS,
    DISKCACHE: keys.DISKCACHE,
    KEY_VALUE: keys.KEY_VALUE,
    KEY_MEMORY: ("key_value", "cachetools"),
}


def _is_there(module: str) -> bool:
    """Tell whether a module can be imported; one within a package that is missing cannot."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def missing(names: Sequence[str] = tuple(_KEEPERS)) -> tuple[str, ...]:
    """Return the names of those whose packages are not installed."""
    return tuple(name for name in names if not all(map(_is_there, _NEEDS.get(name, ()))))


def keepers(folder: Path, sync: str) -> dict[str, Keeper]:
    """Make everybody whose packages are there, each with a file of its own in `folder`."""
    gone, volatile = missing(), sync == "normal"
    return {
        name: make(folder / f"{sync}-{place}.db", sync)
        for place, (name, make) in enumerate(_KEEPERS.items())
        if name not in gone and (volatile or name not in IN_MEMORY)
    }


def loops(folder: Path, sync: str) -> dict[str, Loop]:
    """Make those who need no asyncio."""
    return {
        STDLIB: Stdlib(folder / f"{sync}-stdlib.db", sync=sync),
        APSW: Apsw(folder / f"{sync}-apsw.db", sync=sync),
    }
