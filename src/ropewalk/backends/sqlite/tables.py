"""The two tables of records as the writer uses them: find a key's row, write it, remove it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

from ...domain.change import ABSENT, Change, Delete, Ensure, Put
from ...domain.labels import Label, Labels
from ...domain.record import NO_LABELS
from . import crc, labels, lean
from .connection import Connection, Value
from .connection import Row as Columns
from .indexes import FEW_RECORDS
from .names import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...domain.effect import Verdict

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


Address: TypeAlias = tuple[str, bytes | None, Place | None]
"""A key in the terms of the file: family, digest and place, `None` where nothing was written yet.

The digest is that of an id which is a family and a digest; else it is `None`, and the family empty.
"""


class Row(NamedTuple):
    """The row of a key as it is now, whether it is live or has expired; parents are numbers.

    The number of a lean row is negative. Labels are not read; whoever needs them looks for them.
    """

    row: int
    version: int
    created_at: int
    expires_at: int | None
    session_id: int | None
    thread_id: int | None
    labels: Labels = NO_LABELS


# Make a row without a call of Python: each change of a batch has one.
_tuple: Final = cast("Callable[[type[Row], tuple[object, ...]], Row]", tuple.__new__)  # pyright: ignore[reportUnknownMemberType]


class Tables:
    """Rows of the file, on the connection that writes.

    `removed` counts those that are gone, and `loose` are the names of parents that lost one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names = connection.names
        self.loose: set[int] = set()
        self.removed = 0

    def addresses(self, changes: Sequence[Change]) -> list[Address]:
        """Return where each key lies."""
        addresses: list[Address] = []
        place = self._names.place
        for change in changes:
            key = change.key
            id = key.id
            parts = lean.split(id) if "." in id else None
            if parts is None:
                addresses.append(("", None, place(key.space, key.kind)))
            else:
                family, digest = parts
                addresses.append((family, digest, place(key.space, key.kind, family)))
        return addresses

    def find(
        self,
        changes: Sequence[Change],
        addresses: Sequence[Address],
        *,
        also: str,
        values: Sequence[Value],
    ) -> tuple[Columns | None, list[Row | None]]:
        """Return the row that `also` finds, and the rows of keys; `None` where there is none.

        `also` is a statement with seven columns and a negative number in the first, and `values`
        are what it binds: asked together with the keys it costs half as much.
        """
        beside: Columns | None = None
        answer: list[Row | None] = [None] * len(changes)
        asked = [*values]
        for start in range(0, len(changes) or 1, _TOGETHER):
            form = ""
            for number, (_, digest, place) in enumerate(addresses[start : start + _TOGETHER]):
                # Where no place was made, no id was ever written, in either table.
                if place is not None:
                    if digest is not None:
                        form += f"{number}-"
                        asked += (place.number, lean.spot(digest), digest)
                    form += f"{number}+"
                    asked += (place.space, changes[start + number].key.id, place.kind)
            if not (also or form):
                continue
            for found in self._connection.rows(_finding(also, form), asked):
                index: int = found[0]
                if index < 0:
                    beside = beside or found
                elif answer[start + index] is None:
                    parts: Columns = (*found[1:], NO_LABELS)
                    there = addresses[start + index][2]
                    if found[1] < 0 and there is not None:
                        # Lean rows have neither parents nor an expiry.
                        parts = (*found[1:3], there.at + found[3], None, None, None, NO_LABELS)
                    answer[start + index] = _tuple(Row, parts)
            also, asked = "", []
        return beside, answer

    def settle(self, change: Change, address: Address, now: int) -> Place:
        """Return the place of a key, made if it is new."""
        family, _, place = address
        key = change.key
        return place or self._names.enter_place(key.space, key.kind, family, at=now)

    def perform(
        self,
        change: Change,
        address: Address,
        row: Row | None,
        verdict: Verdict,
        *,
        held: Mapping[str, Label] | None,
        now: int,
    ) -> None:
        """Do what was decided about a change.

        `held` are the labels of a record to be written, `None` for those that the change has.
        """
        action = verdict[0]
        if action == "write":
            _, digest, place = address
            if place is None:
                place = self.settle(change, address, now)
            if isinstance(change, Put):
                self._write(place, row, change, verdict, held)
            elif isinstance(change, Ensure):
                if row is None and digest is not None:
                    self._insert_lean(place, digest, change, verdict)
                else:
                    put = Put(key=change.key, body=change.body, seal=change.seal)
                    self._write(place, row, put, verdict, None)
        elif row is not None and action == "raise":
            self._raise(row, verdict[1], now)
        elif row is not None and (action == "delete" or _is_late(change, verdict)):
            self._remove(row)

    def _insert_lean(self, place: Place, digest: bytes, change: Ensure, verdict: Verdict) -> None:
        _, version, _, at, updated = verdict
        key, seal, body = change.key, change.seal, change.body
        number = self._names.enter_kept(seal)
        # A body without a seal has no checksum from a codec.
        beside = (key.space, key.kind, place.family, digest, at, seal, None if seal else body)
        check = crc.of_row(beside, version, updated)
        values = (place.number, digest, version, at - place.at, number, body, check)
        self._connection.run(_INSERT_LEAN, values)

    def _raise(self, row: Row, version: int, now: int) -> None:
        """Give a row a greater version; a checksum that was wrong stays so."""
        is_lean = row.row < 0
        base = row.created_at if is_lean else 0
        statement = _RAISED_LEAN if is_lean else _RAISED
        at: int
        check: int | None
        ((at, check),) = self._connection.rows(statement, (abs(row.row),))
        if check is not None:
            check = crc.raised(check, (row.version, base + at), (version, now))
        values = (version, check, now - base, abs(row.row))
        self._connection.run(_RAISE_LEAN if is_lean else _RAISE, values)

    def _write(
        self,
        place: Place,
        row: Row | None,
        put: Put,
        verdict: Verdict,
        held: Mapping[str, Label] | None,
    ) -> None:
        run = self._connection.run
        _, version, _, created, updated = verdict
        key, seal, body, expires = put.key, put.seal, put.body, put.expires_at
        session, thread = put.session_id, put.thread_id
        labelled = put.labels if held is None else held
        coded = labels.encode(labelled) if labelled else None
        lasting = (
            *(key.space, key.kind, key.id, created, expires, session, thread, seal, coded),
            # A body without a seal has no checksum from a codec.
            None if seal else body,
        )
        letter = (
            version,
            None if updated == created else updated,
            expires,
            self._names.enter_kept(seal),
            coded,
            body,
            crc.of_row(lasting, version, updated),
        )
        spot = (
            created,
            None if session is None else self._parent(session, "record_session"),
            None if thread is None else self._parent(thread, "record_thread"),
        )
        if expires is not None:
            self._connection.indexes.need("record_expiry")
        if row is not None and row.row < 0:
            # A lean row cannot hold what was put: the record moves.
            self._remove(row)
            row = None
        if row is None:
            run(_INSERT, (*letter, *spot, place.space, place.kind, key.id))
            if self._connection.last_row() > FEW_RECORDS:
                self._connection.indexes.need_all()
        elif spot == (row.created_at, row.session_id, row.thread_id):
            run(_REWRITE, (*letter, row.row))
        else:
            self._leave(row)
            run(_MOVE, (*letter, *spot, row.row))

    def _parent(self, id: str, index: str) -> int:
        self._connection.indexes.need(index)
        return self._names.enter(id)

    def _remove(self, row: Row) -> None:
        self._leave(row)
        self.removed += 1
        self._connection.run(_DELETE_LEAN if row.row < 0 else _DELETE, (abs(row.row),))

    def _leave(self, row: Row) -> None:
        """Note that a row leaves its parents, which may then be nobody's."""
        self.loose.update(n for n in (row.session_id, row.thread_id) if n is not None)

    def release_names(self) -> None:
        """Let go of those names of parents that are `loose` and that no row has any more."""
        self._names.release(self.loose)
        self.loose.clear()

    def undo(self) -> None:
        """Forget what was learnt since: the batch was rolled back."""
        self.loose.clear()
        self._names.undo()
        self._connection.declared.undo()


@lru_cache(maxsize=256)
def _finding(also: str, form: str) -> str:
    """Return the statement that looks for some keys, each by its index and in which table."""
    parts = [
        f"select {index}, {_FIND if table == '+' else _FIND_LEAN}"
        for index, table in zip(form[::2], form[1::2], strict=True)
    ]
    return " union all ".join([also, *parts] if also else parts)


def _is_late(change: Change, verdict: Verdict) -> bool:
    """Tell whether a delete came to an expired record, which then goes without a commit."""
    return isinstance(change, Delete) and verdict[2] == ABSENT
