"""The rows of a table as they stand there: from its beginning, and behind damage from its end."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import apsw

from ...domain.source import Problem
from ..databases import Database, columns


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: its number, and its cells as bytes, whatever type they have."""

    number: int
    cells: dict[str, bytes | None]

    def text(self, name: str) -> str | None:
        """Return a cell as a text; bytes that are no UTF-8 are written as escapes."""
        cell = self.cells.get(name)
        return None if cell is None else cell.decode("utf-8", "backslashreplace")

    @property
    def digest(self) -> str:
        """The SHA-256 of everything in the row, in hexadecimal."""
        whole = hashlib.sha256()
        for name, cell in sorted(self.cells.items()):
            whole.update(f"{name}:".encode())
            whole.update(b"-" if cell is None else b"%d:%b" % (len(cell), cell))
        return whole.hexdigest()

    def written_down(self, *packed: str) -> bytes:
        """Return the whole row as JSON; the cells named, which are no texts, in base64."""
        shown: dict[str, str | None] = {}
        for name, cell in self.cells.items():
            is_text = cell is None or name not in packed
            shown[name] = self.text(name) if is_text else base64.b64encode(cell or b"").decode()
        return json.dumps(shown, ensure_ascii=False).encode()


def rows(
    db: Database, table: str, wanted: Sequence[str], *, place: str
) -> Iterator[TableRow | Problem]:
    """Go through the rows of a table, with those of the `wanted` columns that it has.

    Damage is told as a problem of `place`; the rows behind it come last, the last one first.
    """
    own = columns(db)[table]
    names = [name for name in wanted if name in own]
    # Everything as bytes: text that is no UTF-8 must not stop the others.
    cells = ", ".join(f"CAST({name} AS BLOB)" for name in names)
    upwards = f"SELECT rowid, {cells} FROM {table} ORDER BY rowid"  # noqa: S608 (our own names)
    first: int | None = None
    for text in (upwards, f"{upwards} DESC"):
        last: int | None = None
        try:
            for number, *values in db.execute(text):
                row = TableRow(
                    cast("int", number),
                    dict(zip(names, cast("list[bytes | None]", values), strict=True)),
                )
                if text != upwards and first is not None and row.number <= first:
                    return
                last = row.number
                yield row
        except apsw.Error as error:
            side = "behind" if text == upwards else "before"
            where = "at all" if last is None else f"{side} row {last}"
            reason = f"SQLite cannot read on {where}: {error}"
            yield Problem(code="bad_database", place=place, reason=reason)
            first = last if text == upwards else first
        else:
            return
