"""`Key` and `Record`: an envelope with a readable header and a sealed letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, cast

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

    @staticmethod
    def trusted(space: str, kind: str, id: str) -> Key:
        """Name a record by parts that were checked before: where there are thousands of them."""
        draft = KeyDraft()
        draft.space = space
        draft.kind = kind
        draft.id = id
        return draft.done()

    @staticmethod
    def all_trusted(space: str, kind: str, ids: Iterable[str]) -> list[Key]:
        """Name many records of one kind, as `trusted` does each, without a call for each."""
        keys: list[Key] = []
        for id in ids:
            draft = KeyDraft()
            draft.space = space
            draft.kind = kind
            draft.id = id
            draft.__class__ = Key  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
            keys.append(draft)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        return keys

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

    @staticmethod
    def bare(
        key: Key, version: int, *, times: tuple[int, int], seal: str, body: bytes | None
    ) -> Record:
        """Make a record without parents, labels or expiry: where thousands are read at once.

        `times` are when it was created and when it was last changed.
        """
        draft = RecordDraft()
        draft.key = key
        draft.version = version
        draft.created_at, draft.updated_at = times
        draft.session_id = None
        draft.thread_id = None
        draft.labels = NO_LABELS
        draft.body = body
        draft.seal = seal
        draft.expires_at = None
        return draft.done()

    @staticmethod
    def trusted(
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
        draft = RecordDraft()
        draft.key = key
        draft.version = version
        draft.created_at, draft.updated_at = times
        draft.session_id, draft.thread_id = parents
        draft.labels = labels
        draft.body, draft.seal = letter
        draft.expires_at = expires_at
        return draft.done()

    def is_live(self, now: int) -> bool:
        """Tell whether the record is still visible at `now` (microseconds)."""
        return self.expires_at is None or self.expires_at > now


class KeyDraft:
    """A key in the making: parts that were checked before are set, and then it is `done`.

    What is frozen can only be filled by a call for each field, which takes three times as long.
    """

    __slots__ = Key.__slots__
    space: str
    kind: str
    id: str

    def done(self) -> Key:
        """Become the key, which nobody can change any more; whoever made it has set every part."""
        # Both have the same slots, so Python lets the one become the other.
        self.__class__ = Key  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        return self  # type: ignore[return-value] # pyright: ignore[reportReturnType]


class RecordDraft:
    """A record in the making, as a `KeyDraft` is for keys: where thousands are read at once."""

    __slots__ = Record.__slots__
    key: Key
    version: int
    created_at: int
    updated_at: int
    session_id: str | None
    thread_id: str | None
    labels: Labels
    body: bytes | None
    seal: str
    expires_at: int | None

    def done(self) -> Record:
        """Become the record, which nobody can change any more; all of its fields are set."""
        self.__class__ = Record  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]
        return self  # type: ignore[return-value] # pyright: ignore[reportReturnType]


def setter(made: type[object], name: str) -> Callable[[object, object], None]:
    """Return what fills a field of a value that is being made: three times as fast as by name."""
    return cast("Callable[[object, object], None]", made.__dict__[name].__set__)


_set_space = setter(Key, "space")
_set_kind = setter(Key, "kind")
_set_id = setter(Key, "id")
