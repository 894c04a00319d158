"""A thorough look at what stands beside the bodies: every row is compared with its checksum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from ...domain.record import Key
from ...domain.verified import Damage
from . import crc
from .connection import Connection

_MOST: Final = 10_000
"""After so many damages nobody needs more of them to see how things are."""

_REASON: Final = (
    "what stands beside its body (key, version, times, parents or labels) is not what was written: "
    "restore it from a backup"
)

_Cell: TypeAlias = str | int | float | bytes | None


def _text(column: str) -> str:
    # Of a number that has no text any more, the empty one is told, which no parent has.
    named = f"(select cast(text as blob) from name where nr = {column})"  # noqa: S608
    return f"case when {column} is not null then coalesce({named}, x'') end"


_OPEN_BODY: Final = "case when (select text from name where nr = seal) = '' then body end"

_RECORDS: Final = (
    f"select {_text('record.space')}, {_text('record.kind')}, cast(id as blob), "  # noqa: S608
    f"created_at, expires_at, {_text('session_id')}, {_text('thread_id')}, {_text('seal')}, "
    f"cast(labels as blob), {_OPEN_BODY}, version, coalesce(updated_at, created_at), crc "
    "from record not indexed"
)
_LEAN: Final = (
    "select (select cast(text as blob) from name where nr = place.space), "  # noqa: S608
    "(select cast(text as blob) from name where nr = place.kind), cast(place.text as blob), "
    f"digest, place.at + node.at, {_text('seal')}, {_OPEN_BODY}, "
    "version, place.at + node.at + coalesce(raised, 0), node.crc "
    "from node not indexed left join name as place on place.nr = node.place"
)
_RAW: Final = frozenset({9})
_RAW_LEAN: Final = frozenset({3, 6})
"""Which columns are bytes and no texts."""

_NAMES: Final = "select nr, cast(text as blob), space, kind, at, kept, crc from name not indexed"
_COMMITS: Final = (
    "select seq, batch, at, cast(actor as blob), changes, ids, crc from commits order by seq"
)


@dataclass(slots=True)
class Review:
    """What was found: records that are damaged beside their bodies, and what is not a record."""

    records: list[Damage] = field(default_factory=list[Damage])
    others: list[str] = field(default_factory=list[str])

    @property
    def is_full(self) -> bool:
        """Whether there is more damage than anybody reads."""
        return len(self.records) + len(self.others) >= _MOST


def review(connection: Connection, found: Review) -> None:
    """Compare every row with its checksum; rows of older programs may have none.

    Raises errors of apsw where a page cannot be read.
    """
    for look in (_names, _records, _lean, _commits):
        look(connection, found)


def _walk(connection: Connection, statement: str, found: Review) -> Iterator[tuple[_Cell, ...]]:
    with closing(connection.walk(statement)) as rows:
        for row in rows:
            if found.is_full:
                return
            yield cast("tuple[_Cell, ...]", row)


def _records(connection: Connection, found: Review) -> None:
    for *lasting, version, updated, told in _walk(connection, _RECORDS, found):
        texts = _decoded(lasting, raw=_RAW)
        if _is_sound(texts, version, updated, told):
            continue
        space, kind, id = map(_shown, lasting[:3])
        thread = lasting[6]
        found.records.append(
            Damage(
                key=Key.trusted(space, kind, id),
                reason=_REASON,
                thread_id=None if thread is None else _shown(thread),
            )
        )


def _lean(connection: Connection, found: Review) -> None:
    for *lasting, version, updated, told in _walk(connection, _LEAN, found):
        texts = _decoded(lasting, raw=_RAW_LEAN)
        if _is_sound(texts, version, updated, told):
            continue
        space, kind, family = map(_shown, lasting[:3])
        digest = lasting[3]
        digits = digest.hex() if isinstance(digest, bytes) else str(digest)
        found.records.append(
            Damage(key=Key.trusted(space, kind, f"{family}.{digits}"), reason=_REASON)
        )


def _is_sound(texts: tuple[_Cell, ...] | None, version: _Cell, updated: _Cell, told: _Cell) -> bool:
    if texts is None:
        return False
    return told is None or told == crc.of_row(texts, version, updated)


def _names(connection: Connection, found: Review) -> None:
    for number, text, space, kind, at, kept, told in _walk(connection, _NAMES, found):
        if told is None:
            continue
        texts = _decoded([text])
        level = kept if isinstance(kept, int) else 0
        if texts is None or told != crc.of_name(number, texts[0], space, kind, at, kept=level):
            found.others.append(f"the name {number!r}, {_shown(text)!r}, is not what was written")


def _commits(connection: Connection, found: Review) -> None:
    last: _Cell = None
    for seq, batch, at, actor, changes, ids, told in _walk(connection, _COMMITS, found):
        if isinstance(last, int) and seq != last + 1:
            found.others.append(f"commit {last} of the feed is followed by {seq!r}")
        last = seq
        texts = _decoded([actor])
        if texts is None or (
            told is not None and told != crc.of_parts((batch, at, texts[0], changes, ids))
        ):
            found.others.append(f"commit {seq!r} of the feed is not what was written")


def _decoded(
    cells: Sequence[_Cell], *, raw: frozenset[int] = frozenset()
) -> tuple[_Cell, ...] | None:
    """Return cells with texts in the place of their bytes, `None` where some are no text."""
    try:
        return tuple(
            [
                cell.decode() if isinstance(cell, bytes) and place not in raw else cell
                for place, cell in enumerate(cells)
            ]
        )
    except UnicodeDecodeError:
        return None


def _shown(cell: _Cell) -> str:
    """Return a cell as people can read it, whatever is in it."""
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
