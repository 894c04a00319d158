"""`Grove`: what everybody shares who works with the states of one space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.change import Delete
from ...stores.checkpoints import CheckpointStore
from ...stores.writes import WriteStore
from .forest import Forest
from .memos import Memos
from .planter import Planter
from .training import Training

if TYPE_CHECKING:
    from ...domain.change import Change
    from ...domain.ports import Values
    from ..desk import Desk


class Grove:
    """The headers, the nodes and the training of one space, and one planter for each form."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self.store = CheckpointStore(desk.backend, desk.sealer, space=desk.space)
        self.writes = WriteStore(desk.backend, desk.sealer, space=desk.space)
        self.forest = Forest(desk)
        self.memos = Memos()
        self.training = Training(self.forest, desk.sealer)

    def planter(self, values: Values) -> Planter:
        """Return who plants states in this form of values."""
        return Planter(self._desk, self.forest, self.memos, values)

    def forget_head(self, thread_id: str) -> Change:
        """Make the change that removes what a thread's writers compare."""
        return Delete(key=self.forest.head_key(thread_id))
