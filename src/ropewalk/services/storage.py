"""`Storage`: the open house: four managers, plain records, spaces, units, and its health."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Self

from ..domain.errors import Invalid
from ..domain.query import Query
from ..domain.record import DEFAULT_SPACE, check_name
from .catalog import Catalog
from .desk import Desk
from .modules import Modules
from .unit import Unit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

    from ..domain.change import Commit
    from ..domain.health import Health
    from ..domain.ports import Backend, Capability, Clock, Sealer


class Storage(Modules):
    """One store for everything an agent application must remember.

    `sessions`, `threads`, `history`, `checkpoints` are the managers, `records` the plain ones;
    `catalog` answers for lists and look-ups.
    A handle sees one space; `space()` gives a handle to another one over the same store.
    """

    def __init__(
        self,
        backend: Backend,
        sealer: Sealer,
        clock: Clock,
        *,
        space: str = DEFAULT_SPACE,
        actor: str = "",
        relocate: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Work over `backend` with `sealer` and `clock`; `actor` is written into the feed.

        `relocate` moves everything to the store of another URL while it is in use.
        """
        self._desk = Desk(backend, sealer, clock, check_name(space, field="space"), actor)
        self._relocate = relocate
        self.catalog = Catalog(self._desk)
        super().__init__(self._desk)

    async def open(self) -> Self:
        """Open the store, creating it where there is none."""
        await self._desk.backend.open()
        return self

    async def close(self) -> None:
        """Finish what was accepted and let go of the store, for every handle to it."""
        await self._desk.backend.close()

    async def __aenter__(self) -> Self:
        """Open the store."""
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        await self.close()

    @property
    def space_name(self) -> str:
        """The space that this handle sees."""
        return self._desk.space

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the back end can do."""
        return self._desk.backend.capabilities

    def space(self, name: str) -> Storage:
        """Return a handle to another space of the same open store; it needs no opening."""
        desk = self._desk
        return Storage(
            desk.backend,
            desk.sealer,
            desk.clock,
            space=name,
            actor=desk.actor,
            relocate=self._relocate,
        )

    async def spaces(self) -> dict[str, int]:
        """Return the spaces that hold anything, each with its number of records."""
        everything = Query(space=None, bodies=False)
        rows = await self._desk.backend.tally(everything, (), ("space",))
        return {str(row.group[0]): row.count for row in rows}

    async def kinds(self) -> dict[str, int]:
        """Return the kinds of records in this space, each with its number of records."""
        everything = Query(space=self._desk.space, bodies=False)
        rows = await self._desk.backend.tally(everything, (), ("kind",))
        return {str(row.group[0]): row.count for row in rows}

    def unit(self) -> Unit:
        """Begin a unit of work: `async with storage.unit() as unit:`."""
        return Unit(self._desk)

    async def ping(self) -> Health:
        """Say whether the store does all it promises, and why not."""
        return await self._desk.backend.ping()

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Go through the commits that touched this space, since a sequence number, to the present.

        Changes to other spaces are left out of a commit.
        """
        async for commit in self._desk.backend.feed(after):
            changes = tuple(c for c in commit.changes if c.key.space == self._desk.space)
            if changes:
                yield replace(commit, changes=changes)

    async def switch(self, url: str) -> None:
        """Move everything to the store at `url` while this one is in use, and go on there.

        Every handle follows; nothing is lost and nothing is seen twice. Raises `Invalid` where
        this store was not opened by `ropewalk.open`, and leaves it in place on any error.
        """
        if self._relocate is None:
            message = "this store cannot be switched: it was put together by hand"
            raise Invalid(message, code="unsupported", field="url")
        await self._relocate(url)
