-- What was applied to this file, so that each step can be compared with the program's own.
create table migration (
    number integer primary key,
    name text not null,
    checksum text not null,       -- SHA-256 of the script, in hexadecimal digits
    applied_at integer,           -- null where it was applied before this table was there
    program text not null,        -- the version that applied it; empty where that is not known
    backup text                   -- where the copy lies that was made before
) strict;
