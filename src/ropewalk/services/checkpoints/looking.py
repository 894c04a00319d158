"""`Looking`: parts of states, and what differs between two, without reading the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...domain.diff import Diff
from ...trees.differ import compared, differ
from ...trees.path import read_path

if TYPE_CHECKING:
    from ...domain.checkpoint import CheckpointHeader
    from .planter import Planter


class Looking:
    """Reads from trees what was asked for: as many nodes as lie on the way there."""

    def __init__(self, planter: Planter) -> None:
        """Read through `planter`."""
        self._planter = planter

    async def at(self, header: CheckpointHeader, path: str) -> Any:  # noqa: ANN401 (a user's state)
        """Return the part of a checkpoint's state at `path`."""
        root = self._planter.root(header)
        reader = self._planter.reader_of(root)
        return await self._planter.read(header, read_path(reader, root, path))

    async def diff(self, old: CheckpointHeader, new: CheckpointHeader) -> Diff:
        """Tell what differs between the states of two checkpoints."""
        one, other = self._planter.root(old), self._planter.root(new)
        families = [(await self._planter.checked(header)).family for header in (old, new)]
        if families[0] == families[1] and one.values == other.values:
            work = differ(self._planter.reader_of(one), one, other)
            found = await self._planter.read(new, work)
        else:
            _, before = await self._planter.state(old)
            _, after = await self._planter.state(new)
            found = compared(self._planter.reader_of(one), before, after)
        return Diff(old_id=old.id, new_id=new.id, differences=tuple(found))
