"""The tables and statements that every contestant with SQL of its own is given alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

import orjson

Row: TypeAlias = dict[str, Any]

TABLES: Final = """
create table record (
    row integer primary key, space integer not null, kind integer not null, id text not null,
    version integer not null, created_at integer not null, updated_at integer,
    expires_at integer, session_id text, thread_id text, seal integer not null,
    labels text, body blob not null
);
create unique index record_key on record (space, id, kind);
create index record_kind on record (space, kind, created_at);
create index record_session on record (session_id, space, created_at)
    where session_id is not null;
create table commits (
    seq integer primary key, batch blob not null, at integer not null, actor text not null,
    changes blob not null, ids blob
);
create index commits_batch on commits (substr(batch, 1, 3));
"""

_COLUMNS: Final = (
    "id, version, created_at, coalesce(updated_at, created_at), expires_at, session_id, "
    "thread_id, labels, body"
)
LOAD: Final = (
    f"select {_COLUMNS} from record where space = 1 and id = ? and kind = 2 "  # noqa: S608
    "and coalesce(expires_at > ?, 1)"
)
LIST: Final = (
    f"select {_COLUMNS} from record where session_id = ? and space = 1 and kind = 2 "  # noqa: S608
    "and coalesce(expires_at > ?, 1) order by created_at limit ?"
)
REPLAYED: Final = "select seq from commits where substr(batch, 1, 3) = ? and batch = ?"
FIND: Final = "select row, version from record where space = 1 and id = ? and kind = 2"
_INSERT: Final = (
    "insert into record (space, kind, id, version, created_at, session_id, seal, labels, body) "
    "values (1, 2, ?, ?, ?, ?, 3, ?, ?)"
)
UPSERT: Final = (
    f"{_INSERT} on conflict (space, id, kind) do update set version = version + 1, "
    "updated_at = excluded.created_at, labels = excluded.labels, body = excluded.body"
)
COMMIT: Final = "insert into commits (batch, at, actor, changes) values (?, ?, '', ?)"


def pragmas(sync: str) -> tuple[str, ...]:
    """Return what a connection is told when it is opened."""
    return ("pragma journal_mode=wal", f"pragma synchronous={sync}", "pragma cache_size=-16384")


def now() -> int:
    """Return the time in microseconds."""
    return int(datetime.now(UTC).timestamp() * 1_000_000)


def values(document: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a dictionary as the values of `UPSERT`."""
    created = document.get("created_at")
    return (
        document["id"],
        1,
        now() if created is None else int(created.timestamp() * 1_000_000),
        document["session_id"],
        orjson.dumps(document["metadata"]).decode(),
        orjson.dumps(document["data"]),
    )


def row(found: object) -> Row:
    """Return a row of `LOAD` or `LIST` as a dictionary."""
    id, version, created, updated, expires, session, thread, labels, body = cast(
        "tuple[Any, ...]", found
    )
    return {
        "id": id,
        "type": "note",
        "data": orjson.loads(body),
        "session_id": session,
        "thread_id": thread,
        "metadata": orjson.loads(labels),
        "created_at": datetime.fromtimestamp(created / 1_000_000, UTC),
        "updated_at": datetime.fromtimestamp(updated / 1_000_000, UTC),
        "expires_at": None if expires is None else datetime.fromtimestamp(expires / 1e6, UTC),
        "version": version,
    }
