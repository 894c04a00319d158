"""Many packed bodies opened in one call, where a sealer can do that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeGuard

from .ports import NO_DICTIONARIES

if TYPE_CHECKING:
    from .ports import Dictionary, Sealer
    from .record import Record


class UnpacksMany(Protocol):
    """A sealer that opens many packed bodies in less time than one after the other.

    It need not: whoever has no `unpack_all` is asked for each.
    """

    def unpack_all(
        self, records: Sequence[Record], *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> list[bytes]:
        """Open what `pack` closed, at once and in this thread, in the order asked.

        Raises as `unpack` does, for any of those that cannot be opened.
        """
        ...


def unpack_all(
    sealer: Sealer,
    records: Sequence[Record],
    *,
    dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES,
) -> list[bytes]:
    """Open packed bodies, in one call where the sealer can; raise as `Sealer.unpack` does."""
    if _unpacks_many(sealer):
        return sealer.unpack_all(records, dictionaries=dictionaries)
    return [sealer.unpack(record, dictionaries=dictionaries) for record in records]


def _unpacks_many(sealer: Sealer) -> TypeGuard[UnpacksMany]:
    return hasattr(sealer, "unpack_all")
