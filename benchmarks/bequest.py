"""A folder as the legacy program left it, of any size: sessions, threads, months, checkpoints."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import ormsgpack

from .text import Writer

Document: TypeAlias = dict[str, object]

MONTHS: Final = "history/sessions/202511"
DATABASE: Final = "storage/checkpoints.db"

_BEGUN: Final = datetime(2025, 11, 7, 10)  # noqa: DTZ001 (it wrote local times, without an offset)
_LINES: Final = 5_000
"""Records of one session's month."""
_STEPS: Final = 100
"""Checkpoints of one thread; its state grows by a message with each."""
_TABLE: Final = """
CREATE TABLE checkpoints (
    thread_id TEXT NOT NULL, checkpoint_ns TEXT NOT NULL DEFAULT '', checkpoint_id TEXT NOT NULL,
    parent_checkpoint_id TEXT, type TEXT, checkpoint BLOB, metadata BLOB,
    PRIMARY KEY (thread_id, checkpoint_ns, checkpoint_id)
)"""
_KINDS: Final = (
    *("message",) * 5,
    *("tool_call",) * 2,
    *("llm_request", "llm_response", "token_usage", "cost"),
)


@dataclass(slots=True)
class Bequest:
    """Writes so many records and checkpoints; the same for the same seed."""

    root: Path
    records: int
    checkpoints: int

    def write(self) -> None:
        """Write the folder, one file at a time."""
        random, writer = Random(7), Writer(7)
        texts = [writer.words(writer.between(40, 200, 1_500)) for _ in range(2_000)]
        sessions = max(-(-self.records // _LINES), 1)
        threads = max(-(-self.checkpoints // _STEPS), 1)
        for number in range(sessions):
            own = [f"thread_{t:08x}" for t in range(number, threads, sessions)]
            self._document(f"sessions/{_session(number)}.json", _session_file(number, own))
        for number in range(threads):
            place = f"storage/threads/thread_metadata/thread_{number:08x}.json"
            self._document(place, _thread_file(number))
        self._path(f"{MONTHS}/x").parent.mkdir(exist_ok=True)
        for number in range(sessions):
            count = min(_LINES, self.records - number * _LINES)
            with self._path(f"{MONTHS}/{_session(number)}.jsonl").open(
                "w", encoding="utf-8"
            ) as file:
                for line in _records(number, count, random, texts):
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
        with closing(sqlite3.connect(self._path(DATABASE))) as db, db:
            db.execute(_TABLE)
            for number in range(threads):
                count = min(_STEPS, self.checkpoints - number * _STEPS)
                rows = _rows(number, count, random, texts)
                db.executemany("INSERT INTO checkpoints VALUES (?, '', ?, NULL, ?, ?, ?)", rows)

    def _path(self, place: str) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _document(self, place: str, value: Document) -> None:
        self._path(place).write_text(json.dumps(value, ensure_ascii=False, indent=2), "utf-8")


def _session(number: int) -> str:
    return f"session_{number:08x}"


def _moment(seconds: float) -> str:
    return (_BEGUN + timedelta(seconds=seconds)).isoformat()


def _session_file(number: int, threads: list[str]) -> Document:
    context = {
        "session_id": _session(number),
        "user_id": f"user_{number % 50}",
        "thread_ids": threads,
        "status": "active",
        "created_at": _moment(0),
        "updated_at": _moment(9),
        "metadata": {"request_id": f"request_{number}"},
    }
    return {"context": context, "interactions": [], "thread_configs": {}}


def _thread_file(number: int) -> Document:
    return {
        "thread_id": f"thread_{number:08x}",
        "graph_id": "planner",
        "status": "active",
        "created_at": _moment(1),
        "updated_at": _moment(2),
        "metadata": {"thread_name": f"line {number}"},
    }


def _records(session: int, count: int, random: Random, texts: list[str]) -> Iterator[Document]:
    for number in range(count):
        kind = random.choice(_KINDS)
        yield {
            "record_id": f"{random.getrandbits(128):032x}",
            "session_id": _session(session),
            "timestamp": _moment(number + random.random()),
            **_fields(kind, random, texts),
            "record_type": kind,
            "metadata": {"step": number},
        }


def _fields(kind: str, random: Random, texts: list[str]) -> Document:
    asked, told = random.randrange(500, 9_000), random.randrange(20, 900)
    model = {"model": "example-large-2", "provider": "example"}
    tokens = {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}
    match kind:
        case "message":
            role = random.choice(("user", "assistant"))
            return {"message_type": role, "content": random.choice(texts)}
        case "tool_call":
            found = {"found": asked, "text": random.choice(texts)}
            return {"tool_name": "search", "tool_input": {"limit": told}, "tool_output": found}
        case "llm_request":
            messages = [{"type": "human", "content": random.choice(texts)}]
            return {**model, "messages": messages, "parameters": {}, "estimated_tokens": asked}
        case "llm_response":
            answer = {"content": random.choice(texts), "finish_reason": "stop"}
            return {"request_id": f"{asked}", **answer, "token_usage": tokens, "response_time": 0.5}
        case "token_usage":
            return {**model, **tokens, "source": "api", "confidence": 1.0}
        case _:
            costs = {"prompt_cost": asked / 1e5, "completion_cost": told / 1e5}
            return {
                **model,
                **tokens,
                **costs,
                "total_cost": (asked + told) / 1e5,
                "currency": "USD",
            }


def _rows(
    thread: int, count: int, random: Random, texts: list[str]
) -> Iterator[tuple[str, str, str, bytes, bytes]]:
    messages: list[Document] = []
    for step in range(count):
        messages.append({"type": "human", "content": random.choice(texts)[:150]})
        state = {"messages": messages, "step": step}
        id_ = f"{random.getrandbits(128):032x}"
        channels = {"__root__": json.dumps(state, separators=(",", ":")), "workflow_id": "planner"}
        blob = {"v": 4, "ts": _moment(step * 10 + 5), "id": id_, "channel_values": channels}
        metadata = {"workflow_id": "planner", "state_data": state}
        row = (f"thread_{thread:08x}", id_, "msgpack")
        yield (*row, ormsgpack.packb(blob), json.dumps(metadata, ensure_ascii=False).encode())
