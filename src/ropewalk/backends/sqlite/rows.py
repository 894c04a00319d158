"""A row of the table as a record of the domain."""

from __future__ import annotations

from collections.abc import Iterator, KeysView, Mapping
from functools import lru_cache
from itertools import product
from typing import Final, TypeAlias

from ...domain.errors import Corrupt
from ...domain.labels import Label, Labels
from ...domain.limits import MAX_ID_BYTES
from ...domain.record import NO_LABELS, Key, Record
from . import labels
from .connection import Row
from .names import Names

_Columns: TypeAlias = tuple[
    int,
    int,
    str,
    int,
    int,
    int,
    int | None,
    int | None,
    int | None,
    int,
    str | None,
    bytes | None,
    int,
]
"""`select.HEADER`, then the body or null, then the number of the row."""

_PERHAPS: Final = (int, type(None))

_TYPES: Final = frozenset(
    product(
        *((int,), (int,), (str,), (int,), (int,), (int,)),
        *(_PERHAPS, _PERHAPS, _PERHAPS),
        *((int,), (str, type(None)), (bytes, type(None)), (int,)),
    )
)
"""What the columns of a row may be: looked up for all of them at once."""


_SHORT: Final = 256
"""Labels of more characters are not remembered: that bounds the memory."""


def record_of(row: Row, names: Names, *, key: Key | None = None) -> Record:
    """Return the record of a row, with `key` where that is known already.

    Raises `Corrupt`, naming the key, where the row holds what was never written; damaged labels
    do so when they are looked at, which most readers never do.
    """
    if tuple(map(type, row)) not in _TYPES:
        raise _damaged(row)
    columns: _Columns = row
    space, kind, id, version, created, updated, expires, session, thread, seal, coded, body, _ = (
        columns
    )
    if not 0 < len(id) <= MAX_ID_BYTES:
        raise _damaged(row)
    texts = names.texts
    return Record.trusted(
        key or Key.trusted(texts[space], texts[kind], id),
        version,
        times=(created, updated),
        parents=(
            None if session is None else texts[session],
            None if thread is None else texts[thread],
        ),
        labels=NO_LABELS if coded is None else _Coded(coded, (space, kind, id)),
        letter=(body, texts[seal]),
        expires_at=expires,
    )


class _Coded(Mapping[str, Label]):
    """The labels of a row, as they stand in the file until somebody looks at them.

    Raises `Corrupt` then, naming the row, where they are no labels.
    """

    __slots__ = ("_coded", "_held", "_row")

    def __init__(self, coded: str, row: Row) -> None:
        self._coded = coded
        self._row = row
        self._held: Labels | None = None

    def __getitem__(self, name: str) -> Label:
        return self._labels()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._labels())

    def __len__(self) -> int:
        return len(self._labels())

    def keys(self) -> KeysView[str]:
        """Return their names: whoever copies them asks for these, and then for each value."""
        return self._labels().keys()

    def __repr__(self) -> str:
        return repr(self._labels())

    def _labels(self) -> Labels:
        held = self._held
        if held is None:
            try:
                short = len(self._coded) <= _SHORT
                held = _again(self._coded) if short else labels.decode(self._coded)
            except (ValueError, RecursionError) as error:
                raise _damaged(self._row) from error
            self._held = held
        return held


@lru_cache(maxsize=1024)
def _again(coded: str) -> Labels:
    """Return labels that were read before: the records of a list often have the same ones."""
    return labels.decode(coded)


def _damaged(row: Row) -> Corrupt:
    name = "/".join(map(str, row[:3]))
    message = f"the row of {name} holds what was never written; restore it from a backup"
    return Corrupt(message, code="bad_row", key=name)
