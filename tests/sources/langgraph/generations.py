"""Files as LangGraph's savers of 2024 and 2025 laid them out, with what a graph of today wrote."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final, cast

import ormsgpack
from langchain_core.load.serializable import Serializable
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

TIMES: Final = """
CREATE TABLE checkpoints (
    thread_id TEXT NOT NULL, thread_ts TEXT NOT NULL, parent_ts TEXT,
    checkpoint BLOB, metadata BLOB, PRIMARY KEY (thread_id, thread_ts)
);
CREATE TABLE writes (
    thread_id TEXT NOT NULL, thread_ts TEXT NOT NULL, task_id TEXT NOT NULL,
    idx INTEGER NOT NULL, channel TEXT NOT NULL, value BLOB,
    PRIMARY KEY (thread_id, thread_ts, task_id, idx)
);
"""
"""Until July 2024: a checkpoint is named by its time, and there is no form beside the bytes."""

NAMESPACES: Final = """
CREATE TABLE checkpoints (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL, parent_checkpoint_id TEXT,
    type TEXT, checkpoint BLOB, metadata BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);
CREATE TABLE writes (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '',
    checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL,
    channel TEXT NOT NULL, type TEXT, value BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);
"""
"""From August 2024 on, until tasks got a path in 2026."""

_SERDE: Final = JsonPlusSerializer()


def written_as_json(value: object) -> bytes:
    """Write a value as the serializers of 2024 did."""
    return json.dumps(value, default=_constructor, ensure_ascii=False).encode()


def _constructor(value: Any) -> object:  # noqa: ANN401 (whatever JSON does not know)
    if isinstance(value, Serializable):
        return value.to_json()
    kind = cast("type[object]", type(value))
    return {
        "lc": 2,
        "type": "constructor",
        "id": [*kind.__module__.split("."), kind.__name__],
        "method": None,
        "args": [],
        "kwargs": {name: getattr(value, name) for name in _FIELDS[kind.__name__]},
    }


_FIELDS: Final = {"Interrupt": ("value", "id"), "Send": ("node", "arg")}


def with_json(path: Path, old: Path) -> None:
    """Write what is in a file as a saver of August 2024 would have."""
    with closing(sqlite3.connect(old)) as target:
        target.executescript(NAMESPACES)
        for thread, ns, id_, parent, checkpoint, metadata in _checkpoints(path):
            row = (thread, ns, id_, parent, "json", written_as_json(checkpoint), metadata)
            target.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        for thread, ns, id_, task, index, channel, value in _writes(path):
            write = (thread, ns, id_, task, index, channel, "json", written_as_json(value))
            target.execute("INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", write)
        target.commit()


def with_packed_metadata(path: Path, old: Path) -> None:
    """Write what is in a file with the metadata as MessagePack."""
    with closing(sqlite3.connect(old)) as target:
        target.executescript(NAMESPACES)
        for thread, ns, id_, parent, checkpoint, metadata in _checkpoints(path):
            form, data = _SERDE.dumps_typed(checkpoint)
            packed = ormsgpack.packb(json.loads(metadata))
            row = (thread, ns, id_, parent, form, data, packed)
            target.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        target.commit()


def with_times(path: Path, old: Path) -> dict[str, str]:
    """Write what is in a file as a saver of spring 2024 would have; return the time of each id."""
    times = {row[2]: str(row[4]["ts"]) for row in _checkpoints(path)}
    with closing(sqlite3.connect(old)) as target:
        target.executescript(TIMES)
        for thread, _, id_, parent, checkpoint, metadata in _checkpoints(path):
            whole = {name: part for name, part in checkpoint.items() if name != "id"}
            data = written_as_json(whole | {"v": 1})
            row = (thread, times[id_], times.get(parent or ""), data, metadata)
            target.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)", row)
        for thread, _, id_, task, index, channel, value in _writes(path):
            write = (thread, times[id_], task, index, channel, written_as_json(value))
            target.execute("INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?)", write)
        target.commit()
    return times


def _checkpoints(path: Path) -> Iterator[tuple[str, str, str, str | None, dict[str, Any], bytes]]:
    sql = (
        "SELECT thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, type, checkpoint, "
        "metadata FROM checkpoints"
    )
    with closing(sqlite3.connect(path)) as db:
        for thread, ns, id_, parent, form, data, metadata in db.execute(sql):
            yield thread, ns, id_, parent, _SERDE.loads_typed((form, data)), metadata


def _writes(path: Path) -> Iterator[tuple[str, str, str, str, int, str, object]]:
    sql = (
        "SELECT thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, value "
        "FROM writes"
    )
    with closing(sqlite3.connect(path)) as db:
        for thread, ns, id_, task, index, channel, form, data in db.execute(sql):
            yield thread, ns, id_, task, index, channel, _SERDE.loads_typed((form, data))
