"""`MemoryStore` and `VectorStore`: what is known for good, and what it is found by, as records."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from ..domain.errors import Corrupt
from ..domain.memory import Memory, Name, Vectors, path_of
from ..domain.moment import from_micros, to_micros
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from ..domain.change import Put
    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter

NAMESPACE = "namespace"
"""The label that holds the path of a memory's namespace; absent for the empty one."""

DIMS = "dims"
"""The label that holds the dimensions of vectors."""

_MICROSECOND = timedelta(microseconds=1)


class MemoryStore(EntityStore[Memory]):
    """Keep memories: their times of expiry are the records'."""

    kinds = ("memory",)

    async def put(self, entity: Memory, *, expect: int | None) -> Put:
        """Make the change that writes a memory; one that is there keeps when it was made."""
        put = await super().put(entity, expect=expect)
        expires = entity.expires_at
        return replace(
            put,
            created_at=None,
            updated_at=None,
            expires_at=None if expires is None else to_micros(expires, field="expires_at"),
        )

    def draft(self, entity: Memory) -> Draft:
        """Take a memory apart: its namespace can be counted."""
        path = path_of(entity.name.namespace)
        labels: dict[str, Label] = {NAMESPACE: path} if path else {}
        return Draft(
            kind="memory",
            id=entity.name.id,
            data={
                "value": dict(entity.value),
                "ttl": None if entity.ttl is None else entity.ttl // _MICROSECOND,
            },
            metadata={},
            created_at=entity.created_at,
            labels=labels,
        )

    def build(self, record: Record, letter: Letter) -> Memory:
        """Put a memory together again."""
        ttl, expires = letter.data["ttl"], record.expires_at
        return Memory(
            name=Name.of(record.key.id),
            value=letter.data["value"],
            ttl=None if ttl is None else ttl * _MICROSECOND,
            created_at=from_micros(record.created_at),
            updated_at=from_micros(record.updated_at),
            expires_at=None if expires is None else from_micros(expires),
            version=record.version,
        )


class VectorStore(EntityStore[Vectors]):
    """Keep the vectors of each memory in one record, under the memory's id."""

    kinds = ("vector",)

    def draft(self, entity: Vectors) -> Draft:
        """Take vectors apart."""
        return Draft(
            kind="vector",
            id=entity.name.id,
            data={"dims": entity.dims, "floats": entity.floats},
            metadata={},
            created_at=from_micros(0),
            labels={DIMS: entity.dims},
        )

    def build(self, record: Record, letter: Letter) -> Vectors:
        """Put vectors together again; raise `Corrupt` where they are no whole vectors."""
        dims, floats = letter.data["dims"], letter.data["floats"]
        if dims < 1 or len(floats) % (4 * dims):
            message = f"{record.key} holds no whole vectors; put the memory anew"
            raise Corrupt(message, code="bad_vectors", key=record.key)
        return Vectors(name=Name.of(record.key.id), dims=dims, floats=floats)
