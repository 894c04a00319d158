"""The log of commits: written with each batch, read as the feed, remembered for retries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, cast

from ...domain.change import Applied, Batch, Changed, Commit
from ...domain.errors import Corrupt, Invalid
from ...domain.record import Key
from .connection import Connection

# Made once: json.dumps would make an encoder for each call.
_write: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def replayed(connection: Connection, batch: Batch) -> Applied | None:
    """Return the answer that this batch got before, `None` for a new one.

    Raises `Invalid` where its id was used for other keys.
    """
    rows = connection.rows(
        "select seq, at, keys, versions from commits where batch_id = ?", (batch.id,)
    )
    if not rows:
        return None
    seq, at, keys, versions = cast("tuple[int, int, str, str]", rows[0])
    if keys != _keys(batch):
        message = (
            f"the batch id {batch.id!r} was used for a batch of other keys; "
            "only a retry of the same batch may carry it: make a new id"
        )
        raise Invalid(message, code="batch_id_reused", field="batch id", batch_id=batch.id)
    after, before = _versions(versions, seq, len(batch.changes))
    return Applied(seq, at, after, before, replayed=True)


def record(
    connection: Connection,
    batch: Batch,
    *,
    at: int,
    versions: Sequence[int],
    previous: Sequence[int],
) -> Applied:
    """Write the row of a batch that changed something; return the batch's answer."""
    told = _write((versions, previous))
    connection.run(
        "insert into commits (batch_id, at, actor, keys, versions) values (?, ?, ?, ?, ?)",
        (batch.id, at, batch.actor, _keys(batch), told),
    )
    return Applied(connection.last_row(), at, tuple(versions), tuple(previous))


def commits(connection: Connection, *, after: int, until: int, count: int) -> list[Commit]:
    """Return up to `count` commits behind `after` and not behind `until`, in order."""
    rows = connection.rows(
        "select seq, at, batch_id, actor, keys, versions from commits "
        "where seq > ? and seq <= ? order by seq limit ?",
        (after, until, count),
    )
    told: list[Commit] = []
    for row in rows:
        try:
            told.append(_commit(cast("tuple[int, int, str, str, str, str]", row)))
        except Corrupt:
            # What comes before is told; whoever goes on behind it meets the damage first.
            if not told:
                raise
            break
    return told


def last_seq(connection: Connection) -> int:
    """Return the number of the newest commit, 0 where there is none."""
    return connection.integer("select coalesce(max(seq), 0) from commits")


def _keys(batch: Batch) -> str:
    keys = [(change.key.space, change.key.kind, change.key.id) for change in batch.changes]
    return _write(keys)


def _commit(row: tuple[int, int, str, str, str, str]) -> Commit:
    seq, at, batch_id, actor, keys, versions = row
    try:
        named = [Key(*parts) for parts in json.loads(keys)]
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(seq) from error
    after, before = _versions(versions, seq, len(named))
    # A change without effect leaves the version as it was, and every other one moves it.
    changed = tuple(
        Changed(key, new) for key, new, old in zip(named, after, before, strict=True) if new != old
    )
    return Commit(seq, at, batch_id, actor, changed)


def _versions(text: str, seq: int, width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    try:
        after, before = json.loads(text)
        told = tuple(map(int, after)), tuple(map(int, before))
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(seq) from error
    if not len(told[0]) == len(told[1]) == width:
        raise _damaged(seq)
    return told


def _damaged(seq: int) -> Corrupt:
    message = f"commit {seq} of the feed is damaged; restore it from a backup"
    return Corrupt(message, code="bad_commit", seq=seq)
