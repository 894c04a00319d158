"""The log of commits: written with each batch, read as the feed, remembered for retries.

What a commit changed stands in one MessagePack array. Each change begins with the number of its
place (names.py). Its id follows: nothing where the place is a family's; nil for a UUID and true for
32 hexadecimal digits; a number where a name has the same text; else a text. The bytes of a digest,
of a UUID and of 32 digits stand one behind the other in a column of their own. A negative place
says that the version after the change, and how much greater it is than the one before, come last: a
record that was made with version 1 needs neither.

A `Check` changes nothing and stands nowhere: a retry says again what it expects. Behind the last of
those bytes, two more tell the keys that were checked from others.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final, TypeAlias, cast

from ormsgpack import packb, unpackb

from ...domain.change import Applied, Batch, Changed, Check, Commit
from ...domain.effect import Verdict
from ...domain.errors import Corrupt, Invalid
from ...domain.horizon import trimmed
from ...domain.limits import MAX_INT64
from ...domain.record import Key
from . import crc
from .connection import Connection, Row
from .lean import DIGEST_BYTES
from .names import UNKNOWN, Names
from .tables import Address, Tables

_EPOCH: Final = 1_767_225_600_000_000
"""2026-01-01 UTC in microseconds: times around it are two bytes shorter when they count from it."""

_LENGTH: Final = 16
"""Bytes of a UUID, and of 32 hexadecimal digits."""

_CHECKED: Final = 2
"""Bytes that tell the keys of checks from others."""

SHOWN: Final = 3
"""How many bytes of a batch's id stand in the index."""

SENT: Final = (
    "select -1, seq, at, changes, ids, null, null from commits indexed by commits_batch "
    "where substr(batch, 1, 3) = ? and batch = ?"
)
"""What finds a batch that was applied before, by the bytes that are shown and by all."""

_RECORD: Final = (
    "insert into commits (batch, at, actor, changes, ids, crc) values (?, ?, ?, ?, ?, ?)"
)

_Row: TypeAlias = tuple[int, int, bytes, bytes | None, bytes, str]


def replayed(sent: Row, batch: Batch, names: Names) -> Applied:
    """Return the answer that a batch got before; `sent` is what `SENT` found of it.

    Raises `Invalid` where its id was used for other keys.
    """
    _, seq, at, packed, ids, *_ = sent
    told, rest = _changes(seq, packed, ids or b"", names)
    keys = [change.key for change in batch.changes if not isinstance(change, Check)]
    checked = [change.key for change in batch.changes if isinstance(change, Check)]
    if [key for key, _, _ in told] != keys or rest != (_sum(checked) if checked else b""):
        message = (
            f"the batch id {batch.id!r} was used for a batch of other keys; "
            "only a retry of the same batch may carry it: make a new id"
        )
        raise Invalid(message, code="batch_id_reused", field="batch id", batch_id=batch.id)
    versions = iter([(new, old) for _, new, old in told])
    both = [
        (change.told, change.told) if isinstance(change, Check) else next(versions)
        for change in batch.changes
    ]
    after, before = tuple(new for new, _ in both), tuple(old for _, old in both)
    return Applied(seq, at + _EPOCH, after, before, replayed=True)


def record(
    connection: Connection,
    batch: Batch,
    tables: Tables,
    done: tuple[Sequence[Address], Sequence[Verdict]],
    *,
    id: bytes,
    at: int,
) -> int:
    """Write the row of a batch that changed something; return its number.

    `done` has, for each change, where its key lies and what became of it; `id` is the packed one.
    """
    told: list[int | str | bool | None] = []
    ids: list[bytes] = []
    checked: list[Key] = []
    for change, address, verdict in zip(batch.changes, *done, strict=True):
        if type(change) is Check:
            checked.append(change.key)
            continue
        _, digest, place = address
        _, new, old, _, _ = verdict
        number = (place or tables.settle(change, address, at)).number
        is_plain = new == 1 and old == 0
        told.append(number if is_plain else -number)
        if digest is not None:
            ids.append(digest)
        else:
            told.append(_pack_id(change.key.id, connection.names, ids))
        if not is_plain:
            told += (new, new - old)
    if checked:
        ids.append(_sum(checked))
    row = (id, at - _EPOCH, batch.actor, packb(told), b"".join(ids) if ids else None)
    connection.run(_RECORD, (*row, crc.of_parts(row)))
    return connection.last_row()


def _sum(checked: Sequence[Key]) -> bytes:
    """Return what tells the keys of a batch's checks from others."""
    check, before = 0, ""
    for key in checked:
        check = zlib.crc32(f"{before}{key.space}/{key.kind}/{key.id}".encode(), check)
        before = "\n"
    return (check & 0xFFFF).to_bytes(_CHECKED, "big")


def commits(
    connection: Connection, *, after: int, until: int | None, count: int, size: int
) -> tuple[list[Commit], int]:
    """Return commits behind `after` and not behind `until`, in order, and the number of the last.

    Up to `count` of them, and fewer where their rows have `size` bytes or more. Without `until` up
    to the newest, whose number comes second. Raises `NotFound` where the first of them were
    forgotten, unless `after` is 0.
    """
    end = last_seq(connection) if until is None else until
    rows = _rows(connection, after, end, count=count, size=size)
    if after > 0:
        _check_horizon(connection, after, rows)
    told: list[Commit] = []
    for row in rows:
        try:
            told.append(_commit(row, connection.names))
        except Corrupt:
            # What comes before is told; whoever goes on behind it meets the damage first.
            if not told:
                raise
            break
    return told, end


def _rows(connection: Connection, after: int, until: int, *, count: int, size: int) -> list[_Row]:
    found: list[_Row] = []
    asked = (
        "select seq, at, changes, ids, batch, actor from commits "
        "where seq > ? and seq <= ? order by seq limit ?"
    )
    with closing(connection.walk(asked, (after, until, count))) as rows:
        for row in rows:
            found.append(cast("_Row", row))
            size -= len(found[-1][2]) + len(found[-1][3] or b"")
            if size <= 0:
                break
    return found


def _check_horizon(connection: Connection, after: int, rows: Sequence[_Row]) -> None:
    # Numbers follow each other without a gap, but for what was forgotten.
    if rows and rows[0][0] == after + 1:
        return
    oldest = connection.integer("select coalesce(min(seq), 0) from commits")
    if oldest > after + 1:
        raise trimmed(after, forgotten=oldest - 1)


def last_seq(connection: Connection) -> int:
    """Return the number of the newest commit, 0 where there is none."""
    return connection.integer("select coalesce(max(seq), 0) from commits")


def _commit(row: _Row, names: Names) -> Commit:
    seq, at, packed, ids, batch, actor = row
    # A change without effect leaves the version as it was, and every other one moves it.
    changed = tuple(
        Changed(key, new)
        for key, new, old in _changes(seq, packed, ids or b"", names)[0]
        if new != old
    )
    return Commit(seq, at + _EPOCH, _unpack_batch(seq, batch), actor, changed)


def _changes(
    seq: int, packed: bytes, ids: bytes, names: Names
) -> tuple[list[tuple[Key, int, int]], bytes]:
    """Return the key of each change but checks, with its versions after and before.

    And the bytes that tell which keys were checked.
    """
    told = iter(_array(seq, packed))
    raw = _Bytes(ids)
    changes: list[tuple[Key, int, int]] = []
    try:
        for number in told:
            if type(number) is not int:
                raise _damaged(seq)
            place = names.place_of(abs(number))
            id = _lean_id(place.family, raw) if place.family else _id(told, raw, names)
            new = 1 if number > 0 else _version(next(told))
            old = 0 if number > 0 else _version(new - _integer(next(told)))
            changes.append((Key(names.texts[place.space], names.texts[place.kind], id), new, old))
    except (ValueError, TypeError, StopIteration, Corrupt) as error:
        raise _damaged(seq) from error
    rest = raw.rest()
    if len(rest) not in (0, _CHECKED):
        raise _damaged(seq)
    return changes, rest


def _array(seq: int, packed: bytes) -> list[object]:
    try:
        told: object = unpackb(packed)
    except ValueError as error:
        raise _damaged(seq) from error
    if not isinstance(told, list) or not told:
        raise _damaged(seq)
    return cast("list[object]", told)


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise TypeError(type(value).__name__)


def _version(value: object) -> int:
    if 0 <= (version := _integer(value)) <= MAX_INT64:
        return version
    raise ValueError(version)


class _Bytes:
    """Take bytes off the front, so many at a time."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes; raise `ValueError` where there are fewer."""
        start, self._at = self._at, self._at + count
        if self._at > len(self._data):
            raise ValueError(count)
        return self._data[start : self._at]

    def rest(self) -> bytes:
        """Return what nobody took."""
        return self._data[self._at :]


def _lean_id(family: str, raw: _Bytes) -> str:
    return f"{family}.{raw.take(DIGEST_BYTES).hex()}"


def _pack_id(id: str, names: Names, ids: list[bytes]) -> int | str | bool | None:
    """Return what stands in the array for an id that is not a family's; `ids` gets its bytes."""
    number = names.at_hand(id)
    if number != UNKNOWN:
        names.keep(number)
        return number
    digits = _hexadecimal(id) if len(id) == 2 * _LENGTH else None
    if digits is not None:
        ids.append(digits)
        return True
    digits = _hexadecimal(id.replace("-", "")) if "-" in id else None
    if digits is None or _uuid(digits) != id:
        return id
    ids.append(digits)
    return None


def _id(told: Iterator[object], raw: _Bytes, names: Names) -> str:
    packed = next(told)
    if packed is None:
        return _uuid(raw.take(_LENGTH))
    if packed is True:
        return raw.take(_LENGTH).hex()
    return packed if isinstance(packed, str) else names.texts[_integer(packed)]


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


def pack_batch(id: str) -> bytes:
    """Return 16 bytes for a batch's id of 32 hexadecimal digits; else the text behind a digest.

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
