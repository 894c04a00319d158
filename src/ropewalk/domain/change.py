"""The alphabet of an atomic batch: what may be asked of a store at once, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import SystemRandom
from typing import Final, TypeAlias

from .closer import (
    check_letter,
    check_made,
    check_parents,
    check_times,
    check_version,
    check_versions,
)
from .errors import Invalid
from .labels import Labels, check_labels
from .limits import (
    MAX_BATCH_BYTES,
    MAX_BATCH_CHANGES,
    MAX_BODY_BYTES,
    MAX_INT64,
    SHORT,
    check_int64,
    check_note,
    is_short,
)
from .record import NO_LABELS, Key, Record, check_name, no_labels, setter
from .seen import Counted, Seen, check_seen

ABSENT: Final = 0
"""The version of a record that is not there (or no longer: expired)."""

MAX_FENCES: Final = 16
"""So many checks of labels alone may stand in a batch beside the changes that it may hold."""

_random_bytes: Final = SystemRandom().randbytes

_ID_BYTES: Final = 16
"""As random as a UUID, and written as its digits are."""


@dataclass(frozen=True, slots=True, init=False)
class Put:
    """Write a whole record.

    `expect` is the version it must have now: 0 for "must not exist", `None` for "whatever"; with
    `made`, it must have been created then, for a record that was deleted and made anew counts its
    versions from 1 again.
    Where `created_at` is `None`, an existing record keeps its own and a new one gets the store's
    clock; where `updated_at` is `None`, the store's clock. Times are microseconds UTC.
    `version` sets the version instead of counting on: a copy of a record keeps the one it had
    elsewhere. It must be greater than the present one, or the change is a `Conflict`.
    """

    key: Key
    body: bytes
    seal: str
    labels: Labels
    session_id: str | None
    thread_id: str | None
    expires_at: int | None
    created_at: int | None
    updated_at: int | None
    expect: int | None
    version: int | None
    made: int | None

    def __init__(
        self,
        *,
        key: Key,
        body: bytes = b"",
        seal: str = "",
        labels: Labels = NO_LABELS,
        session_id: str | None = None,
        thread_id: str | None = None,
        expires_at: int | None = None,
        created_at: int | None = None,
        updated_at: int | None = None,
        expect: int | None = None,
        version: int | None = None,
        made: int | None = None,
    ) -> None:
        """Refuse what no back end could keep, before anything is written."""
        # What nearly every put is like is told here, since every write comes this way.
        if not (
            (type(body) is bytes and len(body) <= MAX_BODY_BYTES)
            and (type(seal) is str and len(seal) <= SHORT and seal.isascii())
            and (session_id is None or is_short(session_id))
            and (thread_id is None or is_short(thread_id))
            and (created_at is None or (type(created_at) is int and 0 <= created_at <= MAX_INT64))
            and (updated_at is None or (type(updated_at) is int and 0 <= updated_at <= MAX_INT64))
            and (expect is None or (type(expect) is int and ABSENT <= expect <= MAX_INT64))
            and (expires_at is None and version is None and made is None)
        ):
            check_letter(key, body, seal)
            check_parents(session_id, thread_id)
            check_times(expires_at, created_at, updated_at)
            check_versions(key, expect, version, made)
        if labels:
            check_labels(labels)
        _set_key(self, key)
        _set_body(self, body)
        _set_seal(self, seal)
        _set_labels(self, labels)
        _set_session_id(self, session_id)
        _set_thread_id(self, thread_id)
        _set_expires_at(self, expires_at)
        _set_created_at(self, created_at)
        _set_updated_at(self, updated_at)
        _set_expect(self, expect)
        _set_version(self, version)
        _set_made(self, made)

    @classmethod
    def of(cls, record: Record) -> Put:
        """Return the put that writes `record` as it is, its times included, expecting nothing."""
        return cls(
            key=record.key,
            body=record.body or b"",
            seal=record.seal,
            labels=record.labels,
            session_id=record.session_id,
            thread_id=record.thread_id,
            expires_at=record.expires_at,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Remove a record; removing what is absent is no error.

    `expect` is the version it must have now, and `made` when it was created, as for a `Put`.
    `at_most` is a guard instead of an expectation: a record whose version is greater stays, without
    a conflict (a collector of garbage says it).
    """

    key: Key
    expect: int | None = None
    at_most: int | None = None
    made: int | None = None

    def __post_init__(self) -> None:
        """Refuse a delete that says two things at once."""
        if self.expect is not None:
            check_version(self.expect, field="expect")
        if self.made is not None:
            check_made(self.key, self.made, expect=self.expect)
        if self.at_most is not None:
            check_version(self.at_most, field="at_most")
        if self.expect is not None and self.at_most is not None:
            message = f"delete {self.key} with expect or with at_most, not with both"
            raise Invalid(message, code="bad_change", field="at_most", key=str(self.key))


@dataclass(frozen=True, slots=True, init=False)
class Ensure:
    """Insert a content-addressed record unless it is there; then raise its version to `stamp`.

    The body of a record that is there is left alone: equal keys mean equal bodies. The version
    never falls.
    """

    key: Key
    stamp: int
    body: bytes
    seal: str

    def __init__(self, *, key: Key, stamp: int, body: bytes = b"", seal: str = "") -> None:
        """Refuse what no back end could keep."""
        if not (
            (type(body) is bytes and len(body) <= MAX_BODY_BYTES)
            and (type(seal) is str and len(seal) <= SHORT and seal.isascii())
        ):
            check_letter(key, body, seal)
        is_stamp = type(stamp) is int and 1 <= stamp <= MAX_INT64
        if not is_stamp and check_int64(stamp, field="stamp") < 1:
            message = f"the stamp of {key} must be 1 or more, not {stamp}"
            raise Invalid(message, code="bad_version", field="stamp", key=str(key))
        _set_ensured(self, key)
        _set_stamp(self, stamp)
        _set_ensured_body(self, body)
        _set_ensured_seal(self, seal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Let the batch go through only if the record is as expected now; change nothing of it.

    `expect` is the version it must have (0: it is absent), `made` when it was created, as for a
    `Put`; `labels` what it must be labelled with, whatever other labels it has: a fencing token is
    checked so. An absent record has none.
    """

    key: Key
    expect: int | None = None
    labels: Labels = field(default_factory=no_labels)
    made: int | None = None

    def __post_init__(self) -> None:
        """Refuse an impossible version, and a check of nothing."""
        if self.expect is not None:
            check_version(self.expect, field="expect")
        if self.made is not None:
            check_made(self.key, self.made, expect=self.expect)
        if self.labels:
            check_labels(self.labels)
        if self.expect is None and not self.labels:
            message = f"check {self.key} for a version or for labels: this checks nothing"
            raise Invalid(message, code="bad_change", field="expect", key=str(self.key))
        if self.expect == ABSENT and self.labels:
            message = f"{self.key} cannot be absent and have labels: check one of both"
            raise Invalid(message, code="bad_change", field="labels", key=str(self.key))

    @property
    def told(self) -> int:
        """The version that `Applied` tells of this record: 0 where labels alone were checked."""
        return self.expect or ABSENT


Change: TypeAlias = Put | Delete | Ensure | Check

_WITH_BODY: Final = (Put, Ensure)


@dataclass(frozen=True, slots=True, init=False)
class Batch:
    """Changes that happen all together or not at all; a key occurs in it at most once.

    `id` makes a retry safe: a store that has applied a batch with this id answers as the first
    time and changes nothing; where none is given, one is made. `actor` is written into the feed.
    `seen` are lists and tallies that must come out the same now, or the batch is a `Conflict` with
    the code "phantom".
    """

    changes: tuple[Change, ...]
    id: str
    actor: str
    seen: tuple[Seen | Counted, ...]

    def __init__(
        self,
        changes: tuple[Change, ...],
        id: str | None = None,
        actor: str = "",
        seen: tuple[Seen | Counted, ...] = (),
    ) -> None:
        """Refuse an empty batch, a key that occurs twice, and a batch beyond the limits."""
        if id is None:
            id = _random_bytes(_ID_BYTES).hex()
        elif not is_short(id):
            check_name(id, field="batch id")
        if actor != "":
            check_note(actor, field="actor")
        _set_changes(self, changes)
        _set_id(self, id)
        _set_actor(self, actor)
        _set_seen(self, seen)
        if seen or not changes:
            self._check_seen()
        if len(changes) > MAX_BATCH_CHANGES and self._counted > MAX_BATCH_CHANGES:
            message = (
                f"a batch holds at most {MAX_BATCH_CHANGES} changes (max_batch_changes), "
                f"not {len(changes)}: split it"
            )
            raise Invalid(message, code="too_many", field="changes", limit="max_batch_changes")
        # By their parts: a key itself is hashed by a call of Python.
        if len(changes) > 1 and len(changes) > len(
            {(change.key.space, change.key.kind, change.key.id) for change in changes}
        ):
            self._refuse_twice()
        size = 0
        for change in changes:
            if isinstance(change, _WITH_BODY):
                size += len(change.body)
        if size > MAX_BATCH_BYTES:
            message = (
                f"the bodies of this batch are {size} bytes; max_batch_bytes is {MAX_BATCH_BYTES}: "
                "split it"
            )
            raise Invalid(message, code="too_big", field="changes", limit="max_batch_bytes")

    def _check_seen(self) -> None:
        if self.seen:
            check_seen(self.seen)
        else:
            message = "a batch needs at least one change"
            raise Invalid(message, code="empty", field="changes")

    def _refuse_twice(self) -> None:
        """Name the first key that occurs twice."""
        known: set[Key] = set()
        for change in self.changes:
            if change.key in known:
                message = f"{change.key} occurs twice in one batch; fold its changes into one"
                raise Invalid(message, code="duplicate", field="changes", key=str(change.key))
            known.add(change.key)

    @property
    def _counted(self) -> int:
        """How many changes count: checks of labels alone are put in front by views of the store."""
        fences = sum(isinstance(c, Check) and c.expect is None for c in self.changes)
        return len(self.changes) - min(fences, MAX_FENCES)


@dataclass(frozen=True, slots=True, init=False)
class Applied:
    """What a batch did: one entry for each change, in order.

    `versions` after it (0: absent), `previous` before it; for a `Check` both are `Check.told`.
    `seq` is the commit's number in the feed and `at` its time in microseconds, 0 and the store's
    present time where a batch changed nothing. `replayed` says that the batch had been applied
    before.
    """

    seq: int
    at: int
    versions: tuple[int, ...]
    previous: tuple[int, ...]
    replayed: bool

    def __init__(
        self,
        seq: int,
        at: int,
        versions: tuple[int, ...],
        previous: tuple[int, ...],
        replayed: bool = False,  # noqa: FBT001, FBT002 (a field like the others)
    ) -> None:
        """Keep what the store says."""
        _set_seq(self, seq)
        _set_at(self, at)
        _set_versions(self, versions)
        _set_previous(self, previous)
        _set_replayed(self, replayed)


@dataclass(frozen=True, slots=True)
class Changed:
    """One key that a commit touched, and its version since (0: deleted)."""

    key: Key
    version: int


@dataclass(frozen=True, slots=True)
class Commit:
    """One row of the feed: who changed what and when, in commit order.

    `seq` rises by at least one from commit to commit; `at` is microseconds UTC.
    """

    seq: int
    at: int
    batch_id: str
    actor: str
    changes: tuple[Changed, ...]


# What is made for every batch is filled in without a look-up for each field (see `setter`).
_set_key = setter(Put, "key")
_set_body = setter(Put, "body")
_set_seal = setter(Put, "seal")
_set_labels = setter(Put, "labels")
_set_session_id = setter(Put, "session_id")
_set_thread_id = setter(Put, "thread_id")
_set_expires_at = setter(Put, "expires_at")
_set_created_at = setter(Put, "created_at")
_set_updated_at = setter(Put, "updated_at")
_set_expect = setter(Put, "expect")
_set_version = setter(Put, "version")
_set_made = setter(Put, "made")
_set_ensured = setter(Ensure, "key")
_set_stamp = setter(Ensure, "stamp")
_set_ensured_body = setter(Ensure, "body")
_set_ensured_seal = setter(Ensure, "seal")
_set_changes = setter(Batch, "changes")
_set_id = setter(Batch, "id")
_set_actor = setter(Batch, "actor")
_set_seen = setter(Batch, "seen")
_set_seq = setter(Applied, "seq")
_set_at = setter(Applied, "at")
_set_versions = setter(Applied, "versions")
_set_previous = setter(Applied, "previous")
_set_replayed = setter(Applied, "replayed")
