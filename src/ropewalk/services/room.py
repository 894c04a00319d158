"""`Room`: how many bytes the disk gets back for a record that is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ..domain.ports import Backend
    from ..domain.record import Record


@dataclass(frozen=True, slots=True)
class Room:
    """The rule of one back end, as its health says it."""

    record_bytes: int = 0
    block_bytes: int = 1

    @classmethod
    async def of(cls, backend: Backend) -> Self:
        """Ask a back end for its rule; without one, a record is its body."""
        facts = (await backend.ping()).facts
        return cls(int(facts.get("record_bytes", 0)), int(facts.get("block_bytes", 1)))

    def freed(self, record: Record) -> int:
        """Return the bytes that go with a record."""
        return len(record.body or b"") + self.record_bytes
