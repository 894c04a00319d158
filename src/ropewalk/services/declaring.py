"""`Declarations`: which labels of which kinds a space has declared to be indexed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.declared import DECLARED, DeclaredIndex, declared_by
from ..domain.errors import NotFound
from ..domain.query import Query

if TYPE_CHECKING:
    from .desk import Desk


class Declarations:
    """Declare indexes of labels, take them back, list them.

    Responsible for the declarations; whether a back end makes an index of one is its own affair,
    and the answers are the same either way.
    """

    def __init__(self, desk: Desk) -> None:
        """Declare for the desk's space."""
        self._desk = desk

    async def declare(self, kind: str, label: str) -> DeclaredIndex:
        """Declare an index, which is there when this returns; declared twice, it stays one."""
        index = DeclaredIndex(kind, label)
        (found,) = await self._desk.backend.get([index.key(self._desk.space)], bodies=False)
        if found is None:
            await self._desk.commit([index.put(self._desk.space)])
        return index

    async def drop(self, kind: str, label: str) -> None:
        """Take a declaration back; raise `NotFound` where there is none."""
        index = DeclaredIndex(kind, label)
        applied = await self._desk.commit([index.drop(self._desk.space)])
        if applied.previous == (0,):
            message = (
                f"space {self._desk.space!r} has declared no index of label {label!r} for kind "
                f"{kind!r}; storage.indexes() lists those it has"
            )
            raise NotFound(message, code="no_index", kind=kind, label=label)

    async def list(self) -> tuple[DeclaredIndex, ...]:
        """Return the declarations of the space, oldest first."""
        query = Query(space=self._desk.space, kinds=(DECLARED,), bodies=False)
        found = [declared_by(record) async for record in self._desk.backend.scan(query)]
        return tuple(index for index in found if index is not None)
