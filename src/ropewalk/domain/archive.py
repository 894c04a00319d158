"""What of a store goes into an archive, what an archive says of itself, and who opens bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, runtime_checkable

from .errors import Invalid
from .ports import NO_DICTIONARIES, Dictionary, Sealed
from .record import Key, Record, check_name

FORMAT: Final = "ropewalk-archive"
"""What the first line of an archive says it is."""

FORMAT_VERSION: Final = 1
"""The version of the format that is written; a greater one is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What to write: everything of a space, or what belongs to one session, thread or user.

    At most one is named. A session and a thread come with the threads that theirs continue; a
    user with nothing of anybody else.
    """

    session_id: str | None = None
    thread_id: str | None = None
    user_id: str | None = None

    def __post_init__(self) -> None:
        """Refuse two at once, and names that nothing can have."""
        given = {name: value for name, value in self.named.items() if value is not None}
        for name, value in given.items():
            check_name(value, field=name)
        if len(given) > 1:
            message = f"name one of {', '.join(self.named)}, not {' and '.join(given)}"
            raise Invalid(message, code="bad_scope", field=next(iter(given)))

    @property
    def named(self) -> dict[str, str | None]:
        """What may be named, and what is."""
        return {
            "session_id": self.session_id,
            "thread_id": self.thread_id,
            "user_id": self.user_id,
        }

    @property
    def is_whole(self) -> bool:
        """Whether everything of the space is meant."""
        return not any(self.named.values())


EVERYTHING: Final = Scope()
"""All records of a space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What an archive holds: records by kind, and the SHA-256 of their lines, in hexadecimal.

    Archives of equal records have equal `content`, whenever they were written and whatever seals
    the bodies in the store. `unopened` are records whose bodies could not be opened here and are
    written as they are stored. `commits` were made by others while it was written: then it may be
    of no one moment. `left_out` says what belongs to it and is not in it, and why.
    """

    path: str
    spaces: tuple[str, ...]
    counts: Mapping[str, int]
    content: str
    unopened: int = 0
    commits: int = 0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The first line of an archive; `counts` are what was expected when it was begun."""

    version: int
    spaces: tuple[str, ...]
    created_at: str
    sealed: bool
    what: Mapping[str, str] = field(default_factory=dict[str, str])
    counts: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class Peeled:
    """A body without what was wrapped round it: who wrote the bytes, and the bytes.

    `form` is the serializer's name, `raw` for bytes that are a part of something bigger;
    `dictionary` names what the compressor leaned on.
    """

    form: str
    data: bytes
    dictionary: str = ""


@runtime_checkable
class Peeler(Protocol):
    """Open bodies as far as their serialised form, and close them again as this store does."""

    def peel(
        self, record: Record, *, dictionaries: Mapping[str, Dictionary] = NO_DICTIONARIES
    ) -> Peeled:
        """Open a body; raise `Corrupt` where it is damaged, `Invalid` where it cannot be opened.

        The code of the latter is `unknown_dictionary` where one is needed that is not given.
        """
        ...

    def dress(self, peeled: Peeled, key: Key, *, dictionary: Dictionary | None = None) -> Sealed:
        """Close what was peeled for `key`, at once and in this thread."""
        ...
