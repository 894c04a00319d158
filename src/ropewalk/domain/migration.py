"""What a migration is to do, and where one stands: plans, runs, and what could not be brought."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from .errors import Invalid
from .limits import MAX_ID_BYTES, check_text
from .record import DEFAULT_SPACE, Record, check_name
from .source import Problem

EVERYTHING: Final = "*"
"""Among the allowed losses: whatever it is."""

MAX_BATCH: Final = 2_000
"""Most items of one batch: each is two records at least, and a batch has a limit of changes."""

MAX_NAME_BYTES: Final = 128
"""Longest name of a plan, in UTF-8 bytes."""

JOURNAL: Final = frozenset({"migration", "migration_step", "migrated"})
"""The kinds of records that a migration keeps of itself: about a store, and no content of it."""


class OnConflict(StrEnum):
    """What becomes of an item whose id stands in the target already, with other content."""

    FAIL = "fail"
    SKIP = "skip"
    OVERWRITE = "overwrite"
    KEEP_NEWER = "keep-newer"


class Deletions(StrEnum):
    """What becomes of what was brought and is no longer in the source."""

    REPORT = "report"
    APPLY = "apply"


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    DONE = "done"
    PARTLY = "partly"
    UNDOING = "rolling back"
    UNDONE = "rolled back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to bring from where, and what to do where it is not plain.

    `name` keeps apart what was brought from several sources; runs of one name know of each other.
    `format`, `place` and `options` say which source is meant, `url` and `space` which target; who
    runs a plan opens both. No `kinds` means every kind. `allow_loss` are the codes of problems and
    the formats that may stay behind, `*` for all. `batch` counts items.
    """

    name: str
    format: str = ""
    place: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    space: str = DEFAULT_SPACE
    kinds: tuple[str, ...] = ()
    on_conflict: OnConflict = OnConflict.FAIL
    deletions: Deletions = Deletions.REPORT
    allow_loss: tuple[str, ...] = ()
    batch: int = 500

    def __post_init__(self) -> None:
        """Refuse what could not be run."""
        check_text(self.name, field="name", limit=MAX_NAME_BYTES, limit_name="max_name_bytes")
        if "/" in self.name:
            message = f"the name of a plan has no slash: {self.name!r}"
            raise Invalid(message, code="bad_name", field="name")
        check_name(self.space, field="space")
        if not 1 <= self.batch <= MAX_BATCH:
            message = f"batch must be 1 to {MAX_BATCH} items, not {self.batch}"
            raise Invalid(message, code="bad_limit", field="batch")

    def allows(self, code: str) -> bool:
        """Tell whether a loss of this code was said to be acceptable."""
        return code in self.allow_loss or EVERYTHING in self.allow_loss

    def wants(self, kind: str) -> bool:
        """Tell whether items of this kind are to be brought."""
        return not self.kinds or kind in self.kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What stays behind, or is to be known, by one code: how many, why, and the first places.

    `reasons` has the reason at each of the places. `is_format` tells a format that is recognised
    and not read from what could not be read or kept.
    """

    code: str
    count: int
    reason: str
    allowed: bool = False
    is_format: bool = False
    places: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One item that was not written: where it stands, why, and the item itself.

    `raw` is what stands in the source, as far as it could be read; `None` where nothing could.
    Where `size` is given, `raw` is the beginning of so many bytes.
    `is_loss` is false where the target has something under the same id and the plan says to leave
    that there.
    """

    code: str
    place: str
    reason: str
    raw: bytes | None = None
    kind: str | None = None
    source_id: str | None = None
    is_loss: bool = True
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: items looked at of those there are, and how fast.

    `total` is `None` where nobody counted. `rate` is items a second, `left` the seconds until
    the end at that rate.
    """

    done: int
    total: int | None
    rate: float
    left: float | None
    kinds: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run did, by kind, and everything a person must know about the rest.

    `brought` was not there before, `replaced` was; `present` was brought earlier or stands in the
    target with the same content; `kept` stands there with other content, and the plan says to
    leave it. `refused` cannot be kept, `left_out` is of a kind that the plan does not name.
    `vanished` was brought earlier and is no longer in the source, `removed` is what of that was
    taken away. `position` is the number of the source's commit up to which the target follows it,
    if it does. `problems` and `notes` are the first of those that were told; `losses` counts all.
    """

    run: str
    plan: Plan
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None = None
    rehearsal: bool = False
    since_last: bool = False
    position: int | None = None
    brought: Mapping[str, int] = field(default_factory=dict[str, int])
    replaced: Mapping[str, int] = field(default_factory=dict[str, int])
    present: Mapping[str, int] = field(default_factory=dict[str, int])
    kept: Mapping[str, int] = field(default_factory=dict[str, int])
    refused: Mapping[str, int] = field(default_factory=dict[str, int])
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    vanished: Mapping[str, int] = field(default_factory=dict[str, int])
    removed: Mapping[str, int] = field(default_factory=dict[str, int])
    losses: tuple[Loss, ...] = ()
    notes: tuple[Loss, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def changes(self) -> int:
        """How many items of the target the run wrote or removed."""
        return sum(sum(part.values()) for part in (self.brought, self.replaced, self.removed))

    @property
    def is_complete(self) -> bool:
        """Whether nothing stayed behind that was not allowed to."""
        return all(loss.allowed for loss in self.losses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not in the target as it should be, and why."""

    code: str
    kind: str
    source_id: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a comparison of source, journal and target found.

    `items` counts what the source has, by kind, `compared` what of it was compared in depth:
    every field, and states as they are loaded. `dangling` are references to what the source does
    not have either. `differences` are the first of `difference_count`.
    """

    name: str
    sample: float
    items: Mapping[str, int]
    compared: Mapping[str, int]
    unreadable: int = 0
    left_out: int = 0
    dangling: int = 0
    difference_count: int = 0
    differences: tuple[Difference, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing differs."""
        return not self.difference_count


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoReport:
    """What a rollback did: records taken away and put back.

    `changed` names the first of those that somebody changed since, which `force` put back all the
    same; `nodes` are the parts of states that nothing needed any more.
    """

    run: str
    removed: int = 0
    restored: int = 0
    nodes: int = 0
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far a copy has followed its source, and what the last step brought.

    `position` is the number of the last commit that the target has, `newest` that of the last one
    that the source had then. `commits` and `records` count what the step went through and what it
    changed. `lag` is how old the last commit was when the target had it, in microseconds.
    """

    run: str
    position: int
    newest: int
    commits: int = 0
    records: int = 0
    lag: int = 0

    @property
    def is_level(self) -> bool:
        """Whether the target had everything that the source had."""
        return self.position >= self.newest


@dataclass(frozen=True, slots=True, kw_only=True)
class CutoverReport:
    """The runs of a cutover, the last one behind the freeze, and the comparison at its end."""

    runs: tuple[RunReport, ...]
    verified: VerifyReport

    @property
    def is_complete(self) -> bool:
        """Whether everything is in the target, and as it was."""
        return self.verified.is_sound and self.runs[-1].is_complete


def journal_id(name: str, kind: str, source_id: str) -> str:
    """Return the id under which it is kept what became of an item."""
    plain = f"{name}/{kind}/{source_id}"
    if len(plain.encode()) <= MAX_ID_BYTES:
        return plain
    return f"{name}/{kind[:MAX_NAME_BYTES]}/~{hashlib.sha256(plain.encode()).hexdigest()}"


def content_digest(record: Record, *, version: bool = False, dated: bool = False) -> str:
    """Return the SHA-256 of what a record holds, in hexadecimal; its space is no part of it.

    With `version` and `dated`, its version and the time of its last change are.
    """
    whole = hashlib.sha256()
    key = record.key
    parts: list[object] = [key.kind, key.id, record.created_at, record.expires_at]
    parts += [record.session_id, record.thread_id, record.seal, sorted(record.labels.items())]
    parts += [record.version if version else None, record.updated_at if dated else None]
    for part in parts:
        text = repr(part).encode("utf-8", "surrogatepass")
        whole.update(b"%d:%b" % (len(text), text))
    whole.update(record.body or b"")
    return whole.hexdigest()
