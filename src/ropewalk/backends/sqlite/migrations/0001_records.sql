-- Names, records, lean records and commits. Tables are rowid tables: a short integer in each index
-- instead of a long key. Four more indexes are made when they are first needed: see indexes.py.

-- Texts that many rows share, each written once. `nr` is never given to another text.
-- A plain name has 0 for space and kind. A place is a name within a space and a kind: the empty
-- text for all ids, or the family of ids that are a family, a dot and a digest.
create table name (
    nr integer primary key,
    text text,                    -- null where nobody uses the name any more
    space integer not null,
    kind integer not null,
    at integer not null,          -- what the times of a place's lean records count from
    kept integer not null         -- 1: never forgotten; 2: nor is a kind that has families
) strict;

-- Space, kind, parents and seal are numbers of names.
create table record (
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
) strict;

-- One record, and everything with one id whatever its kind.
create unique index record_key on record (space, id, kind);

-- One kind of a space, by time. Records of one moment are put in order when they are read.
create index record_kind on record (space, kind, created_at);

-- Content-addressed records with a body and nothing else, see lean.py.
create table node (
    row integer primary key,
    place integer not null,
    digest blob not null,
    version integer not null,
    at integer not null,          -- created_at, counted from the place's time
    raised integer,               -- updated_at, counted from created_at; null where it is that
    seal integer not null,
    body blob not null
) strict;

-- A few bytes of the digest lead to the row, which has them all.
create index node_digest on node (place, substr(digest, -3));

-- One row for each batch that changed something: the feed, and the memory that makes retries safe.
create table commits (
    seq integer primary key,      -- no row is ever removed, so that none is given twice
    batch blob not null,          -- the batch's id, see feed.py
    at integer not null,          -- counted from the first day of 2026
    actor text not null,
    changes blob not null,        -- MessagePack: of every change its key and both versions
    ids blob                      -- the bytes of ids that are digits; null where there is none
) strict;

create index commits_batch on commits (substr(batch, 1, 3));
