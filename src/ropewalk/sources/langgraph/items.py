"""Make rows of LangGraph's tables into threads, checkpoints and pending writes of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, cast

from ...domain.checkpoint import Checkpoint, PendingWrite
from ...domain.errors import Corrupt, Invalid
from ...domain.graph import (
    CHECKPOINT,
    GROUP,
    LANGGRAPH,
    METADATA,
    channel_key,
    is_grouped,
    parted,
    place_id,
)
from ...domain.limits import MAX_ID_BYTES, check_text
from ...domain.moment import EPOCH
from ...domain.source import Finding, Note, Problem, SourceItem
from ...domain.thread import Thread
from . import moments
from .forms import (
    BYTES,
    EMPTY,
    JSON,
    MSGPACK,
    NULL,
    PICKLE,
    form_of,
    kept,
    parsed,
    unpacked,
    value_of,
)
from .rows import CheckpointRow, WriteRow, digest_of, problem

_CHANNELS: Final = "channel_values"
_SENDS: Final = "pending_sends"
_PLAIN: Final = frozenset({MSGPACK, JSON, NULL, BYTES, "bytearray", EMPTY, None})


def thread_of(thread: str, first: str, place: str) -> Iterator[Finding]:
    """Make a thread, as old as the first checkpoint in it."""
    try:
        check_text(thread, field="thread_id", limit=MAX_ID_BYTES, limit_name="max_id_bytes")
    except Invalid as error:
        yield Problem(code="bad_thread_id", place=place, reason=error.message, excerpt=thread[:80])
        return
    created = moments.of_id(first)
    entity = Thread(id=thread, root_id=thread, created_at=created, updated_at=created)
    digest = digest_of([thread, created.isoformat()])
    yield SourceItem(kind="thread", source_id=thread, place=place, digest=digest, entity=entity)


def checkpoint_of(row: CheckpointRow) -> Iterator[Finding]:
    """Make a checkpoint; what cannot be read is told as a problem of its place."""
    try:
        entity = _checkpoint(row)
    except (Corrupt, Invalid) as error:
        yield problem(
            row, code=error.code, reason=f"the checkpoint cannot be read: {error.message}"
        )
        return
    yield SourceItem(
        kind="checkpoint", source_id=entity.id, place=row.place, digest=row.digest, entity=entity
    )
    if entity.created_at == EPOCH:
        reason = "neither the checkpoint nor its id says when it was made; it is dated 1970"
        yield Note(
            code="no_time", place=row.place, reason=reason, kind="checkpoint", source_id=entity.id
        )
    odd = {blob.form for blob in row.blobs} - _PLAIN
    if odd:
        yield _needed(row.place, "checkpoint", entity.id, odd)


def write_of(row: WriteRow) -> Iterator[Finding]:
    """Make a pending write; what cannot be read is told as a problem of its place."""
    try:
        entity = PendingWrite(
            checkpoint_id=_id(row, row.checkpoint),
            thread_id=row.thread,
            task_id=row.task,
            index=row.index,
            channel=row.value.channel,
            value=value_of(row.value.form, row.value.data),
            task_path=row.path,
            created_at=moments.of_id(row.checkpoint),
            form=LANGGRAPH,
        )
    except (Corrupt, Invalid) as error:
        yield problem(row, code=error.code, reason=f"the write cannot be read: {error.message}")
        return
    yield SourceItem(
        kind="write", source_id=entity.id, place=row.place, digest=row.digest, entity=entity
    )
    if row.is_orphan:
        reason = f"it hangs on checkpoint {row.checkpoint}, which is not there"
        yield Note(
            code="dangling_checkpoint",
            place=row.place,
            reason=reason,
            kind="write",
            source_id=entity.id,
        )
    if row.value.form not in _PLAIN:
        yield _needed(row.place, "write", entity.id, {row.value.form})


def _checkpoint(row: CheckpointRow) -> Checkpoint:
    about, channels = _opened(row)
    for blob in row.blobs:
        if blob.form != EMPTY:
            channels[blob.channel] = value_of(blob.form, blob.data)
    if row.sends and not about.get(_SENDS):
        about[_SENDS] = [value_of(blob.form, blob.data) for blob in row.sends]
    parts = parted(_metadata(row.metadata))
    state: dict[str, object]
    if is_grouped(channels):
        state = {GROUP: channels}
    else:
        state = {channel_key(name): value for name, value in channels.items()}
    state[CHECKPOINT] = about
    if parts.rest:
        # JSON may say what MessagePack cannot hold.
        state[METADATA] = {name: kept(value) for name, value in parts.rest.items()}
    created = _created(row, about)
    has_parent = row.parent is not None and row.parent != row.id
    return Checkpoint(
        id=_id(row, row.id),
        thread_id=row.thread,
        namespace=row.namespace,
        parent_id=_id(row, row.parent or "") if has_parent else None,
        metadata=parts.header,
        created_at=created,
        updated_at=created,
        state=state,
        form=LANGGRAPH,
    )


def _id(row: CheckpointRow | WriteRow, checkpoint_id: str) -> str:
    return place_id(moments.as_id(checkpoint_id), row.thread, row.namespace)


def _opened(row: CheckpointRow) -> tuple[dict[str, object], dict[str, object]]:
    """Return everything of a checkpoint but its id and its channels, and the channels."""
    data = row.checkpoint or b""
    form = row.form or form_of(data)
    match form:
        case "msgpack":
            whole = unpacked(data)
        case "json":
            whole = parsed(data)
        case "pickle":
            message = "it is a pickle, which is never opened: reading it could run code"
            raise Corrupt(message, code="pickle")
        case _ if "+" in form:
            message = (
                f"it is encrypted ({form}), with its channels: write it out in the clear first, "
                "with a saver that has the key"
            )
            raise Corrupt(message, code="encrypted")
        case _:
            message = f"it is in the form {form!r}, which is not known"
            raise Corrupt(message, code="unknown_form")
    named = _named(whole, "the checkpoint")
    channels = _named(named.get(_CHANNELS) or {}, _CHANNELS)
    about = {name: part for name, part in named.items() if name not in ("id", _CHANNELS)}
    if form == JSON:
        return (
            {name: kept(part) for name, part in about.items()},
            {name: kept(part) for name, part in channels.items()},
        )
    return about, channels


def _metadata(data: bytes | None) -> Mapping[Any, Any]:
    """Return the metadata, which LangGraph wrote as JSON in most generations."""
    if data is None:
        return {}
    whole = parsed(data) if form_of(data) == JSON else unpacked(data)
    return _named(whole, "metadata")


def _named(value: object, what: str) -> dict[str, object]:
    if not isinstance(value, dict):
        message = f"{what} is a {type(value).__name__}, and no map"
        raise Corrupt(message, code="bad_checkpoint")
    named = cast("dict[object, object]", value)
    if not all(isinstance(name, str) for name in named):
        message = f"{what} has names that are no text"
        raise Corrupt(message, code="bad_checkpoint")
    return cast("dict[str, object]", named)


def _created(row: CheckpointRow, about: Mapping[str, object]) -> datetime:
    return moments.read(about.get("ts")) or moments.of_id(row.id)


def _needed(place: str, kind: str, source_id: str, forms: set[str | None]) -> Note:
    named = ", ".join(sorted(str(form) for form in forms))
    by = "with pickle_fallback=True" if PICKLE in forms else "that wrote it"
    reason = (
        f"it holds values kept as {named}: RopewalkSaver needs the serializer {by} to read them"
    )
    return Note(code="needs_serializer", place=place, reason=reason, kind=kind, source_id=source_id)
