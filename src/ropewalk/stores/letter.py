"""The letter inside every record: `data` and `metadata`, sealed and opened in one way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..domain.errors import Corrupt
from ..turns import SLICE, give_way

if TYPE_CHECKING:
    from ..domain.ports import Sealed, Sealer
    from ..domain.record import Key, Record

T = TypeVar("T")


class Letter(NamedTuple):
    """What every store writes into a body, so that any store can read any record.

    `data` is what the kind of record is about; `metadata` is the user's, and is repeated in the
    labels as far as it fits there (`domain.labels.metadata_labels`).
    """

    data: Mapping[str, Any]
    metadata: Mapping[str, Any]

    async def seal(self, sealer: Sealer, key: Key) -> Sealed:
        """Close the letter for `key`; raise `Invalid` naming the path of what cannot be kept."""
        letter = {"data": self.data}
        if self.metadata:
            letter["metadata"] = self.metadata
        return await sealer.seal(letter, key)


async def open_letter(sealer: Sealer, record: Record) -> Letter:
    """Open the letter of `record`; raise `Corrupt` with its key where it is damaged."""
    value = sealer.unseal_at_once(record)
    if value is None:
        value = await sealer.unseal(record)
    return read_letter(record, value)


async def open_letters(sealer: Sealer, records: Iterable[Record]) -> list[tuple[Record, Letter]]:
    """Open the letters of many records, which stand beside them in the answer.

    The event loop has its turn every millisecond and a half meanwhile.
    """
    return await open_each(sealer, records, _beside)


async def open_each(
    sealer: Sealer, records: Iterable[Record], make: Callable[[Record, object], T]
) -> list[T]:
    """Open the bodies of many records, and make something of each and what was in its body.

    The event loop has its turn every millisecond and a half meanwhile.
    """
    made: list[T] = []
    end = perf_counter() + SLICE
    for record in records:
        if perf_counter() > end:
            await give_way()
            end = perf_counter() + SLICE
        value = sealer.unseal_at_once(record)
        if value is None:
            value = await sealer.unseal(record)
        made.append(make(record, value))
    return made


def read_letter(record: Record, value: Any) -> Letter:  # noqa: ANN401 (it is a body)
    """Return what was in the body of `record` as a letter; raise `Corrupt` where it is none."""
    if value.__class__ is dict:
        data, metadata = value.get("data"), value.get("metadata", {})
        if isinstance(data, dict) and isinstance(metadata, dict):
            return Letter(data, metadata)
    message = f"the body of {record.key} holds no data and metadata; restore it from a backup"
    raise Corrupt(message, code="bad_letter", key=record.key)


def _beside(record: Record, value: object) -> tuple[Record, Letter]:
    return record, read_letter(record, value)
