"""`LeaseStore` and `TicketStore`: who has a lease and who waits for it, as records that expire."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..domain.change import ABSENT, Check, Put
from ..domain.lease import Lease, Ticket
from ..domain.moment import from_micros, to_micros
from ..domain.query import Condition
from ..domain.record import Key
from .base import Draft, EntityStore, Find

if TYPE_CHECKING:
    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter

FENCE: Final = "fence"
"""The kind of the counters whose versions are the fencing tokens; they are never removed."""

_TOKEN: Final = "token"  # noqa: S105 (a label, and no secret)
_SINCE: Final = "since"
_OWNER: Final = "owner"
_WANTED: Final = "wanted_by"
_LEASE: Final = "lease"


class LeaseStore(EntityStore[Lease]):
    """Keep leases: a record that expires with the lease, and a counter that stays.

    What decides is in the header: the back end compares the token inside the batch.
    """

    kinds = ("lease",)

    async def put(self, entity: Lease, *, expect: int | None) -> Put:
        """Make the change that writes a lease; it was renewed when this is applied."""
        put = await super().put(entity, expect=expect)
        return replace(put, updated_at=None, expires_at=to_micros(entity.until, field="until"))

    async def put_wanted(self, entity: Lease, by: str) -> Put:
        """Make the change that says who wants a lease; it is no sign of life of its holder."""
        put = await self.put(replace(entity, wanted_by=by), expect=entity.version)
        return replace(put, updated_at=to_micros(entity.renewed_at))

    def fence_key(self, name: str) -> Key:
        """Name the counter of a lease."""
        return Key(self._space, FENCE, name)

    def raised(self, name: str, *, counted: int) -> Put:
        """Make the change that counts on from `counted`: the next token is one more."""
        return Put(key=self.fence_key(name), expect=counted)

    def check(self, lease: Lease) -> Check:
        """Make the condition that this very grant of a lease is there.

        Where the counter is gone (its space was deleted and made anew, an old backup was put
        back) tokens begin again at 1: the time of the grant still tells them apart.
        """
        labels = {_TOKEN: lease.token, _SINCE: to_micros(lease.since)}
        return Check(key=self.key(lease.name), labels=labels)

    async def look(self, name: str) -> tuple[Lease | None, int]:
        """Return who has a lease now, and the last token, both of one moment."""
        keys = [self.key(name), self.fence_key(name)]
        held, fence = await self._backend.get(keys, bodies=False)
        return (
            None if held is None else lease_of(held),
            ABSENT if fence is None else fence.version,
        )

    def draft(self, entity: Lease) -> Draft:
        """Take a lease apart."""
        labels: dict[str, Label] = {
            _TOKEN: entity.token,
            _SINCE: to_micros(entity.since),
            _OWNER: entity.owner,
        }
        if entity.wanted_by is not None:
            labels[_WANTED] = entity.wanted_by
        return Draft(
            kind="lease",
            id=entity.name,
            data={},
            metadata={},
            created_at=entity.since,
            labels=labels,
        )

    def build(self, record: Record, letter: Letter) -> Lease:  # noqa: ARG002 (of the stores)
        """Put a lease together again."""
        return lease_of(record)


def lease_of(record: Record) -> Lease:
    """Return the lease that a header tells."""
    labels = record.labels
    wanted = labels.get(_WANTED)
    return Lease(
        name=record.key.id,
        owner=str(labels[_OWNER]),
        token=int(labels[_TOKEN]),
        since=from_micros(record.created_at),
        until=from_micros(record.expires_at or 0),
        renewed_at=from_micros(record.updated_at),
        wanted_by=None if wanted is None else str(wanted),
        version=record.version,
    )


class TicketStore(EntityStore[Ticket]):
    """Keep the queues: first in line is whose ticket was written first, by the store's clock."""

    kinds = ("ticket",)

    async def put(self, entity: Ticket, *, expect: int | None) -> Put:
        """Make the change that writes a ticket; a renewed one keeps its place in the queue."""
        put = await super().put(entity, expect=expect)
        return replace(
            put,
            created_at=None,
            updated_at=None,
            expires_at=to_micros(entity.until, field="until"),
        )

    def queue(self, name: str | None = None, *, limit: int | None = None) -> Find:
        """Say which tickets: of one lease or of all, first in line first."""
        where = () if name is None else (Condition(f"labels.{_LEASE}", "eq", name),)
        return Find(where=where, limit=limit)

    def draft(self, entity: Ticket) -> Draft:
        """Take a ticket apart."""
        labels: dict[str, Label] = {_LEASE: entity.lease, _OWNER: entity.owner}
        return Draft(
            kind="ticket",
            id=entity.id,
            data={},
            metadata={},
            created_at=entity.since,
            labels=labels,
        )

    def build(self, record: Record, letter: Letter) -> Ticket:  # noqa: ARG002 (of the stores)
        """Put a ticket together again."""
        return ticket_of(record)


def ticket_of(record: Record) -> Ticket:
    """Return the ticket that a header tells."""
    return Ticket(
        id=record.key.id,
        lease=str(record.labels[_LEASE]),
        owner=str(record.labels[_OWNER]),
        since=from_micros(record.created_at),
        until=from_micros(record.expires_at or 0),
        version=record.version,
    )
