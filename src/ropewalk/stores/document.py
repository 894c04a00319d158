"""The seeds' storage data: a record as one dictionary, read strictly and written completely."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from copy import copy
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..domain.change import Put
from ..domain.errors import Invalid
from ..domain.labels import metadata_labels
from ..domain.limits import check_int64
from ..domain.moment import EPOCH, MICROSECOND, from_micros, to_micros
from ..domain.record import Key, check_name
from ..domain.spelling import did_you_mean
from .letter import Letter, read_letter
from .shapes import is_dict, is_mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..domain.ports import Sealer
    from ..domain.record import Record

MERGED: Final = frozenset({"data", "metadata", "session_id", "thread_id", "expires_at"})
"""What an update may change."""

KEYS: Final = MERGED | {"id", "type", "version", "created_at", "updated_at"}
"""What a document may have: exactly what `as_dict` gives."""


class Document(NamedTuple):
    """A record to be written, checked; times are microseconds UTC, `None` for the store's clock."""

    key: Key
    data: dict[str, Any]
    metadata: dict[str, Any]
    session_id: str | None = None
    thread_id: str | None = None
    created_at: int | None = None
    updated_at: int | None = None
    expires_at: int | None = None

    async def put(self, sealer: Sealer, *, expect: int | None, made: int | None = None) -> Put:
        """Make the change that writes the document; raise `Invalid` for what cannot be kept.

        `expect` and `made` say over what: see `Put`.
        """
        sealed = await Letter(self.data, self.metadata).seal(sealer, self.key)
        return Put(
            key=self.key,
            body=sealed.body,
            seal=sealed.seal,
            labels=metadata_labels(self.metadata),
            session_id=self.session_id,
            thread_id=self.thread_id,
            created_at=self.created_at,
            updated_at=self.updated_at,
            expires_at=self.expires_at,
            expect=expect,
            made=made,
        )

    def merged(self, updates: Mapping[str, Any]) -> Document:
        """Return the document with checked updates merged in; neither argument is changed."""
        changes = dict(updates)
        if "data" in changes:
            changes["data"] = merge(self.data, changes["data"])
        if "metadata" in changes:
            given = changes["metadata"]
            changes["metadata"] = {} if given is None else merge(self.metadata, given)
        return self._replace(updated_at=None, **changes)


def read_document(raw: object, *, space: str, new_id: Callable[[], str]) -> Document:
    """Check what a caller wants to save; raise `Invalid` naming the key that is wrong.

    `version` is accepted, so that what was loaded can be saved, but says nothing: only an
    expected version locks.
    """
    data = check_keys(raw, KEYS, what="a record")
    if "type" not in data:
        message = 'a record needs a type: add "type", for example "note"'
        raise Invalid(message, code="missing", field="type")
    get = data.get
    kind = check_name(data["type"], field="type")
    id_ = new_id() if (id_ := get("id")) is None else check_name(id_, field="id")
    if "version" in data:
        check_int64(data["version"], field="version")
    # Most records lack most of these, and every save comes this way: nothing is called for `None`.
    session, thread, metadata = get("session_id"), get("thread_id"), get("metadata")
    created, updated, expires = get("created_at"), get("updated_at"), get("expires_at")
    return Document(
        key=Key(space, kind, id_),
        data=check_dict(get("data", {}), field="data"),
        metadata={} if metadata is None else check_metadata(metadata),
        session_id=None if session is None else check_name(session, field="session_id"),
        thread_id=None if thread is None else check_name(thread, field="thread_id"),
        created_at=None if created is None else to_micros(created, field="created_at"),
        updated_at=None if updated is None else to_micros(updated, field="updated_at"),
        expires_at=None if expires is None else to_micros(expires, field="expires_at"),
    )


def read_updates(raw: object) -> dict[str, Any]:
    """Check what a caller wants to merge into a record; raise `Invalid` naming the wrong key."""
    data = check_keys(raw, KEYS, what="an update")
    for name in sorted(data.keys() - MERGED):
        message = (
            f"an update cannot change {name!r}, only {', '.join(sorted(MERGED))}; "
            "save() writes a whole record"
        )
        raise Invalid(message, code="fixed_key", field=name)
    updates: dict[str, Any] = {}
    if "data" in data:
        updates["data"] = check_dict(data["data"], field="data")
    if "metadata" in data:
        value = data["metadata"]
        updates["metadata"] = None if value is None else check_metadata(value)
    if "expires_at" in data:
        updates["expires_at"] = check_time(data["expires_at"], field="expires_at")
    for name in ("session_id", "thread_id"):
        if name in data:
            updates[name] = check_parent(data[name], field=name)
    return updates


def document_of(record: Record, letter: Letter) -> Document:
    """Return a stored record as a document to be written again at the store's present time."""
    return Document(
        key=record.key,
        data=dict(letter.data),
        metadata=dict(letter.metadata),
        session_id=record.session_id,
        thread_id=record.thread_id,
        expires_at=record.expires_at,
    )


def as_dict(record: Record, value: Any) -> dict[str, Any]:  # noqa: ANN401 (it is a body)
    """Return a stored record and what was in its body as the dictionary that callers see.

    Times are aware, in UTC. What was in the body belongs to the caller from here on. Raises
    `Corrupt` where that is no letter, and `Invalid` for a time outside the years 1 to 9999.
    """
    # Every record that is read comes this way: what is told in place here spares calls.
    data = metadata = None
    if value.__class__ is dict:
        data, metadata = value.get("data"), value.get("metadata", {})
    if data.__class__ is not dict or metadata.__class__ is not dict:
        data, metadata = read_letter(record, value)
    key, expires = record.key, record.expires_at
    made, changed = record.created_at, record.updated_at
    try:
        created = EPOCH + MICROSECOND * made
        updated = created if changed == made else EPOCH + MICROSECOND * changed
        gone = None if expires is None else EPOCH + MICROSECOND * expires
    except OverflowError:
        created = from_micros(made, field="created_at")
        updated = from_micros(changed, field="updated_at")
        gone = None if expires is None else from_micros(expires, field="expires_at")
    return {
        "id": key.id,
        "type": key.kind,
        "data": data,
        "session_id": record.session_id,
        "thread_id": record.thread_id,
        "metadata": metadata,
        "created_at": created,
        "updated_at": updated,
        "expires_at": gone,
        "version": record.version,
    }


def merge(old: dict[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` with `new` merged in: dictionaries at any depth, every other value replaces."""
    merged = copy(old)
    waiting: list[tuple[dict[str, Any], Mapping[str, Any]]] = [(merged, new)]
    while waiting:
        target, source = waiting.pop()
        for name, value in source.items():
            present = target.get(name)
            if is_dict(present) and is_mapping(value):
                inner: dict[str, Any] = copy(present)
                target[name] = inner
                waiting.append((inner, value))
            else:
                target[name] = value
    return merged


def check_keys(raw: object, known: AbstractSet[str], *, what: str) -> Mapping[str, Any]:
    """Return `raw` if it is a mapping that has only known keys; raise `Invalid` otherwise."""
    if not is_mapping(raw):
        message = f"{what} must be a dict, not {type(raw).__name__}"
        raise Invalid(message, code="bad_type", field=what)
    if raw.__class__ is dict and raw.keys() <= known:
        return raw
    for name in raw:
        if name not in known:
            hint = did_you_mean(str(name), known)
            message = f"{what} has an unknown key {name!r}: {hint}"
            raise Invalid(message, code="unknown_key", field=str(name))
    return raw


def check_dict(value: object, *, field: str) -> dict[Any, Any]:
    """Return a mapping as a dictionary of its own; raise `Invalid` naming `field` otherwise."""
    if not is_mapping(value):
        message = f"{field} must be a dict, not {type(value).__name__}"
        raise Invalid(message, code="bad_type", field=field)
    return dict(value)


def check_metadata(value: object) -> dict[str, Any]:
    """Return metadata as a dictionary of its own, empty for `None`; its keys must be text."""
    if value is None:
        return {}
    metadata = check_dict(value, field="metadata")
    for name in metadata:
        if not isinstance(name, str):
            message = f"the keys of metadata must be text, not {type(name).__name__} {name!r}"
            raise Invalid(message, code="bad_type", field="metadata")
    return metadata


def check_parent(value: object, *, field: str) -> str | None:
    """Return a parent's id or `None`; raise `Invalid` naming `field` for anything else."""
    return None if value is None else check_name(value, field=field)


def check_time(value: object, *, field: str) -> int | None:
    """Return the microseconds of an aware datetime, or `None`; raise `Invalid` otherwise."""
    return None if value is None else to_micros(value, field=field)
