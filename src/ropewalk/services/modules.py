"""`Modules`: the managers and the plain records, put together over one desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..stores.sessions import SessionStore
from ..stores.threads import ThreadStore
from .checkpoints.grove import Grove
from .checkpoints.manager import Checkpoints
from .dependants import Dependants
from .feed.consumers import Consumers
from .history import History
from .lineage import Lineage
from .memories import Memories
from .records import Records
from .sessions import Sessions
from .statements import Statements
from .states import States
from .threads.branching import Branching
from .threads.manager import Threads
from .threads.merging import Merging, Workshop
from .trail import Trail

if TYPE_CHECKING:
    from ..domain.thread import Thread
    from .desk import Desk


class Modules:
    """Everything a program works with: `sessions`, `threads`, `history`, `checkpoints`, `records`.

    And `memories`: what is known beyond every session. A store has one set, and each unit of work
    another one over its own view.
    """

    def __init__(self, desk: Desk) -> None:
        """Put the managers together over `desk`."""
        parts = desk.backend, desk.sealer
        lineage = Lineage(desk, ThreadStore(*parts, space=desk.space))
        self.records = Records(desk)
        self.memories = Memories(desk)
        self.consumers = Consumers(desk)
        self.history = History(desk, lineage)
        self.statements = Statements(desk)
        grove = Grove(desk)
        self._forget_trees = grove.forest.forget
        self.checkpoints = Checkpoints(desk, lineage, grove, fork=self._fork)
        self.threads = Threads(
            desk,
            lineage,
            Branching(desk, lineage, history=self.history, checkpoints=self.checkpoints),
            history=self.history,
            checkpoints=self.checkpoints,
            merging=Merging(desk, _workshop),
            trail=Trail(desk),
            session_exists=SessionStore(*parts, space=desk.space).exists,
        )
        self.states = States(desk, grove, lineage, self.threads, desk.sealer.values)
        self.sessions = Sessions(
            desk,
            Dependants(threads=self.threads, history=self.history, checkpoints=self.checkpoints),
        )

    async def _fork(self, thread_id: str, *, at: str, name: str, id: str | None) -> Thread:
        return await self.threads.fork(thread_id, at=at, name=name, id=id)


def _workshop(desk: Desk) -> Workshop:
    """Put together over `desk` what a merge works with."""
    modules = Modules(desk)
    lineage = Lineage(desk, ThreadStore(desk.backend, desk.sealer, space=desk.space))

    async def set_metadata(thread_id: str, metadata: dict[str, Any]) -> object:
        return await modules.threads.update(thread_id, metadata=metadata)

    return Workshop(
        lineage=lineage,
        branching=Branching(
            desk, lineage, history=modules.history, checkpoints=modules.checkpoints
        ),
        history=modules.history,
        checkpoints=modules.checkpoints,
        set_metadata=set_metadata,
        now=desk.now,
    )
