"""What an entity is, as bytes: to tell whether two are the same, and to write down one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.migration import JOURNAL, content_digest
from ...domain.moment import to_micros
from ...domain.query import Query
from ...domain.source import Entity

if TYPE_CHECKING:
    from ...domain.ports import Backend, Values

_OWN: Final = frozenset({"version", "size", "trunk"})
"""Fields that are about the record and not about what it stands for."""

_MODULUS: Final = 1 << 256


def plain(value: object) -> object:
    """Return a value in which dataclasses, enumerations and times are lists, texts and numbers.

    Keys of dictionaries come in one order, so that equal values are written alike.
    """
    match value:
        case Enum():
            return str(value.value)
        case datetime():
            # A time of a user's own may be naive; those of ours never are.
            return value if value.tzinfo is None else ["~time", to_micros(value)]
        case Mapping():
            pairs = [
                [key, plain(item)] for key, item in cast("Mapping[object, object]", value).items()
            ]
            return ["~dict", sorted(pairs, key=lambda pair: repr(pair[0]))]
        case list() | tuple():
            return [plain(item) for item in cast("Sequence[object]", value)]
        case _ if is_dataclass(value) and not isinstance(value, type):
            named = [field.name for field in fields(value) if field.name not in _OWN]
            return [type(value).__name__, *([n, plain(getattr(value, n))] for n in named)]
        case _:
            return value


def fingerprint(entity: Entity, values: Values) -> bytes:
    """Return the SHA-256 of everything that an entity says; of a checkpoint, its state as well."""
    return hashlib.sha256(values.dumps(plain(entity))).digest()


def field_that_differs(left: Entity, right: Entity, values: Values) -> str | None:
    """Return the name of the first field in which two entities differ, `None` where they do not."""
    if type(left) is not type(right):
        return "type"
    for field in fields(left):
        if field.name in _OWN:
            continue
        ours, theirs = (plain(getattr(entity, field.name)) for entity in (left, right))
        if values.dumps(ours) != values.dumps(theirs):
            return field.name
    return None


def written_down(entity: Entity) -> bytes:
    """Return an entity as JSON, for people: what JSON has no form for is written as Python does."""
    named = {field.name: _shown(getattr(entity, field.name)) for field in fields(entity)}
    own = {name: value for name, value in named.items() if name not in _OWN}
    try:
        return json.dumps(own, default=repr, ensure_ascii=False).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError):
        return repr(entity).encode("utf-8", "backslashreplace")


def _shown(value: object) -> Any:  # noqa: ANN401 (what json takes)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value.value) if isinstance(value, Enum) else value


async def content_hash(backend: Backend, space: str | None) -> str:
    """Return one SHA-256 sum over every record of a space: versions, times and sealed bodies.

    The order of the records does not matter, nor do the journals of migrations. Two spaces with
    the same sum hold the same records. `None` is for every space.
    """
    total = 0
    async for record in backend.scan(Query(space=space)):
        if record.key.kind not in JOURNAL:
            digest = content_digest(record, version=True, dated=True)
            total = (total + int(digest, 16)) % _MODULUS
    return f"{total:064x}"
