"""`Statements`: entities as another program states them: written whole, and taken away singly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

from ..domain.session import Interaction, Session
from ..domain.thread import Branch, Snapshot, Thread
from ..stores.sessions import InteractionStore, SessionStore
from ..stores.threads import BranchStore, SnapshotStore, ThreadStore

if TYPE_CHECKING:
    from ..domain.change import Change
    from ..stores.base import EntityStore
    from .desk import Desk

Stated: TypeAlias = Session | Interaction | Thread | Branch | Snapshot
E = TypeVar("E", bound=Stated)

_STORES: Final[dict[type[Stated], type[EntityStore[Any]]]] = {
    Session: SessionStore,
    Interaction: InteractionStore,
    Thread: ThreadStore,
    Branch: BranchStore,
    Snapshot: SnapshotStore,
}


class Statements:
    """Writing for programs that hand over whole entities and keep their own rules.

    What depends on an entity stays where it is: references may lead nowhere afterwards, as those
    of imported data do. The managers keep house; use them wherever you can.
    """

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk
        self._stores: dict[type[Stated], EntityStore[Any]] = {
            entity: store(desk.backend, desk.sealer, space=desk.space)
            for entity, store in _STORES.items()
        }

    async def find(self, kind: type[E], id: str) -> E | None:
        """Return an entity by its id alone, or `None`."""
        store = self._stores[cast("type[Stated]", kind)]
        found: E | None = await store.find(id)
        return found

    async def write(self, *entities: Stated) -> None:
        """Write entities as they are, in place of those that have the ids: all or none.

        Raises `Conflict` where somebody else changed one of them meanwhile, and `Invalid` for
        what cannot be kept.
        """
        keys = [self._stores[type(entity)].key(entity.id) for entity in entities]
        there = await self._desk.backend.get(keys, bodies=False)
        changes: list[Change] = [
            await self._stores[type(entity)].put(entity, expect=record.version if record else 0)
            for entity, record in zip(entities, there, strict=True)
        ]
        if changes:
            await self._desk.commit(changes)

    async def remove(self, kind: type[Stated], *ids: str) -> int:
        """Take entities of one kind away, and nothing else; return how many were there."""
        store = self._stores[kind]
        there = await self._desk.backend.get([store.key(id_) for id_ in ids], bodies=False)
        changes: list[Change] = [
            store.remove(record.key.id, expect=record.version)
            for record in there
            if record is not None
        ]
        if changes:
            await self._desk.commit(changes)
        return len(changes)
