-- What all migrations make together; a test keeps it so. To read, not to run.

CREATE TABLE migration (number integer primary key, name text not null, checksum text not null, applied_at integer not null) strict;

CREATE TABLE record (
    row integer primary key,
    space text not null,
    kind text not null,
    id text not null,
    version integer not null,
    created_at integer not null,  -- microseconds since 1970-01-01 UTC, as all times here
    updated_at integer not null,
    expires_at integer,
    session_id text,
    thread_id text,
    seal text not null,
    labels text,                  -- JSON, see labels.py; null where there is none
    body blob not null            -- last, so that headers are read without a big body
) strict;

CREATE UNIQUE INDEX record_key on record (space, id, kind);

CREATE INDEX record_kind on record (space, kind, created_at, id);

CREATE INDEX record_time on record (created_at, id, kind, space);

CREATE INDEX record_session on record (session_id, space, created_at, id, kind)
    where session_id is not null;

CREATE INDEX record_thread on record (thread_id, space, created_at, id, kind)
    where thread_id is not null;

CREATE INDEX record_expiry on record (expires_at) where expires_at is not null;

CREATE TABLE commits (
    seq integer primary key autoincrement,  -- never given twice
    batch_id text not null unique,
    at integer not null,
    actor text not null,
    keys text not null,      -- JSON: [[space, kind, id], ...] of every change, in order
    versions text not null   -- JSON: [[after, ...], [before, ...]], 0 for absent
) strict;

CREATE TABLE sqlite_sequence(name,seq);
