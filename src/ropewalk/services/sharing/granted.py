"""`Shared`: a back end that shows of one space what grants cover, and changes no more than that."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...domain.change import Applied
from ...domain.errors import Conflict, Denied
from ...domain.grant import Mode
from ...domain.query import Condition, Query
from ...stores.grants import GRANT, TO, grant_of
from ..manager import ATTEMPTS
from .admission import Admission
from .coverage import SESSION, Coverage
from .fence import discreet, outside
from .joining import joined, summed
from .kindred import Kindred
from .refusal import no_grant, no_manager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from ...domain.change import Batch, Changed, Commit
    from ...domain.grant import Grant
    from ...domain.health import Health
    from ...domain.ports import Backend, Capability
    from ...domain.record import Key, Record
    from ...domain.tally import Tally

_LOOK_AGAIN: Final = 256
"""After so many records a scan looks whether it is still allowed."""


class Shared:
    """Asks at each call which grants there are now, by the clock of the store.

    What may be covered or not, depending on the record, looks absent where it is not covered;
    where nothing that is asked for can be covered, `Denied` names the grant that is needed.
    """

    def __init__(self, base: Backend, *, space: str, to: str) -> None:
        """Show of `space` what it has granted to `to`; `base` is open, and stays so."""
        self._base = base
        self._space = space
        self._to = to

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What the store can do."""
        return self._base.capabilities

    async def open(self) -> None:
        """Do nothing: the store is open already."""

    async def close(self) -> None:
        """Do nothing: the store belongs to whoever opened it."""

    async def ping(self, *, thorough: bool = False) -> Health:
        """Say how the store is, without figures and reasons."""
        return discreet(await self._base.ping(thorough=thorough))

    async def grants(self, mode: Mode = Mode.READ) -> tuple[Grant, ...]:
        """Return the grants that hold now; raise `Denied` where there is none.

        `mode` is what they are asked for; grants of the other mode are returned as well.
        """
        query = Query(
            space=self._space,
            kinds=(GRANT,),
            where=(Condition(f"labels.{TO}", "eq", self._to),),
            bodies=False,
        )
        found = tuple([grant_of(record) async for record in self._base.scan(query)])
        if not found:
            raise no_grant(self._space, self._to, mode=mode)
        return found

    async def _coverage(self) -> Coverage:
        return Coverage.of(await self.grants(), Mode.READ)

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Return those of the records that are covered; what is not looks absent."""
        coverage = await self._coverage()
        for key in keys:
            self._check_key(key, coverage)
        found = await self._base.get(keys, bodies=bodies)
        if all(coverage.surely(key.kind) for key in keys):
            return found
        covered = await Kindred(self._base, self._space, coverage).covered(keys, found)
        return [
            record if is_covered else None
            for record, is_covered in zip(found, covered, strict=True)
        ]

    def _check_key(self, key: Key, coverage: Coverage) -> None:
        self._check(key.space)
        if not coverage.perhaps(key.kind):
            raise no_grant(self._space, self._to, mode=Mode.READ, kind=key.kind)
        if key.kind == SESSION and not coverage.names(SESSION, key.id, None):
            raise no_grant(self._space, self._to, mode=Mode.READ, session_id=key.id)

    def _check(self, space: str | None) -> None:
        if space != self._space:
            raise outside(self._space)

    async def apply(self, batch: Batch) -> Applied:
        """Do a batch that the grants allow, and only while they do.

        Raises `Denied`, and changes nothing, where one of the changes is not covered.
        """
        for change in batch.changes:
            self._check(change.key.space)
        for seen in batch.seen:
            self._check(seen.query.space)
        attempt = 1
        while True:
            grants = await self.grants(Mode.WRITE)
            admission = Admission(self._base, grants, space=self._space, to=self._to)
            admitted = await admission.admit(batch)
            try:
                applied = await self._base.apply(admitted)
            except Conflict as error:
                # A grant was revoked or changed, or something came where there was nothing.
                if error.facts.get("key") not in admission.guards or attempt == ATTEMPTS:
                    raise
                attempt += 1
            else:
                count = len(batch.changes)
                return replace(
                    applied, versions=applied.versions[:count], previous=applied.previous[:count]
                )

    async def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the covered records; end with `Denied` where a grant is taken back."""
        coverage = await self._coverage()
        parts = await self._parts(query, coverage)
        left = query.limit
        async with aclosing(joined(self._base, parts, query)) as records:
            count = 0
            async for record in records:
                if left == count:
                    return
                count += 1
                yield record
                if count % _LOOK_AGAIN == 0 and await self._coverage() != coverage:
                    message = (
                        f"the grants of space {self._space!r} have changed while this was read: "
                        "read it again"
                    )
                    raise Denied(message, code="grants_changed", space=self._space, to=self._to)

    async def tally(
        self, query: Query, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count and sum what is covered."""
        parts = await self._parts(query, await self._coverage())
        return await summed(self._base, parts, sums, group_by)

    async def _parts(self, query: Query, coverage: Coverage) -> tuple[Query, ...]:
        self._check(query.space)
        threads = None
        if coverage.in_threads(query):
            threads = await Kindred(self._base, self._space, coverage).all_threads()
        parts = coverage.parts(query, threads)
        listable = any(coverage.may_list(kind) for kind in query.kinds)
        if not parts and (query.session_id is not None or not listable):
            kind = query.kinds[0] if len(query.kinds) == 1 else None
            raise no_grant(
                self._space, self._to, mode=Mode.READ, kind=kind, session_id=query.session_id
            )
        return parts

    async def feed(self, after: int = 0) -> AsyncIterator[Commit]:
        """Tell the commits that changed what is covered.

        Where a grant is for a session, what was deleted since is not told: it names none.
        """
        coverage = await self._coverage()
        async for commit in self._base.feed(after):
            changes = await self._told(commit, coverage)
            if changes:
                yield replace(commit, changes=changes)

    async def changed(self, after: int) -> int:
        """Wait for a commit, whether it changes what is covered or not."""
        await self.grants()
        return await self._base.changed(after)

    async def trim(self, before: int) -> int:
        """Refuse: the log is of all spaces together."""
        raise no_manager(f"forgetting the commits before {before}")

    async def _told(self, commit: Commit, coverage: Coverage) -> tuple[Changed, ...]:
        own = [
            change
            for change in commit.changes
            if change.key.space == self._space and coverage.perhaps(change.key.kind)
        ]
        keys = [change.key for change in own]
        if all(coverage.surely(key.kind) for key in keys):
            return tuple(own)
        records = await self._base.get(keys, bodies=False)
        covered = await Kindred(self._base, self._space, coverage).covered(keys, records)
        return tuple(change for change, told in zip(own, covered, strict=True) if told)
