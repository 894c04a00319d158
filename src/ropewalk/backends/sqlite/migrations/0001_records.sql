-- Records and commits. Tables are rowid tables: a short integer in each index instead of a long key.

create table record (
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

-- One record, and everything with one id whatever its kind.
create unique index record_key on record (space, id, kind);

-- One kind of a space, by time.
create index record_kind on record (space, kind, created_at, id);

-- Everything, by time: what copies a whole store walks along this.
create index record_time on record (created_at, id, kind, space);

-- What belongs to a session or a thread, by time: most reads. The parent comes first, so that the
-- planner needs no statistics to choose well, and the order is the one that scans return.
create index record_session on record (session_id, space, created_at, id, kind)
    where session_id is not null;
create index record_thread on record (thread_id, space, created_at, id, kind)
    where thread_id is not null;

-- What has expired, or will.
create index record_expiry on record (expires_at) where expires_at is not null;

-- One row for each batch that changed something: the feed, and the memory that makes retries safe.
create table commits (
    seq integer primary key autoincrement,  -- never given twice
    batch_id text not null unique,
    at integer not null,
    actor text not null,
    keys text not null,      -- JSON: [[space, kind, id], ...] of every change, in order
    versions text not null   -- JSON: [[after, ...], [before, ...]], 0 for absent
) strict;
