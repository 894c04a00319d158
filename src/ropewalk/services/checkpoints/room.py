"""`Room`: how many bytes the disk gets back for a record that is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ...domain.ports import Backend
    from ...domain.record import Record

_PER_LABEL = 6
"""Quotes, colon and comma of a label in JSON."""


@dataclass(frozen=True, slots=True)
class Room:
    """The rule of one back end, as its health tells it; without one, a record is its body.

    A record takes `record_bytes` beside its body, its id and its labels; one that is found by its
    content and has neither labels nor parents takes `bare_bytes` beside its body. The sum fills
    whole blocks of `block_bytes`. Its removal is told in the feed, which takes `change_bytes`.
    """

    record_bytes: int = 0
    bare_bytes: int = 0
    block_bytes: int = 1
    change_bytes: int = 0

    @classmethod
    async def of(cls, backend: Backend) -> Self:
        """Ask a back end for its rule."""
        facts = (await backend.ping()).facts
        return cls(
            *(
                int(facts.get(name, default))
                for name, default in (
                    ("record_bytes", 0),
                    ("bare_bytes", 0),
                    ("block_bytes", 1),
                    ("change_bytes", 0),
                )
            )
        )

    def freed(self, record: Record) -> int:
        """Return the bytes that go with a record."""
        size = len(record.body or b"")
        if record.thread_id is None and not record.labels:
            size += self.bare_bytes
        elif self.record_bytes:
            size += self.record_bytes + len(record.key.id.encode())
            size += sum(len(f"{name}{value}") + _PER_LABEL for name, value in record.labels.items())
        blocks = -(-size // self.block_bytes)
        return blocks * self.block_bytes - self.change_bytes
