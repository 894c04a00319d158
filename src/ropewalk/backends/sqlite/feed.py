"""The log of commits: written with each batch, read as the feed, remembered for retries.

What a commit changed stands in one MessagePack array: for each change the number of its place
(names.py), its id, and the versions after and before it. An id is 16 bytes where it is a family
and a digest, or a UUID; 17 bytes, the first of them 0, where it is 32 hexadecimal digits; a number
where a name has the same text; else a text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import ormsgpack

from ...domain.change import Applied, Batch, Changed, Commit
from ...domain.errors import Corrupt, Invalid
from ...domain.limits import MAX_INT64
from ...domain.record import Key
from .connection import Connection
from .names import UNKNOWN, Names, Place

_EPOCH: Final = 1_767_225_600_000_000
"""2026-01-01 UTC in microseconds: times around it are two bytes shorter when they count from it."""

_LENGTH: Final = 16
"""Bytes of a UUID, of a digest, and of 32 hexadecimal digits."""

_SHOWN: Final = 4
"""How many bytes of a batch's id stand in the index."""

_REPLAYED: Final = (
    "select seq, at, changes from commits indexed by commits_batch "
    "where substr(batch, 1, 4) = ? and batch = ?"
)

_Entry: TypeAlias = tuple[int, int, bytes]


def replayed(connection: Connection, batch: Batch) -> Applied | None:
    """Return the answer that this batch got before, `None` for a new one.

    Raises `Invalid` where its id was used for other keys.
    """
    id = _pack_batch(batch.id)
    rows = connection.rows(_REPLAYED, (id[:_SHOWN], id))
    if not rows:
        return None
    seq, at, packed = cast("_Entry", rows[0])
    changes = _changes(seq, packed, connection.names)
    if [key for key, _, _ in changes] != [change.key for change in batch.changes]:
        message = (
            f"the batch id {batch.id!r} was used for a batch of other keys; "
            "only a retry of the same batch may carry it: make a new id"
        )
        raise Invalid(message, code="batch_id_reused", field="batch id", batch_id=batch.id)
    after, before = tuple(new for _, new, _ in changes), tuple(old for _, _, old in changes)
    return Applied(seq, at + _EPOCH, after, before, replayed=True)


def record(
    connection: Connection,
    batch: Batch,
    places: Sequence[tuple[Place, bytes | None]],
    *,
    at: int,
    versions: Sequence[int],
    previous: Sequence[int],
) -> Applied:
    """Write the row of a batch that changed something; return the batch's answer.

    `places` has, for each change, the place of its key and the digest in its id, if it has one.
    """
    told: list[int | str | bytes] = []
    for change, (place, digest), new, old in zip(
        batch.changes, places, versions, previous, strict=True
    ):
        id = _pack_id(change.key.id, connection.names) if digest is None else digest
        told += (place.number, id, new, old)
    connection.run(
        "insert into commits (batch, at, actor, changes) values (?, ?, ?, ?)",
        (_pack_batch(batch.id), at - _EPOCH, batch.actor, ormsgpack.packb(told)),
    )
    return Applied(connection.last_row(), at, tuple(versions), tuple(previous))


def commits(connection: Connection, *, after: int, until: int, count: int) -> list[Commit]:
    """Return up to `count` commits behind `after` and not behind `until`, in order."""
    rows = connection.rows(
        "select seq, at, changes, batch, actor from commits "
        "where seq > ? and seq <= ? order by seq limit ?",
        (after, until, count),
    )
    told: list[Commit] = []
    for row in rows:
        try:
            told.append(_commit(cast("tuple[int, int, bytes, bytes, str]", row), connection.names))
        except Corrupt:
            # What comes before is told; whoever goes on behind it meets the damage first.
            if not told:
                raise
            break
    return told


def last_seq(connection: Connection) -> int:
    """Return the number of the newest commit, 0 where there is none."""
    return connection.integer("select coalesce(max(seq), 0) from commits")


def _commit(row: tuple[int, int, bytes, bytes, str], names: Names) -> Commit:
    seq, at, packed, batch, actor = row
    # A change without effect leaves the version as it was, and every other one moves it.
    changed = tuple(
        Changed(key, new) for key, new, old in _changes(seq, packed, names) if new != old
    )
    return Commit(seq, at + _EPOCH, _unpack_batch(seq, batch), actor, changed)


def _changes(seq: int, packed: bytes, names: Names) -> list[tuple[Key, int, int]]:
    """Return each change's key and its versions, after and before."""
    try:
        parts = iter(_array(packed))
        return [
            (_key(place, id, names), _version(new), _version(old))
            for place, id, new, old in zip(*[parts] * 4, strict=True)
        ]
    except (ValueError, TypeError, Corrupt) as error:
        raise _damaged(seq) from error


def _array(packed: bytes) -> list[object]:
    told: object = ormsgpack.unpackb(packed)
    if not isinstance(told, list) or not told:
        message = "no array of changes"
        raise TypeError(message)
    return cast("list[object]", told)


def _key(number: object, packed: object, names: Names) -> Key:
    if not isinstance(number, int):
        raise TypeError(type(number).__name__)
    place = names.place_of(number)
    space, kind = names.texts[place.space], names.texts[place.kind]
    return Key(space, kind, _unpack_id(packed, place, names))


def _version(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INT64:
        return value
    raise TypeError(type(value).__name__)


def _pack_id(id: str, names: Names) -> int | str | bytes:
    number = names.at_hand(id)
    if number != UNKNOWN:
        names.keep(number)
        return number
    digits = _hexadecimal(id)
    if digits is not None:
        return b"\0" + digits
    digits = _hexadecimal(id.replace("-", "")) if "-" in id else None
    return digits if digits is not None and _uuid(digits) == id else id


def _unpack_id(packed: object, place: Place, names: Names) -> str:
    if isinstance(packed, bytes):
        if len(packed) > _LENGTH:
            return packed[1:].hex()
        if len(packed) < _LENGTH:
            raise ValueError(len(packed))
        return f"{place.family}.{packed.hex()}" if place.family else _uuid(packed)
    if isinstance(packed, int):
        return names.texts[packed]
    if isinstance(packed, str):
        return packed
    raise TypeError(type(packed).__name__)


def _uuid(data: bytes) -> str:
    text = data.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _hexadecimal(text: str) -> bytes | None:
    """Return the 16 bytes that 32 small hexadecimal digits stand for, `None` for another text."""
    if len(text) != 2 * _LENGTH:
        return None
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return None
    return data if data.hex() == text else None


def _pack_batch(id: str) -> bytes:
    """Return 16 bytes for 32 hexadecimal digits; else the text behind a digest of it.

    The digest is what makes the beginning differ: it is all that the index knows.
    """
    digits = _hexadecimal(id)
    if digits is not None:
        return digits
    data = id.encode()
    return hashlib.blake2b(data, digest_size=_LENGTH).digest() + data


def _unpack_batch(seq: int, packed: bytes) -> str:
    if len(packed) == _LENGTH:
        return packed.hex()
    try:
        return packed[_LENGTH:].decode()
    except UnicodeDecodeError as error:
        raise _damaged(seq) from error


def _damaged(seq: int) -> Corrupt:
    message = f"commit {seq} of the feed is damaged; restore it from a backup"
    return Corrupt(message, code="bad_commit", seq=seq)
