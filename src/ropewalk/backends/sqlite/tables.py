"""The two tables of records as the writer uses them: find a key's row, write it, remove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias, cast

from ...domain.change import ABSENT, Change, Delete, Ensure
from ...domain.effect import Effect, Stamp
from ...domain.labels import Label
from ...domain.record import Key, Record
from . import crc, labels, lean
from .connection import Connection
from .indexes import FEW_RECORDS
from .names import Place

_FIND: Final = (
    "row, version, created_at, expires_at, session_id, thread_id from record "
    "indexed by record_key where space = ? and id = ? and kind = ?"
)
_FIND_LEAN: Final = f"-row, version, at, null, null, null from {lean.FOUND} = ? and digest = ?"
_TOGETHER: Final = 8
"""How many keys one statement looks for."""

_INSERT: Final = (
    "insert into record (version, updated_at, expires_at, seal, labels, body, crc, "
    "created_at, session_id, thread_id, space, kind, id) "
    "values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
# Naming a column in an update rewrites its indexes even where the value stays: most writes of a
# record that is there leave its place alone.
_REWRITE: Final = (
    "update record set version = ?, updated_at = ?, expires_at = ?, seal = ?, labels = ?, body = ?,"
    " crc = ? where row = ?"
)
_MOVE: Final = (
    "update record set version = ?, updated_at = ?, expires_at = ?, seal = ?, labels = ?, body = ?,"
    " crc = ?, created_at = ?, session_id = ?, thread_id = ? where row = ?"
)
_RAISE: Final = (
    "update record set version = ?, crc = ?, updated_at = nullif(?, created_at) where row = ?"
)
_RAISED: Final = "select coalesce(updated_at, created_at), crc from record where row = ?"
_DELETE: Final = "delete from record where row = ?"

_INSERT_LEAN: Final = (
    "insert into node (place, digest, version, at, seal, body, crc) values (?, ?, ?, ?, ?, ?, ?)"
)
_RAISE_LEAN: Final = "update node set version = ?, crc = ?, raised = nullif(?, 0) where row = ?"
_RAISED_LEAN: Final = "select coalesce(raised, 0), crc from node where row = ?"
_DELETE_LEAN: Final = "delete from node where row = ?"


class Address(NamedTuple):
    """A key in the terms of the file: its place, `None` where nothing was written there yet.

    `digest` is that of an id which is a family and a digest, else `None`.
    """

    key: Key
    family: str
    digest: bytes | None
    place: Place | None


class Row(NamedTuple):
    """The row of a key as it is now, whether it is live or has expired; parents are numbers.

    The number of a lean row is negative.
    """

    row: int
    version: int
    created_at: int
    expires_at: int | None
    session_id: int | None
    thread_id: int | None

    def stamp(self, now: int) -> Stamp | None:
        """Return what `decide` needs to know, `None` where the record has expired."""
        live = self.expires_at is None or self.expires_at > now
        return Stamp(self.version, self.created_at) if live else None


_Found: TypeAlias = tuple[int, int, int, int, int | None, int | None, int | None]


class Tables:
    """Rows of the file, on the connection that writes; `removed` counts those that are gone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names = connection.names
        self._loose: set[int] = set()
        self.removed = 0

    def address(self, key: Key) -> Address:
        """Return where a key lies."""
        family, digest = lean.split(key.id) or ("", None)
        return Address(key, family, digest, self._names.place(key.space, key.kind, family))

    def find(self, addresses: Sequence[Address]) -> list[Row | None]:
        """Return the rows of keys, `None` where there is none."""
        answer: list[Row | None] = [None] * len(addresses)
        for start in range(0, len(addresses), _TOGETHER):
            self._find(addresses, start, answer)
        return answer

    def _find(self, addresses: Sequence[Address], start: int, answer: list[Row | None]) -> None:
        form = ""
        values: list[str | int | bytes] = []
        for index, (key, _, digest, place) in enumerate(addresses[start : start + _TOGETHER]):
            # Where no place was made, no id was ever written, in either table.
            if place is not None:
                if digest is not None:
                    form += f"{index}-"
                    values += (place.number, lean.spot(digest), digest)
                form += f"{index}+"
                values += (place.space, key.id, place.kind)
        if not form:
            return
        rows = cast("list[_Found]", self._connection.rows(_finding(form), values))
        for index, row, version, at, expires, session, thread in rows:
            place = addresses[start + index].place
            if answer[start + index] is None and place is not None:
                created = place.at + at if row < 0 else at
                answer[start + index] = Row(row, version, created, expires, session, thread)

    def settle(self, address: Address, now: int) -> Place:
        """Return the place of a key, made if it is new."""
        key = address.key
        return address.place or self._names.enter_place(key.space, key.kind, address.family, at=now)

    def perform(
        self,
        change: Change,
        address: Address,
        row: Row | None,
        effect: Effect,
        *,
        held: Mapping[str, Label],
        now: int,
    ) -> None:
        """Do what was decided about a change; `held` are the labels of a record to be written."""
        if effect.record is not None:
            place = self.settle(address, now)
            if row is None and isinstance(change, Ensure) and address.digest is not None:
                self._insert_lean(place, address.digest, effect.record)
            else:
                self._write(place, row, effect.record, held)
        elif row is not None and effect.action == "raise":
            self._raise(row, effect.version, now)
        elif row is not None and (effect.action == "delete" or _is_late(change, effect)):
            self._remove(row)

    def _insert_lean(self, place: Place, digest: bytes, record: Record) -> None:
        seal = self._names.enter_kept(record.seal)
        key, at = record.key, record.created_at
        beside = (record.seal, _open_body(record))
        lasting = (key.space, key.kind, place.family, digest, at, *beside)
        check = crc.of_row(lasting, record.version, record.updated_at)
        values = (place.number, digest, record.version, at - place.at, seal, record.body, check)
        self._connection.run(_INSERT_LEAN, values)

    def _raise(self, row: Row, version: int, now: int) -> None:
        """Give a row a greater version; a checksum that was wrong stays so."""
        is_lean = row.row < 0
        base = row.created_at if is_lean else 0
        statement = _RAISED_LEAN if is_lean else _RAISED
        ((at, check),) = cast(
            "list[tuple[int, int | None]]", self._connection.rows(statement, (abs(row.row),))
        )
        if check is not None:
            check = crc.raised(check, (row.version, base + at), (version, now))
        values = (version, check, now - base, abs(row.row))
        self._connection.run(_RAISE_LEAN if is_lean else _RAISE, values)

    def _write(
        self, place: Place, row: Row | None, record: Record, held: Mapping[str, Label]
    ) -> None:
        run = self._connection.run
        key, created, updated = record.key, record.created_at, record.updated_at
        coded = labels.encode(held)
        lasting = (
            *(key.space, key.kind, key.id, created, record.expires_at),
            *(record.session_id, record.thread_id, record.seal, coded, _open_body(record)),
        )
        letter = (
            record.version,
            None if updated == created else updated,
            record.expires_at,
            self._names.enter_kept(record.seal),
            coded,
            record.body,
            crc.of_row(lasting, record.version, updated),
        )
        session = self._parent(record.session_id, "record_session")
        thread = self._parent(record.thread_id, "record_thread")
        if record.expires_at is not None:
            self._connection.indexes.need("record_expiry")
        spot = (created, session, thread)
        if row is not None and row.row < 0:
            # A lean row cannot hold what was put: the record moves.
            self._remove(row)
            row = None
        if row is None:
            run(_INSERT, (*letter, *spot, place.space, place.kind, record.key.id))
            if self._connection.last_row() > FEW_RECORDS:
                self._connection.indexes.need_all()
        elif spot == (row.created_at, row.session_id, row.thread_id):
            run(_REWRITE, (*letter, row.row))
        else:
            self._leave(row)
            run(_MOVE, (*letter, *spot, row.row))

    def _parent(self, id: str | None, index: str) -> int | None:
        if id is None:
            return None
        self._connection.indexes.need(index)
        return self._names.enter(id)

    def _remove(self, row: Row) -> None:
        self._leave(row)
        self.removed += 1
        self._connection.run(_DELETE_LEAN if row.row < 0 else _DELETE, (abs(row.row),))

    def _leave(self, row: Row) -> None:
        """Note that a row leaves its parents, which may then be nobody's."""
        self._loose.update(n for n in (row.session_id, row.thread_id) if n is not None)

    def release_names(self) -> None:
        """Let go of the names of parents that no row has any more."""
        if self._loose:
            self._names.release(self._loose)
            self._loose.clear()

    def undo(self) -> None:
        """Forget what was learnt since: the batch was rolled back."""
        self._loose.clear()
        self._names.undo()
        self._connection.declared.undo()


@lru_cache(maxsize=256)
def _finding(form: str) -> str:
    """Return the statement that looks for some keys, each by its index and in which table."""
    return " union all ".join(
        f"select {index}, {_FIND if table == '+' else _FIND_LEAN}"
        for index, table in zip(form[::2], form[1::2], strict=True)
    )


def _open_body(record: Record) -> bytes | None:
    """Return a body that no codec has given a checksum, because it has no seal."""
    return None if record.seal else record.body


def _is_late(change: Change, effect: Effect) -> bool:
    """Tell whether a delete came to an expired record, which then goes without a commit."""
    return isinstance(change, Delete) and effect.previous == ABSENT
