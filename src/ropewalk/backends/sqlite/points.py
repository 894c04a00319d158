"""Reading records by their keys, in the order asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import apsw

from ...domain.errors import Corrupt
from ...domain.record import NO_LABELS, Key, Record
from . import lean, select
from .connection import Connection
from .names import Names, Place
from .rows import record_of

_TOGETHER: Final = 128
"""How many lean rows one statement looks for."""

_Spot: TypeAlias = tuple[int, bytes, Key]
"""Where in the answer a lean record belongs, its digest and its key."""


def records_by_key(
    connection: Connection, keys: Sequence[Key], *, now: int, bodies: bool
) -> list[Record | None]:
    """Return the records of `keys` that are live at `now`, `None` where absent."""
    answer: list[Record | None] = [None] * len(keys)
    spots: dict[tuple[str, str, str], list[_Spot]] = {}
    others: list[tuple[int, Place | None]] = []
    for index, key in enumerate(keys):
        parts = lean.split(key.id)
        if parts is None:
            others.append((index, connection.names.place(key.space, key.kind)))
        else:
            family, digest = parts
            spots.setdefault((key.space, key.kind, family), []).append((index, digest, key))
    for (space, kind, family), wanted in spots.items():
        place = connection.names.place(space, kind, family)
        if place is not None:
            for start in range(0, len(wanted), _TOGETHER):
                some = wanted[start : start + _TOGETHER]
                _fill(connection, place, some, answer, bodies=bodies)
        others += [(index, place) for index, _, _ in wanted if answer[index] is None]
    statement = select.point(bodies=bodies)
    for index, place in others:
        if place is not None:
            answer[index] = _ordinary(connection, statement, keys[index], place, now=now)
    return answer


def _ordinary(
    connection: Connection, statement: str, key: Key, place: Place, *, now: int
) -> Record | None:
    """Return a record of the ordinary table."""
    try:
        rows = connection.rows(statement, (place.space, key.id, place.kind, now))
    except apsw.CorruptError as error:
        raise _lost(key, error) from error
    return record_of(rows[0], connection.names, key=key) if rows else None


def _fill(
    connection: Connection,
    place: Place,
    wanted: Sequence[_Spot],
    answer: list[Record | None],
    *,
    bodies: bool,
) -> None:
    """Put the lean records of one place into the answer."""
    room = 1 << (len(wanted) - 1).bit_length()
    spots = [lean.spot(digest) for _, digest, _ in wanted]
    spots += [spots[-1]] * (room - len(spots))
    body = "body" if bodies else "null"
    marks = ", ".join("?" * room)
    columns = f"select digest, version, at, raised, seal, {body} from"
    statement = f"{columns} {lean.FOUND} in ({marks})"
    try:
        rows = connection.rows(statement, (place.number, *spots))
    except apsw.CorruptError as error:
        if len(wanted) == 1:
            raise _lost(wanted[0][2], error) from error
        for spot in wanted:
            _fill(connection, place, (spot,), answer, bodies=bodies)
        return
    found = {row[0]: row for row in rows}
    for index, digest, key in wanted:
        row = found.get(digest)
        if row is not None:
            answer[index] = _record(key, place, connection.names, row)


def _record(key: Key, place: Place, names: Names, row: tuple[object, ...]) -> Record:
    _, version, at, raised, seal, body = cast(
        "tuple[bytes, int, int, int | None, int, bytes | None]", row
    )
    created = place.at + at
    return Record(
        key=key,
        version=version,
        created_at=created,
        updated_at=created if raised is None else created + raised,
        labels=NO_LABELS,
        body=body,
        seal=names.texts[seal],
    )


def _lost(key: Key, error: apsw.CorruptError) -> Corrupt:
    message = f"{key} lies in a damaged part of the file ({error}); restore a backup"
    return Corrupt(message, code="damaged_file", key=key)
