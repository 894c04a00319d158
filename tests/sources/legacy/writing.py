"""Write what the legacy program wrote, in its formats to the byte, with its ground truth."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from pathlib import Path
from typing import Final, cast

import ormsgpack

from ..ground_truth import sha256

ZONE: Final = timezone(timedelta(hours=8))
"""Where the legacy program ran."""

MORNING: Final = "2025-11-07T10:00:00.000001"
NOON: Final = "2025-11-07T12:00:00"

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS checkpoints (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL,
    parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
);
CREATE TABLE IF NOT EXISTS writes (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL,
    task_id TEXT NOT NULL, idx INTEGER NOT NULL, channel TEXT NOT NULL, type TEXT, value BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id, task_id, idx)
);
"""

_MAP: Final = 0x8
"""The upper half of the first byte of a small MessagePack map."""

Row = tuple[str, str, str, str | None, str | None, bytes | None, bytes | None]


def compact(value: object) -> str:
    """Write JSON without spaces, as states were."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pack(ts: object, values: Mapping[str, object], **more: object) -> bytes:
    """Make the blob of a checkpoint."""
    return ormsgpack.packb({"v": 4, "ts": ts, "channel_values": dict(values), **more})


def metadata_of(value: Mapping[str, object]) -> bytes:
    """Make the metadata column of a checkpoint."""
    return json.dumps(value, ensure_ascii=False).encode()


def stored(thread: str, id: str, ts: str, state: object, **metadata: object) -> Row:
    """Make a row as the checkpoint store of the current generation wrote it."""
    whole = {**metadata, "workflow_id": "planner", "state_data": state}
    values = {"__root__": compact(state), "workflow_id": "planner"}
    versions = {"__root__": 1, "workflow_id": 1}
    blob = pack(ts, values, id=id, channel_versions=versions, updated_channels=list(versions))
    return thread, "", id, None, "msgpack", blob, metadata_of(whole)


@dataclass(slots=True)
class Tree:
    """A folder that the legacy program worked in."""

    root: Path
    truth: list[dict[str, object]] = field(default_factory=list[dict[str, object]])
    calls: int = 0
    types: Counter[str] = field(default_factory=Counter[str])
    latest: dict[str, dict[str, object]] = field(default_factory=dict[str, dict[str, object]])

    def path(self, place: str) -> Path:
        """Return where a file stands, with its folder made."""
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def document(self, place: str, value: object) -> Path:
        """Write a JSON document."""
        path = self.path(place)
        text = json.dumps(value, ensure_ascii=False, indent=2)
        path.write_bytes(text.encode("utf-8", "backslashreplace"))
        return path

    def tell(self, kind: str, id: str, where: str, value: object, **more: object) -> None:
        """Add a line to the ground truth: something that stands there, whole."""
        self.truth.append({"kind": kind, "id": id, "where": where, "sha256": sha256(value), **more})

    def session(
        self, id: str, *interactions: Mapping[str, object], place: str = "", **context: object
    ) -> dict[str, object]:
        """Write a session; `context` replaces what stands there by default."""
        whole: dict[str, object] = {
            "session_id": id,
            "user_id": "user@example.com",
            "thread_ids": [],
            "status": "active",
            "created_at": MORNING,
            "updated_at": MORNING,
            "metadata": {"request_id": "request_1", "initial_content": "你好 🌤️"},
            **context,
        }
        value: dict[str, object] = {
            "context": whole,
            "interactions": list(interactions),
            "thread_configs": {},
            "created_at": "2025-11-07T10:00:00.000007",
            "updated_at": NOON,
        }
        place = place or f"sessions/{id}.json"
        self.document(place, value)
        self.calls += len(interactions)
        self.tell("session", id, place, value)
        return value

    def thread(self, id: str, **more: object) -> dict[str, object]:
        """Write a thread in the flat shape: what is its own stands at the top."""
        return self._thread(id, {"checkpoint_count": 0, "total_steps": 0, **more})

    def nested(self, id: str, metadata: Mapping[str, object], **more: object) -> dict[str, object]:
        """Write a thread in the nested shape."""
        return self._thread(id, {"metadata": dict(metadata), **more})

    def _thread(self, id: str, more: Mapping[str, object]) -> dict[str, object]:
        value = {
            "thread_id": id,
            "graph_id": "graph_x",
            "created_at": MORNING,
            "updated_at": NOON,
            "status": "active",
            **more,
        }
        place = f"storage/threads/thread_metadata/{id}.json"
        self.document(place, value)
        self.tell("thread", id, place, value)
        return value

    def lines(self, session: str, *lines: bytes, month: str = "202511") -> str:
        """Append to a history month, and return the place of the file."""
        place = f"history/sessions/{month}/{session}.jsonl"
        with self.path(place).open("ab") as file:
            file.writelines(lines)
        return place

    def record(
        self, *records: Mapping[str, object], end: bytes = b"\n", month: str = "202511"
    ) -> None:
        """Append whole records to the month of their session."""
        for value in records:
            session = str(value["session_id"])
            place = self.lines(session, line_of(value) + end, month=month)
            number = self.path(place).read_bytes().count(b"\n")
            self.tell("history", str(value["record_id"]), f"{place}:{number}", value)
            self.types[str(value["record_type"])] += 1

    def checkpoints(self, *rows: Row, place: str = "storage/checkpoints.db") -> Path:
        """Write rows into a checkpoint database, and leave it as a program that ended well."""
        path = self.path(place)
        with closing(sqlite3.connect(path)) as db, db:
            db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
            db.executescript(SCHEMA)
            db.executemany("INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        for thread, _, id, _, _, blob, column in rows:
            metadata = _object(column)
            if "state_data" in metadata and blob is not None:
                state = metadata.pop("state_data")
                self.tell("checkpoint", id, place, state, metadata_sha256=sha256(metadata))
                self._count(thread, id, blob)
        return path

    def _count(self, thread: str, id: str, blob: bytes) -> None:
        # What is damaged on purpose begins with no map, and is nobody's latest.
        ts: str = ormsgpack.unpackb(blob)["ts"] if blob[0] >> 4 == _MAP else ""
        one = self.latest.setdefault(thread, {"count": 0, "latest_ts": ""})
        one["count"] = cast("int", one["count"]) + 1
        if ts > cast("str", one["latest_ts"]):
            one.update(latest_ts=ts, latest_id=id, latest_workflow_id="planner")

    def write_truth(self, **more: object) -> None:
        """Write the ground truth of everything so far, and the manifest that counts it.

        `more` is what the manifest tells beside that.
        """
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in self.truth)
        self.path("ground_truth.jsonl").write_text(text, "utf-8")
        kinds = Counter(line["kind"] for line in self.truth)
        manifest: dict[str, object] = {
            "sessions": {"count_written": kinds["session"], "interactions_on_disk": self.calls},
            "threads": {"count_written": kinds["thread"]},
            "history": {"records_written": kinds["history"], "by_type": self.types},
            "checkpoints": {"rows": kinds["checkpoint"], "per_thread": self.latest},
            **more,
        }
        self.document("manifest.json", manifest)


def _object(column: bytes | None) -> dict[str, object]:
    """Return the object in a metadata column; damaged ones hold none."""
    try:
        value: object = json.loads(column or b"{}")
    except ValueError:
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def line_of(record: Mapping[str, object]) -> bytes:
    """Write a record as a line, without its end; half a pair of surrogates as its escape."""
    text = json.dumps(record, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")


def interaction(id: str, session: str, **more: object) -> dict[str, object]:
    """Make an interaction of a session."""
    return {
        "interaction_id": id,
        "session_id": session,
        "thread_id": None,
        "interaction_type": "user_request",
        "content": "hello",
        "metadata": {},
        "timestamp": MORNING,
        **more,
    }


def message(id: str, session: str = "session_1", **more: object) -> dict[str, object]:
    """Make a message."""
    return {
        "record_id": id,
        "session_id": session,
        "timestamp": MORNING,
        "record_type": "message",
        "message_type": "user",
        "content": "hello",
        "metadata": {},
        **more,
    }


def cost(id: str, session: str = "session_1", **more: object) -> dict[str, object]:
    """Make a cost."""
    return {
        "record_id": id,
        "session_id": session,
        "timestamp": MORNING,
        "model": "gpt-4",
        "provider": "openai",
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_cost": 0.25,
        "completion_cost": 0.5,
        "total_cost": 0.75,
        "record_type": "cost",
        "currency": "USD",
        "metadata": {},
        **more,
    }
