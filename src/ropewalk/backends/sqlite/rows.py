"""A row of the table as a record of the domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping
from functools import lru_cache
from typing import Final

from ...domain.errors import Corrupt
from ...domain.labels import Label, Labels
from ...domain.limits import MAX_ID_BYTES
from ...domain.record import NO_LABELS, Key, Record, RecordDraft
from . import labels
from .connection import Row
from .names import Names

_CODED: Final = 10
"""Where the labels stand in a row."""

_SHORT: Final = 256
"""Labels of more characters are not remembered: that bounds the memory."""


def records_of(rows: Iterable[Row], names: Names, *, key: Key | None = None) -> list[Record]:
    """Return the records of rows, with `key` where there is one row and that is known already.

    A row is `select.HEADER`, then the body or null, then the number of the row. Raises `Corrupt`,
    naming the key, where one holds what was never written; damaged labels do so when they are
    looked at, which most readers never do.
    """
    texts = names.texts
    records: list[Record] = []
    # All in one piece, since a list has many rows: a call for each part would take twice as long.
    for row in rows:
        space, kind, id, version, made, changed, expires, session, thread, seal, coded, body, _ = (
            row
        )
        if not (
            (type(space) is int and type(kind) is int and type(id) is str)
            and (type(version) is int and type(made) is int and type(changed) is int)
            and (expires is None or type(expires) is int)
            and (session is None or type(session) is int)
            and (thread is None or type(thread) is int)
            and (type(seal) is int and (coded is None or type(coded) is str))
            and (body is None or type(body) is bytes)
            and 0 < len(id) <= MAX_ID_BYTES
        ):
            raise _damaged(row)
        draft = RecordDraft()
        draft.key = key or Key.trusted(texts[space], texts[kind], id)
        draft.version = version
        draft.created_at = made
        draft.updated_at = changed
        draft.session_id = None if session is None else texts[session]
        draft.thread_id = None if thread is None else texts[thread]
        draft.labels = NO_LABELS if coded is None else _Coded(row)
        draft.body = body
        draft.seal = texts[seal]
        draft.expires_at = expires
        records.append(draft.done())
    return records


class _Coded(Mapping[str, Label]):
    """The labels of a row, as they stand in the file until somebody looks at them.

    Raises `Corrupt` then, naming the row, where they are no labels.
    """

    __slots__ = ("_held", "_row")

    def __init__(self, row: Row) -> None:
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
            coded: str = self._row[_CODED]
            try:
                held = _again(coded) if len(coded) <= _SHORT else labels.decode(coded)
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
