"""States by agent: rows of changes and of snapshots as plain records, and back as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ..plain import PlainRecord
from .fields import Times
from .keeping import difference, join, part, restore
from .values import JsonObject, as_object

CHANGE: Final = "state_change"
SNAPSHOT: Final = "state_snapshot"
"""The kinds of the records: in `storage.records`, and nowhere else."""

AGENT: Final = "agent_id"
"""In the metadata of both, so that it is a label: whose state it was."""

PACKED: Final[Mapping[str, str]] = {CHANGE: "compressed_diff", SNAPSHOT: "compressed_data"}
"""The column of each that repeats the state as a packed pickle, which is kept and never opened."""

_PARTS: Final = ("added", "modified", "removed")
_OTHER: Final = "other"


def changes_of(diff: JsonObject) -> dict[str, Any]:
    """Sort the entries of a difference by their prefixes: `added_`, `modified_`, `removed_`.

    An entry with none of them stands under `other`.
    """
    found: dict[str, dict[str, Any]] = {}
    for name, value in diff.items():
        prefix, mark, rest = name.partition("_")
        if mark and prefix in _PARTS:
            found.setdefault(prefix, {})[rest] = value
        else:
            found.setdefault(_OTHER, {})[name] = value
    return dict(found)


def difference_of(changes: Mapping[str, Any]) -> JsonObject:
    """Return the difference that `changes_of` was given, in an order of its own."""
    whole: JsonObject = {}
    for prefix in _PARTS:
        entries = as_object(changes.get(prefix)) or {}
        whole |= {f"{prefix}_{name}": value for name, value in entries.items()}
    return whole | (as_object(changes.get(_OTHER)) or {})


def kept_of(raw: JsonObject, record: PlainRecord, times: Times) -> JsonObject:
    """Return what must be kept so that `agent_row` gives the columns `raw` again."""
    column = PACKED[record.kind]
    texts = {name: value for name, value in raw.items() if not isinstance(value, bytes)}
    own = _own(record, times)
    if column not in texts:
        own.pop(column)
    kept = difference(texts, own)
    return kept if column in texts or column not in raw else {**kept, column: raw[column]}


def with_kept(metadata: Mapping[str, Any], kept: JsonObject) -> dict[str, Any]:
    """Return the metadata of a record with what has no place in it."""
    return join(metadata, kept)


def agent_row(record: PlainRecord, *, times: Times) -> JsonObject:
    """Return the row that a record was made of: every column, texts and bytes as they stood."""
    return restore(_own(record, times), part(record.metadata)[1])


def _own(record: PlainRecord, times: Times) -> JsonObject:
    """Return what a record tells of its row."""
    data, named = record.data, part(record.metadata)[0]
    own: JsonObject = {
        AGENT: named.get(AGENT),
        "timestamp": times.write(record.created_at),
        "metadata": json.dumps(data.get("metadata", {})),
        PACKED[record.kind]: None,
    }
    if record.kind == CHANGE:
        diff = difference_of(as_object(data.get("changes")) or {})
        return {
            "history_id": record.id,
            "action": named.get("action"),
            "state_diff": json.dumps(diff),
            **own,
        }
    return {
        "snapshot_id": record.id,
        "domain_state": json.dumps(data.get("state")),
        "snapshot_name": named.get("name"),
        "size_bytes": data.get("size_bytes"),
        **own,
    }
