"""`Leaner`: a sealer whose small bodies may lean on a dictionary that their space has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

from .errors import Invalid
from .ports import Dictionary, Sealed
from .record import Key, Record

DICTIONARY: Final = "dictionary"
"""The kind of the records that dictionaries are kept in."""

OF: Final = "of"
"""The label of a dictionary that says what leans on it; those of states have none."""

BODIES: Final = "bodies"
"""What it says of a dictionary for the bodies of values."""

SURE_SECONDS: Final = 0.5
"""So long a writer goes by what it has seen: that a dictionary is there."""

DEFAULT_SIZE: Final = 64 * 1024
"""Most bytes of a dictionary for bodies, unless the settings say otherwise."""

LEAST_SIZE: Final = 1_024
"""Fewer bytes are no dictionary worth having."""

MOST_SIZE: Final = 1024 * 1024
"""More bytes save next to nothing, and every thread that opens bodies keeps them."""


def check_size(size: int) -> int:
    """Return the most bytes of a dictionary; raise `Invalid` unless it is 0 or one of that size."""
    if size and not LEAST_SIZE <= size <= MOST_SIZE:
        message = f"dictionary must be 0 (off) or {LEAST_SIZE} to {MOST_SIZE} bytes, not {size}"
        raise Invalid(message, code="bad_limit", field="dictionary")
    return size


@runtime_checkable
class Leaner(Protocol):
    """Seal and open as a `Sealer` does, with the dictionaries that are handed in.

    A body that leans on one names it in its seal, and cannot be opened without it.
    """

    def leans_on(self, seal: str) -> str:
        """Return the name of the dictionary that the body of a value needs, or nothing."""
        ...

    async def seal_leaning(
        self, value: object, key: Key, *, dictionary: Dictionary | None
    ) -> Sealed:
        """Close as `seal` does, leaning on the dictionary where that is of use."""
        ...

    async def unseal_leaning(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary]
    ) -> object:
        """Open as `unseal` does.

        Raises `Invalid` with the code `unknown_dictionary` and the fact `dictionary` where one is
        needed that is not given.
        """
        ...

    def unseal_leaning_at_once(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary]
    ) -> object | None:
        """Open as `unseal_leaning` does, without a wait; `None` where a body is too big for it."""
        ...


@runtime_checkable
class Lending(Protocol):
    """A sealer that finds by itself what bodies lean on, space by space."""

    async def unseal_lent(self, record: Record, *, space: str) -> object:
        """Open the body of a record whose dictionaries were brought into another `space`."""
        ...
