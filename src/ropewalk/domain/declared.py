"""Declared indexes: which label of which kind is to be found, and sorted by, without a look at all.

A declaration is an ordinary record of its space, so that every back end keeps it, every process
sees it, and a copy of the store has it too. A back end that has indexes makes one while such a
record is there; one that has none answers as before.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from .change import Delete, Put
from .query import LABEL, check_field
from .record import Key, Record, check_name

DECLARED: Final = "declared_index"
"""The kind of the records that declare an index."""

_KIND: Final = "kind"
_LABEL: Final = "label"


@dataclass(frozen=True, slots=True)
class DeclaredIndex:
    """An index of one label of one kind of record, within a space; raises `Invalid` for bad names.

    `label` is its whole name, such as `metadata.topic`.
    """

    kind: str
    label: str

    def __post_init__(self) -> None:
        """Refuse what no record could have."""
        check_name(self.kind, field="kind")
        check_field(f"{LABEL}{self.label}", allowed=(), what="label")

    def key(self, space: str) -> Key:
        """Return the key of its record."""
        text = f"{len(self.kind)} {self.kind} {self.label}"
        return Key(space, DECLARED, hashlib.sha256(text.encode()).hexdigest()[:32])

    def put(self, space: str) -> Put:
        """Return the change that declares it; declared already, it stays as it is."""
        return Put(key=self.key(space), labels={_KIND: self.kind, _LABEL: self.label})

    def drop(self, space: str) -> Delete:
        """Return the change that takes the declaration back."""
        return Delete(key=self.key(space))


def declared_by(record: Record) -> DeclaredIndex | None:
    """Return the index that a record declares, `None` where it is no such record."""
    if record.key.kind != DECLARED:
        return None
    kind, label = record.labels.get(_KIND), record.labels.get(_LABEL)
    if not isinstance(kind, str) or not isinstance(label, str) or not kind or not label:
        return None
    return DeclaredIndex(kind, label)
