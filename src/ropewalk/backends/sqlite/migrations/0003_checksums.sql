-- The CRC-32 of what stands beside a body, see crc.py; null in a row of before that nobody has
-- written since.
alter table name add column crc integer;
alter table record add column crc integer;
alter table node add column crc integer;
alter table commits add column crc integer;
