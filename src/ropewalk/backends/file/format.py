"""A record's file: a header that people read, a line `---`, and the sealed body as it is.

```
{
  "space": "default",
  "kind": "message",
  "id": "0197...",
  "version": 1,
  "created_at": "2026-01-31T09:30:00.000000Z",
  "updated_at": "2026-01-31T09:30:00.000000Z",
  "session_id": "...",
  "labels": {
    "role": "user"
  },
  "seal": "msgpack|crc32",
  "size": 57,
  "check": "5f0c81e2"
}
---
(57 bytes)
```

Fields stand always in this order, labels sorted by name, and what a record has not is left out
(`expires_at`, `session_id`, `thread_id`, `labels`, `seal`), so the same record is always the same
file. A time outside the years 1 to 9999 is an integer: microseconds since 1970. JSON has no line
that is `---` alone, so the first such line ends the header. `size` is the length of the body in
bytes: a file that was cut short is known by it. What is in the body is the codec's to check.

`check` is the CRC-32 of all bytes before its own line's comma, and of the body where there is no
seal. Only a thorough look compares it: people may change a header by hand, and take the line out.
Files of older programs have none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, cast
from zlib import crc32

from ...domain.errors import Invalid
from ...domain.labels import Labels, check_labels
from ...domain.limits import MAX_BODY_BYTES, check_int64
from ...domain.record import NO_LABELS, Key, Record, check_name
from .text import Damage, dump_lines, dump_time, load, load_int, load_text, load_time

SEPARATOR: Final = b"\n---\n"

LONGEST_HEADER: Final = 16 * 1024 * 1024
"""Where reading stops if no separator comes, in bytes: the limits of labels allow half of it."""

_FIELDS: Final = (
    "space",
    "kind",
    "id",
    "version",
    "created_at",
    "updated_at",
    "expires_at",
    "session_id",
    "thread_id",
    "labels",
    "seal",
    "size",
    "check",
)

_CHECK: Final = ',\n  "check": "%08x"\n}'
_CHECKED: Final = len((_CHECK % 0).encode() + SEPARATOR)


@dataclass(frozen=True, slots=True)
class Header:
    """A record without its body, and what its file looks like.

    The body is `size` bytes from `offset` on; `check` is the CRC-32 of what stands before.
    """

    record: Record
    size: int
    offset: int
    check: int

    def with_body(self, body: bytes) -> Record:
        """Return the whole record."""
        return replace(self.record, body=body)


def dump_header(record: Record, body: bytes) -> bytes:
    """Write the header of `record`, separator included, for this body of it."""
    fields: dict[str, object] = {
        "space": record.key.space,
        "kind": record.key.kind,
        "id": record.key.id,
        "version": record.version,
        "created_at": dump_time(record.created_at),
        "updated_at": dump_time(record.updated_at),
    }
    if record.expires_at is not None:
        fields["expires_at"] = dump_time(record.expires_at)
    if record.session_id is not None:
        fields["session_id"] = record.session_id
    if record.thread_id is not None:
        fields["thread_id"] = record.thread_id
    labels = dict(record.labels)
    if labels:
        fields["labels"] = dict(sorted(labels.items()))
    if record.seal:
        fields["seal"] = record.seal
    fields["size"] = len(body)
    data = dump_lines(fields)[: -len(b"\n}")]
    return data + (_CHECK % _sum(data, record, body)).encode() + SEPARATOR


def is_as_written(data: bytes, record: Record) -> bool:
    """Tell whether a header, separator included, says what its `check` was made of.

    `record` is what was read of it, with its body. A header without a check says it.
    """
    if "check" not in load(data.removesuffix(SEPARATOR)):
        return True
    check = _sum(data[:-_CHECKED], record, record.body or b"")
    return data[-_CHECKED:] == (_CHECK % check).encode() + SEPARATOR


def _sum(data: bytes, record: Record, body: bytes) -> int:
    """Return the checksum of the lines before it, and of a body that no codec has given one."""
    check = crc32(data)
    return check if record.seal else crc32(body, check)


def load_header(data: bytes) -> Header:
    """Read what `dump_header` wrote, separator included; raise `Damage` for anything else."""
    fields = load(data.removesuffix(SEPARATOR))
    unknown = sorted(set(fields) - set(_FIELDS))
    if unknown:
        raise Damage(f"the header has an unknown field {unknown[0]!r}")
    try:
        return Header(_record(fields), _size(fields), len(data), crc32(data))
    except (Invalid, KeyError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise Damage(f"the header is wrong: {reason}") from error


def _record(fields: Mapping[str, object]) -> Record:
    space, kind, id = (load_text(fields[name], field=name) for name in ("space", "kind", "id"))
    version = check_int64(fields["version"], field="version")
    if version < 1:
        raise Damage(f"version is {version}, not 1 or more")
    expires_at = fields.get("expires_at")
    return Record(
        key=Key(space, kind, id),
        version=version,
        created_at=_time(fields["created_at"], field="created_at"),
        updated_at=_time(fields["updated_at"], field="updated_at"),
        session_id=_parent(fields, "session_id"),
        thread_id=_parent(fields, "thread_id"),
        labels=_labels(fields.get("labels")),
        seal=load_text(fields.get("seal", ""), field="seal"),
        expires_at=None if expires_at is None else _time(expires_at, field="expires_at"),
    )


def _time(value: object, *, field: str) -> int:
    return check_int64(load_time(value, field=field), field=field)


def _parent(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    return None if value is None else check_name(value, field=name)


def _labels(value: object) -> Labels:
    if value is None:
        return NO_LABELS
    if not isinstance(value, dict):
        raise Damage("labels are no JSON object")
    labels = cast("dict[str, object]", value)
    check_labels(labels)
    return cast("Labels", MappingProxyType(labels))


def _size(fields: Mapping[str, object]) -> int:
    size = load_int(fields["size"], field="size")
    if not 0 <= size <= MAX_BODY_BYTES:
        raise Damage(f"size is {size}, not 0 to {MAX_BODY_BYTES}")
    return size
