"""`Declarations`: which labels of which kinds a space has declared to be indexed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..domain.declared import DECLARED, DeclaredIndex, declared_by
from ..domain.errors import NotFound
from ..domain.kept_shape import SLOW_SHAPE, shape_of
from ..domain.labels import PARTIAL
from ..domain.query import Query

_METADATA: Final = "metadata."

if TYPE_CHECKING:
    from ..domain.shape import Shape
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
            # Filters on metadata let pass, too, what has more metadata than labels can hold.
            beside = [DeclaredIndex(kind, PARTIAL)] if label.startswith(_METADATA) else []
            await self._desk.commit([each.put(self._desk.space) for each in (index, *beside)])
        return index

    async def drop(self, kind: str, label: str) -> None:
        """Take a declaration back; raise `NotFound` where there is none."""
        index = DeclaredIndex(kind, label)
        others = [one.label for one in await self.list() if one.kind == kind and one != index]
        is_last = not any(one.startswith(_METADATA) for one in others)
        beside = [DeclaredIndex(kind, PARTIAL)] if is_last else []
        drops = [each.drop(self._desk.space) for each in (index, *beside)]
        applied = await self._desk.commit(drops)
        if not applied.previous[0]:
            message = (
                f"space {self._desk.space!r} has declared no index of label {label!r} for kind "
                f"{kind!r}; storage.indexes() lists those it has"
            )
            raise NotFound(message, code="no_index", kind=kind, label=label)

    async def slow(self) -> tuple[Shape, ...]:
        """Return the slow shapes that were kept in the space, the most expensive first.

        Labels that were declared since are no advice any more; a shape that had only such is out.
        """
        declared = {(index.kind, index.label) for index in await self.list()}
        query = Query(space=self._desk.space, kinds=(SLOW_SHAPE,), bodies=False)
        found: list[Shape] = []
        async for record in self._desk.backend.scan(query):
            shape = shape_of(record)
            if shape is None:
                continue
            open_ = tuple(name for name in shape.labels if (shape.kinds[0], name) not in declared)
            if open_ or not shape.labels:
                found.append(replace(shape, labels=open_))
        return tuple(sorted(found, key=lambda shape: -shape.seconds))

    async def list(self) -> tuple[DeclaredIndex, ...]:
        """Return the declarations of the space, oldest first."""
        query = Query(space=self._desk.space, kinds=(DECLARED,), bodies=False)
        found = [declared_by(record) async for record in self._desk.backend.scan(query)]
        return tuple(index for index in found if index is not None and index.label != PARTIAL)
