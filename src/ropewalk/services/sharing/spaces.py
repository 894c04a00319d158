"""`Spaces`: make, list and delete the spaces of a store."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from ...domain.change import Batch, Delete
from ...domain.errors import Conflict, Invalid
from ...domain.grant import Grant, Mode, Scope
from ...domain.leaning import BODIES, OF, SURE_SECONDS
from ...domain.ports import Capability
from ...domain.query import Condition, Query
from ...domain.record import check_name
from ...domain.seen import Counted
from ...domain.space import Emptied, Space
from ...domain.tally import Tally
from ...stores.grants import GRANT, TO, GrantStore
from ...stores.spaces import SpaceStore
from ...stores.trees import DICTIONARY, SECRET
from ..manager import missing
from .reach import Reach
from .refusal import no_manager

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from ...domain.change import Change
    from ...domain.ports import Backend
    from ...domain.record import Key, Record
    from ..desk import Desk

SPACE: Final = "space"

_WHAT: Final = "space"

_AT_ONCE: Final = 500
"""Records that one batch of a deletion removes."""

_ROUNDS: Final = 8
"""How often a deletion looks again whether somebody has written meanwhile."""


class Spaces:
    """The spaces of a store: which there are, and what becomes of them.

    Responsible for their entries; what is in a space is its modules'. A space need not be made:
    it is there as soon as something is written into it. Only the handle that `ropewalk.open()`
    returned manages them; a confined one can look at its own.
    """

    def __init__(self, desk: Desk, ground: Backend, *, reach: Reach) -> None:
        """Manage the spaces of `ground` in the name of `desk`."""
        self._desk = replace(desk, backend=ground)
        self._reach = reach

    async def create(
        self, name: str, *, description: str = "", members: Sequence[str] = ()
    ) -> Space:
        """Make a space and return it; raise `Conflict` where there is one of this name.

        Each of `members` is another space, and gets a grant to read and write all of it: so
        several spaces share one.
        """
        self._check_manager("creating spaces")
        now = self._desk.now()
        space = Space(name=check_name(name, field="name"), description=description, created_at=now)
        changes: list[Change] = [await self._store(name).put(space, expect=0)]
        grants = GrantStore(self._desk.backend, self._desk.sealer, space=name)
        for member in dict.fromkeys(members):
            if check_name(member, field="members") == name:
                message = f"space {name!r} cannot be a member of itself"
                raise Invalid(message, code="own_space", field="members")
            grant = Grant(space=name, to=member, scope=Scope(), mode=Mode.WRITE, created_at=now)
            changes.append(await grants.put(grant, expect=0))
        nothing = Counted(Query(space=name, bodies=False), (), (), (Tally((), 0, ()),))
        try:
            await self._commit(changes, nothing)
        except Conflict as error:
            message = f"there is a space {name!r} already; choose another name, or describe it"
            raise Conflict(message, code="exists", space=name) from error
        return await self.get(name)

    async def describe(self, name: str, description: str) -> Space:
        """Say what a space is for, and return it; raise `NotFound` where there is none."""
        self._check_manager("describing spaces")
        old = await self.get(name)
        made = old.created_at or self._desk.now()
        new = replace(old, description=description, created_at=made)
        await self._commit([await self._store(name).put(new, expect=old.version)])
        return await self.get(name)

    async def get(self, name: str) -> Space:
        """Return a space with the number of its records; raise `NotFound` where there is none."""
        own = self._reach is Reach.SPACE and name == self._desk.space
        if not own:
            self._check_manager("looking at other spaces")
        found = await self._store(name).find(name)
        count = sum((await self._kinds(name)).values())
        if found is None and not count:
            raise missing(_WHAT, name, space=name)
        return replace(found or Space(name=name), records=count)

    async def list(self) -> tuple[Space, ...]:
        """Return all spaces, made by name or just written into, sorted by name."""
        self._check_manager("listing spaces")
        found = {name: Space(name=name, records=n) for name, n in (await self.counts()).items()}
        query = Query(space=None, kinds=(SPACE,))
        async for record in self._desk.backend.scan(query):
            name = record.key.space
            space = await self._store(name).open(record)
            count = found[name].records if name in found else 1
            found[name] = replace(space, records=count)
        return tuple(found[name] for name in sorted(found))

    async def counts(self) -> dict[str, int]:
        """Return the spaces that hold anything, each with its number of records."""
        self._check_manager("counting spaces")
        everything = Query(space=None, bodies=False)
        rows = await self._desk.backend.tally(everything, (), ("space",))
        return {str(row.group[0]): row.count for row in rows}

    async def delete(
        self,
        name: str,
        *,
        dry_run: bool = False,
        progress: Callable[[Emptied], None] | None = None,
    ) -> Emptied:
        """Delete a space with everything in it, and the grants that it was given.

        In batches of 500 records, what it has granted first and its entry last: if it is stopped,
        `list` says so, and the same call does the rest. With `dry_run` it only counts. `progress`
        is told what was removed so far. A handle that was made before must not be used any more.
        Raises `NotFound` where there is no such space, and `Conflict` with the code `busy` where
        others go on writing into it. Takes a second longer where bodies lean on a dictionary.
        """
        self._check_manager("deleting spaces")
        if check_name(name, field="name") == self._desk.space:
            message = f"this handle works in space {name!r}; delete it with a handle to another one"
            raise Invalid(message, code="own_space", field="name")
        space = await self.get(name)
        if dry_run:
            [row] = await self._desk.backend.tally(self._received(name))
            kinds = await self._kinds(name, expired=True)
            return Emptied(space=name, dry_run=True, records=kinds, received=row.count)
        await self._mark(space)
        received = await self._remove_all(self._received(name), lambda _: None)
        done = Emptied(space=name, dry_run=False, received=received)
        for _ in range(_ROUNDS):
            lasting = await self._is_leaned_on(name)
            done = await self._empty(done, progress)
            if lasting:
                # Until then, another process may write what leans on a dictionary that is gone.
                await asyncio.sleep(2 * SURE_SECONDS)
                done = await self._empty(done, progress)
            if await self._bury(name):
                return done if space.version == 0 else _with(done, SPACE, 1)
        message = f"others go on writing into space {name!r}; stop them, and delete it again"
        raise Conflict(message, code="busy", space=name)

    async def _mark(self, space: Space) -> None:
        """Write into the entry that the deletion has begun."""
        if not space.deleting:
            made = space.created_at or self._desk.now()
            marked = replace(space, deleting=True, created_at=made)
            await self._commit([await self._store(space.name).put(marked, expect=None)])

    async def _empty(self, done: Emptied, progress: Callable[[Emptied], None] | None) -> Emptied:
        """Remove as many records of each kind as there are now: others may go on writing."""
        kinds = await self._kinds(done.space, expired=True)
        for kind in sorted(kinds, key=_turn):
            if kind == SPACE:
                continue
            before = done

            def tell(count: int, kind: str = kind, before: Emptied = before) -> None:
                if progress is not None:
                    progress(_with(before, kind, count))

            query = Query(
                space=done.space, kinds=(kind,), bodies=False, expired=True, limit=kinds[kind]
            )
            done = _with(done, kind, await self._remove_all(query, tell))
        return done

    async def _remove_all(self, query: Query, tell: Callable[[int], None]) -> int:
        count = 0
        keys: list[Key] = []
        rows = cast("AsyncGenerator[Record, None]", self._desk.backend.scan(query))
        async with aclosing(rows):
            async for record in rows:
                keys.append(record.key)
                if len(keys) == _AT_ONCE:
                    count += await self._remove(keys)
                    tell(count)
                    keys = []
        if keys:
            count += await self._remove(keys)
            tell(count)
        return count

    async def _remove(self, keys: Sequence[Key]) -> int:
        await self._commit([Delete(key=key) for key in keys])
        return len(keys)

    async def _is_leaned_on(self, name: str) -> bool:
        """Tell whether bodies of other processes may lean on a dictionary of a space."""
        if Capability.SHARED not in self._desk.backend.capabilities:
            return False
        query = Query(
            space=name,
            kinds=(DICTIONARY,),
            where=(Condition(f"labels.{OF}", "eq", BODIES),),
            bodies=False,
        )
        [row] = await self._desk.backend.tally(query)
        return row.count > 0

    async def _bury(self, name: str) -> bool:
        """Remove the entry if nothing else is there; return whether that was so."""
        everything = Query(space=name, bodies=False, expired=True)
        alone = Counted(everything, (), (), (Tally((), 1, ()),))
        try:
            await self._commit([self._store(name).remove(name)], alone)
        except Conflict:
            return False
        return True

    async def _kinds(self, name: str, *, expired: bool = False) -> dict[str, int]:
        query = Query(space=name, bodies=False, expired=expired)
        rows = await self._desk.backend.tally(query, (), ("kind",))
        return {str(row.group[0]): row.count for row in rows}

    def _received(self, name: str) -> Query:
        return Query(
            space=None,
            kinds=(GRANT,),
            where=(Condition(f"labels.{TO}", "eq", name),),
            bodies=False,
            expired=True,
        )

    async def _commit(self, changes: Sequence[Change], *seen: Counted) -> None:
        batch = Batch(tuple(changes), actor=self._desk.actor, seen=seen)
        await self._desk.backend.apply(batch)

    def _store(self, name: str) -> SpaceStore:
        return SpaceStore(self._desk.backend, self._desk.sealer, space=name)

    def _check_manager(self, what: str) -> None:
        if self._reach is not Reach.STORE:
            raise no_manager(what)


def _turn(kind: str) -> tuple[int, str]:
    """Say when a kind goes: what others may see by first, what opens the rest last."""
    turns = {GRANT: 0, DICTIONARY: 2, SECRET: 2}
    return turns.get(kind, 1), kind


def _with(done: Emptied, kind: str, count: int) -> Emptied:
    records = {**done.records, kind: done.records.get(kind, 0) + count}
    return replace(done, records=records)
