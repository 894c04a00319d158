"""The stores that are measured: LangGraph's saver, and the ways to hand a state to Ropewalk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from .plain import Appended, Fresh, Saved, Trusted
from .savers import DefaultPeer, OnRopewalk, Peer
from .workloads import Put, State


class Contestant(Protocol):
    """A store with the verbs that every workload needs; one object is one open file."""

    async def open(self, path: Path) -> None:
        """Open the file, or make it."""
        ...

    async def close(self) -> None:
        """Close it so that nothing is left beside it."""
        ...

    def prepare(self, put: Put) -> Callable[[], Awaitable[object]]:
        """Make everything that the store does not, and return what is to be timed."""
        ...

    async def fork(self, thread: str, *, source: str, after: int) -> None:
        """Make `thread` continue `source` behind its step number `after`."""
        ...

    async def latest(self, thread: str) -> State:
        """Load the newest state."""
        ...

    async def tail(self, thread: str, count: int) -> Sequence[object]:
        """Load the last `count` messages of the newest state."""
        ...

    async def headers(self, thread: str, count: int) -> int:
        """List the newest `count` checkpoints, and return how many there were."""
        ...

    async def prune(self, thread: str, keep: int) -> int | None:
        """Keep the newest `keep` checkpoints, give the space back, and say how much it is."""
        ...


PEER: Final = "AsyncSqliteSaver"
PEER_NORMAL: Final = "AsyncSqliteSaver, NORMAL"
SAVE: Final = "save"
FRESH: Final = "save, new objects"
TRUSTED: Final = "save, trusted"
APPEND: Final = "append"
SAVER: Final = "RopewalkSaver"

_ALL: Final[Mapping[str, type[Contestant]]] = {
    PEER: DefaultPeer,
    PEER_NORMAL: Peer,
    SAVE: Saved,
    FRESH: Fresh,
    TRUSTED: Trusted,
    APPEND: Appended,
    SAVER: OnRopewalk,
}
NAMES: Final = tuple(_ALL)


def contestants(*names: str) -> dict[str, Contestant]:
    """Make one contestant for each name that this version of Ropewalk has."""
    present = {
        APPEND: Appended.is_there(),
        TRUSTED: Trusted.is_there(),
        SAVER: OnRopewalk.is_there(),
    }
    return {name: _ALL[name]() for name in names if present.get(name, True)}
