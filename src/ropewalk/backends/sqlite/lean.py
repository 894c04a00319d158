"""Lean rows: content-addressed records that are a body and nothing else.

Such a record was written by `Ensure` under an id that is a family, a dot and 24 hexadecimal digits
(a digest of 12 bytes). It lies in the table `node`, where all that records of a family have in
common is one number. To whoever asks, it is a record like others: here it gets the columns of one.
What a lean row cannot hold (labels, parents, an expiry) moves the record to the ordinary table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

from ...domain.query import LABEL, AnyOf, Condition, Query
from ...domain.record import Key, Record
from . import labels
from .connection import Connection
from .fragments import Sql, joined

DIGEST_BYTES: Final = 12
_DIGITS: Final = 2 * DIGEST_BYTES
_SHOWN: Final = 3
"""How many bytes of a digest, its last ones, stand in the index."""

_INDEXED: Final = f"substr(digest, -{_SHOWN})"

FOUND: Final = f"node indexed by node_digest where place = ? and {_INDEXED}"
"""The table of lean rows and its index; what follows is compared with the `spot` of a digest."""

_ROWS: Final = (
    "select -node.row as row, name.space as space, name.kind as kind, "
    "name.text || '.' || lower(hex(node.digest)) as id, node.version as version, "
    "name.at + node.at as created_at, "
    "name.at + node.at + coalesce(node.raised, 0) as updated_at, null as expires_at, "
    "null as session_id, null as thread_id, node.seal as seal, null as labels, "
    "node.body as body from node cross join name on name.nr = node.place"
)

_ABSENT: Final = frozenset({"expires_at", "session_id", "thread_id"})
_BARE: Final = Record(key=Key("a", "a", "a"), version=1, created_at=0, updated_at=0)


def split(id: str) -> tuple[str, bytes] | None:
    """Return the family and the digest in an id, `None` where it has not that form."""
    if len(id) <= _DIGITS + 1 or id[-_DIGITS - 1] != ".":
        return None
    return split_all((id,))[0]


def split_all(ids: Iterable[str]) -> list[tuple[str, bytes] | None]:
    """Return what `split` does for each, without a call for each: of nodes thousands are read."""
    found: list[tuple[str, bytes] | None] = []
    for id in ids:
        parts = None
        if len(id) > _DIGITS + 1 and id[-_DIGITS - 1] == ".":
            digits = id[-_DIGITS:]
            try:
                digest = bytes.fromhex(digits)
            except ValueError:  # no error here: it is the id of another record
                digest = b""
            # Spaces and capitals are read as well, but would not come back.
            if digest.hex() == digits:
                parts = id[: -_DIGITS - 1], digest
        found.append(parts)
    return found


def spot(digest: bytes) -> bytes:
    """Return what stands in the index for a digest."""
    return digest[-_SHOWN:]


def table(narrowed: Sql | None = None) -> Sql:
    """Return what stands behind `from`: lean rows with the columns of a record.

    Their row numbers are negative, so that no two rows of a store have the same.
    """
    if narrowed is None:
        return Sql(f"({_ROWS}) as record")
    return Sql(f"({_ROWS} where {narrowed.text}) as record", narrowed.values)


def may_answer(connection: Connection, query: Query) -> bool:
    """Tell whether lean rows may belong to the answer of a query."""
    if query.session_id is not None or query.thread_id is not None:
        return False
    if any(_never_holds(part) for part in query.where):
        return False
    named = query.named_ids()
    if named is not None and not any(map(split, named)):
        return False
    if query.kinds:
        return any(map(connection.names.has_families, query.kinds))
    return bool(connection.rows("select 1 from node limit 1"))


def source(query: Query) -> Sql:
    """Return the `table` of lean rows among which the answer is, found by an index if possible."""
    named = query.named_ids()
    if named is not None:
        return table(_named(named))
    for part in query.where:
        if isinstance(part, Condition) and (part.field, part.op) == ("id", "prefix"):
            return table(_beginning(str(part.value)))
    return table()


def _never_holds(part: Condition | AnyOf) -> bool:
    """Tell whether a condition asks for what no lean row has."""
    conditions = part.conditions if isinstance(part, AnyOf) else (part,)
    absent = all(c.field in _ABSENT or c.field.startswith(LABEL) for c in conditions)
    return absent and not part.matches(_BARE)


def _named(ids: Sequence[str]) -> Sql:
    found = [parts for parts in map(split, ids) if parts]
    families = json.dumps(list({family.encode().hex() for family, _ in found}))
    spots = json.dumps(list({spot(digest).hex() for _, digest in found}))
    listed = "select cast(unhex(value) as text) from json_each(?)"
    places = Sql(f"node.place in (select nr from name where text in ({listed}))", (families,))  # noqa: S608
    near = Sql(f"{_INDEXED} in (select unhex(value) from json_each(?))", (spots,))  # noqa: S608
    return joined((places, near), "and")


def _beginning(prefix: str) -> Sql:
    """Return whether a row's family agrees with the beginning of an id."""
    families = [Sql("text >= ?", (prefix,))]
    end = labels.successor(prefix)
    if end is not None:
        families.append(Sql("text < ?", (end,)))
    found = joined(families, "and")
    whole, dot, digits = prefix.rpartition(".")
    if dot and len(digits) <= _DIGITS:
        found = joined((found, Sql("text = ?", (whole,))), "or")
    return Sql(f"node.place in (select nr from name where {found.text})", found.values)  # noqa: S608
