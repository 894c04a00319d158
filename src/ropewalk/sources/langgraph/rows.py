"""Rows of LangGraph's tables as they stand there, whichever database and generation they are of."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from ...domain.source import MAX_EXCERPT, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A value that stands on its own: its channel, its form, and the bytes."""

    channel: str
    form: str | None
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointRow:
    """One checkpoint; `blobs` are those of its channels that stand in a table of their own.

    `sends` are what the step before sent, where it is not in the checkpoint. Without a `form` the
    bytes themselves tell in which one they are.
    """

    place: str
    thread: str
    namespace: str
    id: str
    parent: str | None
    form: str | None
    checkpoint: bytes | None
    metadata: bytes | None
    blobs: tuple[Blob, ...] = ()
    sends: tuple[Blob, ...] = ()

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that can change while the row keeps its name."""
        blobs = [part for blob in (*self.blobs, *self.sends) for part in _parts(blob)]
        return digest_of([self.parent, self.form, self.checkpoint, self.metadata, *blobs])


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRow:
    """One pending write; `is_orphan` where its checkpoint is not there."""

    place: str
    thread: str
    namespace: str
    checkpoint: str
    task: str
    path: str
    index: int
    value: Blob
    is_orphan: bool

    @property
    def digest(self) -> str:
        """The SHA-256 of everything that can change while the row keeps its name."""
        return digest_of([self.path, *_parts(self.value)])


def digest_of(parts: Iterable[str | bytes | None]) -> str:
    """Return the SHA-256 of several texts and bytes, in hexadecimal."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        whole.update(b"-" if raw is None else b"%d:%b" % (len(raw), raw))
    return whole.hexdigest()


def problem(row: CheckpointRow | WriteRow, *, code: str, reason: str) -> Problem:
    """Return the problem of a row that cannot be read, with all of it."""
    named: dict[str, object] = {"thread_id": row.thread, "checkpoint_ns": row.namespace}
    if isinstance(row, CheckpointRow):
        named |= {"checkpoint_id": row.id, "parent_checkpoint_id": row.parent, "type": row.form}
        named |= {"checkpoint": _shown(row.checkpoint), "metadata": _shown(row.metadata)}
        named["blobs"] = [_told(blob) for blob in (*row.blobs, *row.sends)]
    else:
        named |= {"checkpoint_id": row.checkpoint, "task_id": row.task, "idx": row.index}
        named |= {"task_path": row.path, **_told(row.value)}
    raw = json.dumps(named, ensure_ascii=False)
    return Problem(
        code=code, place=row.place, reason=reason, excerpt=raw[:MAX_EXCERPT], raw=raw.encode()
    )


def _parts(blob: Blob) -> tuple[str | bytes | None, ...]:
    return blob.channel, blob.form, blob.data


def _told(blob: Blob) -> dict[str, object]:
    return {"channel": blob.channel, "type": blob.form, "value": _shown(blob.data)}


def _shown(data: bytes | None) -> str | None:
    """Return bytes as text where they are one, else in base64."""
    if data is None:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return b64encode(data).decode()
