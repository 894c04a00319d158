"""Account for every line of a ground truth: each entity put back into the shape it came from.

A ground truth names, for everything that the legacy program wrote, the SHA-256 of its canonical
JSON. Here entities (fresh from a source, or read again from a store) are turned back into that
shape and hashed with code of our own, so that whatever got lost on the way is missed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Final, TypeAlias

from ropewalk.domain.checkpoint import Checkpoint
from ropewalk.domain.history import Cost, LLMRequest, LLMResponse, Message, TokenUsage, ToolCall
from ropewalk.domain.legacy.agents import PACKED, agent_row
from ropewalk.domain.legacy.fields import Times
from ropewalk.domain.legacy.shapes import (
    checkpoint_metadata,
    history_record,
    session_document,
    thread_document,
)
from ropewalk.domain.plain import PlainRecord
from ropewalk.domain.session import Interaction, Session
from ropewalk.domain.source import Entity
from ropewalk.domain.thread import Thread

ROOT: Final = Path(__file__).resolve().parents[2]
SAMPLE: Final = "ROPEWALK_LEGACY_SAMPLE"
"""Environment variable that names an archive written by the legacy program itself."""

OUT_OF_SCOPE: Final[dict[str, str]] = {}
"""Kinds of lines that no entity stands for, and why: none in the truths that exist."""

Print: TypeAlias = tuple[str, str, str, str]
"""What identifies one thing: kind, id, SHA-256, and SHA-256 of a checkpoint's metadata."""


@dataclass(slots=True)
class Account:
    """How one kind of lines fared."""

    lines: int = 0
    matched: int = 0
    missing: list[str] = field(default_factory=list[str])
    out_of_scope: str = ""


def samples() -> list[Path]:
    """Return the archives of real data that there are on this machine: one or none."""
    named = os.environ.get(SAMPLE)
    path = Path(named) if named else ROOT.parent / "shared" / "legacy" / "small.tar.gz"
    return [path] if path.is_file() else []


def unpacked(archive: Path, folder: Path) -> Path:
    """Unpack an archive and return the folder in it that holds the ground truth."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    [truth] = folder.rglob("ground_truth.jsonl")
    return truth.parent


def sha256(value: object) -> str:
    """Hash the canonical JSON of `value`, as the ground truth does."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def truth_of(root: Path) -> list[dict[str, Any]]:
    """Read the lines of a ground truth."""
    text = (root / "ground_truth.jsonl").read_bytes()
    return [json.loads(line) for line in text.split(b"\n") if line]


def account(
    truth: Iterable[dict[str, Any]], entities: Iterable[Entity], *, zone: tzinfo
) -> dict[str, Account]:
    """Match every line with an entity of its own, by kind; no entity counts twice."""
    prints = Counter(_prints(entities, Times(zone)))
    accounts: defaultdict[str, Account] = defaultdict(Account)
    for line in truth:
        kind = line["kind"]
        one = accounts[kind]
        one.lines += 1
        wanted = (kind, line["id"], line["sha256"], line.get("metadata_sha256", ""))
        if kind in OUT_OF_SCOPE:
            one.out_of_scope = OUT_OF_SCOPE[kind]
        elif prints[wanted]:
            prints[wanted] -= 1
            one.matched += 1
        else:
            one.missing.append(f"{line['id']} of {line['where']}")
    return dict(accounts)


def _prints(entities: Iterable[Entity], times: Times) -> Iterator[Print]:
    sessions: list[Session] = []
    interactions: defaultdict[str, list[Interaction]] = defaultdict(list)
    for entity in entities:
        match entity:
            case Session():
                sessions.append(entity)
            case Interaction():
                interactions[entity.session_id].append(entity)
            case Thread():
                document = thread_document(entity, times=times)
                yield "thread", str(document.get("thread_id")), sha256(document), ""
            case Checkpoint():
                metadata = checkpoint_metadata(entity)
                yield "checkpoint", entity.id, sha256(entity.state), sha256(metadata)
            case Message() | ToolCall() | LLMRequest() | LLMResponse() | TokenUsage() | Cost():
                record = history_record(entity, times=times)
                yield "history", str(record.get("record_id")), sha256(record), ""
            case PlainRecord() if entity.kind in PACKED:
                row = agent_row(entity, times=times)
                texts = {name: _text(value) for name, value in row.items()}
                yield entity.kind, entity.id, sha256(texts), ""
            case _:
                # Branches and snapshots were never written: they are traces of other files.
                continue
    for session in sessions:
        # As a store gives them: by time, then by id.
        own = sorted(interactions[session.id], key=lambda each: (each.created_at, each.id))
        document = session_document(session, own, times=times)
        # Files of older generations say in their metadata what later ones say in their context.
        context: Any = document.get("context") or document["metadata"]
        yield "session", str(context.get("session_id")), sha256(document), ""


def _text(value: object) -> object:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
