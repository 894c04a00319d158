"""`Grove`: what everybody shares who works with the states of one space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...domain.change import Delete
from ...stores.checkpoints import CheckpointStore
from ...stores.writes import WriteStore
from ..dictionaries.training import Plan, Stage, Training
from .forest import Forest
from .memos import Memos
from .planter import Planter

if TYPE_CHECKING:
    from ...domain.change import Change
    from ...domain.ports import Values
    from ..desk import Desk


def _each(_: bytes) -> int:
    return 1


_NODES: Final = Plan(
    stages=(Stage(20, 10 * 1024), Stage(250, 32 * 1024), Stage(5_000, 64 * 1024)),
    weigh=_each,
    measure=len,
    longest=8 * 1024,
    most=2 * 1024 * 1024,
)
"""After so many nodes of content, a dictionary of so many bytes."""


class Grove:
    """The headers, the nodes and the training of one space, and one planter for each form."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self.store = CheckpointStore(desk.backend, desk.sealer, space=desk.space)
        self.writes = WriteStore(desk.backend, desk.sealer, space=desk.space)
        self.forest = Forest(desk)
        self.memos = Memos()
        train = desk.sealer.train
        self.training = Training(
            self.forest, lambda samples, size: train(samples, size=size), _NODES
        )

    def planter(self, values: Values) -> Planter:
        """Return who plants states in this form of values."""
        return Planter(self._desk, self.forest, self.memos, values)

    def forget_head(self, thread_id: str) -> Change:
        """Make the change that removes what a thread's writers compare."""
        return Delete(key=self.forest.head_key(thread_id))
