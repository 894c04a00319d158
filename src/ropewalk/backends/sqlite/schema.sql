-- What all migrations make together, then the indexes that are made when they are first needed; a
-- test keeps it so. To read, not to run.

CREATE TABLE name (
    nr integer primary key,
    text text,                    -- null where nobody uses the name any more
    space integer not null,
    kind integer not null,
    at integer not null,          -- what the times of a place's lean records count from
    kept integer not null         -- 1: never forgotten; 2: nor is a kind that has families
, crc integer) strict;

CREATE TABLE record (
    row integer primary key,
    space integer not null,
    kind integer not null,
    id text not null,
    version integer not null,
    created_at integer not null,  -- microseconds since 1970-01-01 UTC, as all times here
    updated_at integer,           -- null where it is created_at
    expires_at integer,
    session_id integer,
    thread_id integer,
    seal integer not null,
    labels text,                  -- JSON, see labels.py; null where there is none
    body blob not null            -- last, so that headers are read without a big body
, crc integer) strict;

CREATE UNIQUE INDEX record_key on record (space, id, kind);

CREATE INDEX record_kind on record (space, kind, created_at);

CREATE TABLE node (
    row integer primary key,
    place integer not null,
    digest blob not null,
    version integer not null,
    at integer not null,          -- created_at, counted from the place's time
    raised integer,               -- updated_at, counted from created_at; null where it is that
    seal integer not null,
    body blob not null
, crc integer) strict;

CREATE INDEX node_digest on node (place, substr(digest, -3));

CREATE TABLE commits (
    seq integer primary key,      -- no row is ever removed, so that none is given twice
    batch blob not null,          -- the batch's id, see feed.py
    at integer not null,          -- counted from the first day of 2026
    actor text not null,
    changes blob not null,        -- MessagePack: of every change its key and both versions
    ids blob                      -- the bytes of ids that are digits; null where there is none
, crc integer) strict;

CREATE INDEX commits_batch on commits (substr(batch, 1, 3));

CREATE TABLE migration (
    number integer primary key,
    name text not null,
    checksum text not null,       -- SHA-256 of the script, in hexadecimal digits
    applied_at integer,           -- null where it was applied before this table was there
    program text not null,        -- the version that applied it; empty where that is not known
    backup text                   -- where the copy lies that was made before
) strict;

CREATE INDEX record_thread on record (thread_id, space, created_at) where thread_id is not null;

CREATE INDEX record_session on record (session_id, space, created_at) where session_id is not null;

CREATE INDEX record_expiry on record (expires_at) where expires_at is not null;

CREATE UNIQUE INDEX name_text on name (text, space, kind);
