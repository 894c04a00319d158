"""Following declarations: the writer makes and drops the indexes of labels.

Making one reads the headers of all records once, within the batch that declares it. Other batches
wait for it, in every process; whoever reads goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from ...domain.declared import DECLARED, DeclaredIndex
from ...domain.labels import PARTIAL
from . import labels
from .declared import LISTED, index_name

if TYPE_CHECKING:
    from .connection import Connection


def follow(connection: Connection) -> None:
    """Make the indexes that are declared, and drop those that are not any more.

    Within the transaction that is under way, so that a declaration and its index are one.
    """
    wanted: dict[str, str] = {}
    for index in _declared(connection):
        number = connection.names.enter_kept(index.kind)
        code = labels.code_of(index.label)
        name = index_name(number, index.label)
        wanted[name] = (
            f"create index {name} on record (space, {code}, created_at) where kind = {number:d}"
        )
        if index.label == PARTIAL:
            # Few have it, nobody sorts by it, and every filter on metadata asks for it.
            wanted[name] += f" and {code} is not null"
    present = {str(row[0]) for row in connection.rows(LISTED)}
    for name in present - wanted.keys():
        connection.run(f"drop index {name}")
    for name in wanted.keys() - present:
        connection.run(wanted[name])


def _declared(connection: Connection) -> Iterator[DeclaredIndex]:
    """Go through the declarations of all spaces."""
    kind = connection.names.number(DECLARED)
    statement = "select labels from record indexed by record_kind where space = ? and kind = ?"
    for space in _spaces(connection):
        for (text,) in connection.rows(statement, (space, kind)):
            index = _declaration(text)
            if index is not None:
                yield index


def _spaces(connection: Connection) -> Iterator[int]:
    last = 0
    while True:
        ((space,),) = connection.rows(
            "select min(space) from record indexed by record_key where space > ?", (last,)
        )
        if space is None:
            return
        last = cast("int", space)
        yield last


def _declaration(text: object) -> DeclaredIndex | None:
    held = labels.decode(text) if isinstance(text, str) else {}
    kind, label = held.get("kind"), held.get("label")
    if isinstance(kind, str) and isinstance(label, str) and kind and label:
        return DeclaredIndex(kind, label)
    return None
