"""`Key` and `Record`: an envelope with a readable header and a sealed letter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from .labels import Labels
from .limits import MAX_ID_BYTES, SHORT, check_text, is_short

DEFAULT_SPACE: Final = "default"
"""The space of a handle that names no other."""

NO_LABELS: Final[Labels] = MappingProxyType({})


def no_labels() -> Labels:
    """Return the empty, immutable labels."""
    return NO_LABELS


@dataclass(frozen=True, slots=True, order=True, init=False)
class Key:
    """Name one record: `id` is unique within (`space`, `kind`).

    Each part is 1 to 1,024 UTF-8 bytes of any Unicode text, NUL included; lone surrogates, the
    empty text and longer texts raise `Invalid` with the field's name.
    """

    space: str
    kind: str
    id: str

    def __init__(self, space: str, kind: str, id: str) -> None:
        """Refuse parts that no back end could keep."""
        # Every look-up makes a key, and nearly every key is plain: three calls of `is_short` would
        # take as long as all the rest.
        if not (
            (type(space) is str and 0 < len(space) <= SHORT and space.isascii())
            and (type(kind) is str and 0 < len(kind) <= SHORT and kind.isascii())
            and (type(id) is str and 0 < len(id) <= SHORT and id.isascii())
        ):
            check_name(space, field="space")
            check_name(kind, field="kind")
            check_name(id, field="id")
        _set_space(self, space)
        _set_kind(self, kind)
        _set_id(self, id)

    @classmethod
    def trusted(cls, space: str, kind: str, id: str) -> Key:
        """Name a record by parts that were checked before: where there are thousands of them."""
        key = object.__new__(cls)
        _set_space(key, space)
        _set_kind(key, kind)
        _set_id(key, id)
        return key

    def __str__(self) -> str:
        """Write the key as people read it in messages."""
        return f"{self.space}/{self.kind}/{self.id}"


def check_name(value: object, *, field: str) -> str:
    """Return `value` if it may be a space, kind, id or parent id; raise `Invalid` otherwise."""
    if is_short(value):
        return value
    return check_text(value, field=field, limit=MAX_ID_BYTES, limit_name="max_id_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a back end keeps under a key.

    `version` is 1 on the first write and rises by one on each. `body` is sealed bytes, or `None`
    where a query asked for headers alone; `seal` is the recipe that opens it. Times are integer
    microseconds since 1970-01-01 UTC; `expires_at` hides the record from that instant on.
    """

    key: Key
    version: int
    created_at: int
    updated_at: int
    session_id: str | None = None
    thread_id: str | None = None
    labels: Labels = field(default_factory=no_labels)
    body: bytes | None = None
    seal: str = ""
    expires_at: int | None = None

    @classmethod
    def bare(
        cls, key: Key, version: int, *, times: tuple[int, int], seal: str, body: bytes | None
    ) -> Record:
        """Make a record without parents, labels or expiry: where thousands are read at once.

        `times` are when it was created and when it was last changed.
        """
        record = object.__new__(cls)
        _set_key(record, key)
        _set_version(record, version)
        _set_created_at(record, times[0])
        _set_updated_at(record, times[1])
        _set_session_id(record, None)
        _set_thread_id(record, None)
        _set_labels(record, NO_LABELS)
        _set_body(record, body)
        _set_seal(record, seal)
        _set_expires_at(record, None)
        return record

    @classmethod
    def trusted(
        cls,
        key: Key,
        version: int,
        *,
        times: tuple[int, int],
        parents: tuple[str | None, str | None],
        labels: Labels,
        letter: tuple[bytes | None, str],
        expires_at: int | None,
    ) -> Record:
        """Make a record of parts that were checked when it was written, as `bare` does.

        `times` are when it was created and last changed, `parents` are session and thread, and
        the `letter` is body and seal.
        """
        record = object.__new__(cls)
        _set_key(record, key)
        _set_version(record, version)
        _set_created_at(record, times[0])
        _set_updated_at(record, times[1])
        _set_session_id(record, parents[0])
        _set_thread_id(record, parents[1])
        _set_labels(record, labels)
        _set_body(record, letter[0])
        _set_seal(record, letter[1])
        _set_expires_at(record, expires_at)
        return record

    def is_live(self, now: int) -> bool:
        """Tell whether the record is still visible at `now` (microseconds)."""
        return self.expires_at is None or self.expires_at > now


Setter: TypeAlias = Callable[[object, object], None]


def setter(made: type[object], name: str) -> Setter:
    """Return what fills a field of a value that is being made: three times as fast as by name."""
    return cast("Setter", made.__dict__[name].__set__)


_set_space = setter(Key, "space")
_set_kind = setter(Key, "kind")
_set_id = setter(Key, "id")
_set_key = setter(Record, "key")
_set_version = setter(Record, "version")
_set_created_at = setter(Record, "created_at")
_set_updated_at = setter(Record, "updated_at")
_set_session_id = setter(Record, "session_id")
_set_thread_id = setter(Record, "thread_id")
_set_labels = setter(Record, "labels")
_set_body = setter(Record, "body")
_set_seal = setter(Record, "seal")
_set_expires_at = setter(Record, "expires_at")
