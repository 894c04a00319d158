"""Reading records by their keys, in the order asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias, cast

import apsw

from ...domain.errors import Corrupt
from ...domain.query import Query
from ...domain.record import NO_LABELS, Key, Record, RecordDraft
from . import lean, select
from .connection import Connection
from .names import UNKNOWN, Place
from .rows import records_of

_PARENTS, _LABELS = 7, 10
"""Where in a row the names of session, thread and seal stand: from here to there."""

_TOGETHER: Final = 128
"""How many lean rows one statement looks for."""

_Lean: TypeAlias = tuple[bytes, int, int, "int | None", int, "bytes | None"]
"""Digest, version, created (from the place's time), raised (from that), seal, body."""

_Families: TypeAlias = dict[tuple[str, str, str], dict[bytes, int]]
_Others: TypeAlias = list[tuple[int, Place | None]]
_Again: TypeAlias = list[tuple[int, int]]
"""Where in the answer a record belongs: by space, kind, family and digest; with its place; and
where the same record stands already."""


def records_by_key(
    connection: Connection, keys: Sequence[Key], *, now: int, bodies: bool
) -> list[Record | None]:
    """Return the records of `keys` that are live at `now`, `None` where absent."""
    if len(keys) == 1:
        found = record_at_once(connection, keys[0], now=now, bodies=bodies)
        if found is not None:
            return found
    answer: list[Record | None] = [None] * len(keys)
    families, others, again = _sorted_out(connection, keys)
    for name, wanted in families.items():
        place = connection.names.place(*name)
        if place is not None:
            _fill(connection, place, wanted, keys, answer, bodies=bodies)
            others += [(index, place) for index in wanted.values() if answer[index] is None]
    statement = select.point(bodies=bodies)
    for index, place in others:
        if place is not None:
            answer[index] = _ordinary(connection, statement, keys[index], place, now=now)
    for index, first in again:
        answer[index] = answer[first]
    return answer


def record_at_once(
    connection: Connection, key: Key, *, now: int, bodies: bool
) -> list[Record | None] | None:
    """Return the live record of `key` by one look at its row, `None` where it takes another.

    No snapshot is needed for that: no number ever means another name. Where the name of a parent
    is gone by the time it is looked up, where something is damaged, and where a record that may be
    lean is not among those, the answer is left to `records_by_key`.
    """
    names = connection.names
    if lean.split(key.id) is not None:
        return lean_at_once(connection, (key,), bodies=bodies)
    place = names.place(key.space, key.kind)
    if place is None:
        return None
    try:
        rows = connection.rows(select.point(bodies=bodies), (place.space, key.id, place.kind, now))
    except apsw.CorruptError as error:
        raise _lost(key, error) from error
    if not rows:
        return [None]
    try:
        return [*records_of(rows, names, key=key)]
    except Corrupt:
        return None


def lean_at_once(
    connection: Connection, keys: Sequence[Key], *, bodies: bool
) -> list[Record | None] | None:
    """Return lean records of one family by one statement, `None` where it takes another look.

    At most `shapes.of_keys` lets through are asked for: that is fewer than one statement finds.
    """
    families, others, again = _sorted_out(connection, keys)
    if others or again or len(families) != 1:
        return None
    [(name, wanted)] = families.items()
    place = connection.names.place(*name)
    if place is None:
        return None
    answer: list[Record | None] = [None] * len(keys)
    _fill(connection, place, wanted, keys, answer, bodies=bodies)
    return answer if all(answer) else None


def one_id(query: Query) -> str | None:
    """Return the id that a query asks for in one space, `None` where it may be several."""
    if query.space is None or query.expired or not query.where:
        return None
    named = query.named_ids()
    return named[0] if named is not None and len(named) == 1 else None


def named_at_once(connection: Connection, query: Query, id: str, now: int) -> list[Record] | None:
    """Return the answer of a query for an id by one statement, or `None` as above."""
    space = connection.names.space_at_hand(query.space or "")
    if space == UNKNOWN or lean.split(id) is not None:
        return None
    rows = connection.rows(select.named(bodies=query.bodies), (space, id, now))
    try:
        found = records_of(rows, connection.names)
    except Corrupt:
        return None
    answer = [r for r in found if query.matches(r, now) and query.within(r)]
    if len(answer) > 1:
        answer.sort(key=lambda r: query.cursor(r).key, reverse=query.order.descending)
    return answer[: query.limit]


def _sorted_out(connection: Connection, keys: Sequence[Key]) -> tuple[_Families, _Others, _Again]:
    """Return which keys may be lean, by family and digest; the others; and which occur again."""
    families: _Families = {}
    others: _Others = []
    again: _Again = []
    name = "", "", ""
    wanted: dict[bytes, int] = {}
    split = lean.split_all([key.id for key in keys])
    for index, (key, parts) in enumerate(zip(keys, split, strict=True)):
        if parts is None:
            others.append((index, connection.names.place(key.space, key.kind)))
            continue
        # Whoever asks for many asks for those of one family.
        if (key.space, key.kind, parts[0]) != name:
            name = key.space, key.kind, parts[0]
            wanted = families.setdefault(name, {})
        first = wanted.setdefault(parts[1], index)
        if first != index:
            again.append((index, first))
    return families, others, again


def _ordinary(
    connection: Connection, statement: str, key: Key, place: Place, *, now: int
) -> Record | None:
    """Return a record of the ordinary table."""
    try:
        rows = connection.rows(statement, (place.space, key.id, place.kind, now))
    except apsw.CorruptError as error:
        raise _lost(key, error) from error
    return records_of(rows, connection.names, key=key)[0] if rows else None


def _fill(
    connection: Connection,
    place: Place,
    wanted: Mapping[bytes, int],
    keys: Sequence[Key],
    answer: list[Record | None],
    *,
    bodies: bool,
) -> None:
    """Put the lean records of one place into the answer."""
    digests = list(wanted)
    texts, begin = connection.names.texts, place.at
    for start in range(0, len(digests), _TOGETHER):
        some = digests[start : start + _TOGETHER]
        key = keys[wanted[some[0]]]
        for digest, version, at, raised, seal, body in _lean(
            connection, place, some, key, bodies=bodies
        ):
            index = wanted.get(digest)
            if index is not None:
                # Filled in here, since there are thousands of them.
                draft = RecordDraft()
                draft.key = keys[index]
                draft.version = version
                draft.created_at = draft.updated_at = begin + at
                if raised is not None:
                    draft.updated_at += raised
                draft.session_id = draft.thread_id = draft.expires_at = None
                draft.labels = NO_LABELS
                draft.body = body
                draft.seal = texts[seal]
                answer[index] = draft.done()


def _lean(
    connection: Connection, place: Place, digests: Sequence[bytes], key: Key, *, bodies: bool
) -> list[_Lean]:
    """Return the lean rows of one place that may have these digests; `key` is that of the first."""
    room = 1 << (len(digests) - 1).bit_length()
    spots = list(map(lean.spot, digests))
    spots += [spots[-1]] * (room - len(spots))
    body = "body" if bodies else "null"
    columns = f"select digest, version, at, raised, seal, {body} from"
    statement = f"{columns} {lean.FOUND} in ({', '.join('?' * room)})"
    try:
        return cast("list[_Lean]", connection.rows(statement, (place.number, *spots)))
    except apsw.CorruptError as error:
        if len(digests) == 1:
            raise _lost(key, error) from error
    rows: list[_Lean] = []
    for digest in digests:
        asked = Key(key.space, key.kind, f"{place.family}.{digest.hex()}")
        rows += _lean(connection, place, (digest,), asked, bodies=bodies)
    return rows


def _lost(key: Key, error: apsw.CorruptError) -> Corrupt:
    message = f"{key} lies in a damaged part of the file ({error}); restore a backup"
    return Corrupt(message, code="damaged_file", key=key)
