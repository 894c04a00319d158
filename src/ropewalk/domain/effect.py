"""`decide`: the one meaning of each change, for every back end."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, TypeAlias

from .change import ABSENT, Change, Check, Delete, Ensure, Put
from .errors import Conflict, Invalid
from .labels import Label, Labels
from .limits import MAX_INT64
from .record import NO_LABELS, Key, Record

Action: TypeAlias = Literal["write", "raise", "delete", "none"]
"""What becomes of a record: see `Effect`."""

Verdict: TypeAlias = tuple[Action, int, int, int, int]
"""The action, the version after it and before it, and when the record was created and last changed.

Both times are 0 where nothing is written. A plain tuple: one is made for every change.
"""


# The next two are tuples: one of each is made for every change, and dataclasses take longer.
class Stamp(NamedTuple):
    """What a decision needs to know of the record that is there now.

    `labels` are needed for a `Check` of labels alone.
    """

    version: int
    created_at: int
    labels: Labels = NO_LABELS


class Standing(Protocol):
    """A `Stamp`, or the row of a back end that says the same."""

    @property
    def version(self) -> int:
        """The version of the record."""
        ...

    @property
    def created_at(self) -> int:
        """When it was created."""
        ...

    @property
    def labels(self) -> Labels:
        """Its labels, where a `Check` asks for some."""
        ...


class Effect(NamedTuple):
    """What one change does to the record that is there now.

    `write`: store `record`. `raise`: set version and `updated_at` alone. `delete`: remove it.
    `none`: leave everything as it is.
    """

    action: Action
    version: int
    previous: int
    record: Record | None = None


def decide(change: Change, current: Stamp | None, now: int) -> Effect:
    """Say what `change` does at `now` to a live record (`None`: absent or expired).

    This function is the meaning of a change: every back end calls it, or `weigh`, inside its own
    lock or transaction. Raises `Conflict`, with the key and both versions, where an expectation
    fails.
    """
    action, version, previous, created, updated = weigh(change, current, now)
    record = None
    times = (created, updated)
    if action != "write":
        pass
    elif isinstance(change, Put):
        record = Record.trusted(
            change.key,
            version,
            times=times,
            parents=(change.session_id, change.thread_id),
            labels=change.labels,
            letter=(change.body, change.seal),
            expires_at=change.expires_at,
        )
    elif isinstance(change, Ensure):
        record = Record.bare(change.key, version, times=times, seal=change.seal, body=change.body)
    return Effect(action, version, previous, record)


def weigh(change: Change, current: Standing | None, now: int) -> Verdict:
    """Say what `decide` says, for a back end that writes without a `Record`."""
    previous = ABSENT if current is None else current.version
    if isinstance(change, Ensure):
        return _weigh_ensure(change, previous, now)
    expect, made = change.expect, change.made
    if expect is not None and (
        expect != previous or (made is not None and current and made != current.created_at)
    ):
        raise _unexpected(change, current)
    if isinstance(change, Put):
        is_next = change.version is None and previous < MAX_INT64
        version = previous + 1 if is_next else _set_version(change, previous)
        created = change.created_at
        if created is None:
            created = now if current is None else current.created_at
        updated = now if change.updated_at is None else change.updated_at
        return "write", version, previous, created, updated
    if isinstance(change, Delete):
        if previous == ABSENT or (change.at_most is not None and previous > change.at_most):
            return "none", previous, previous, 0, 0
        return "delete", ABSENT, previous, 0, 0
    if change.labels:
        _check_labels(change, current)
    # What `Check.told` says.
    told = expect or ABSENT
    return "none", told, told, 0, 0


def _unexpected(change: Put | Delete | Check, current: Standing | None) -> Conflict:
    previous = current.version if current else ABSENT
    if change.expect != previous:
        return mismatch(change.key, expected=change.expect, actual=previous)
    return made_anew(change.key, version=previous)


def _check_labels(check: Check, current: Standing | None) -> None:
    for name, value in check.labels.items():
        if current is None or not _same_label(current.labels.get(name), value):
            raise _mislabelled(check.key, name, current, value)


def _same_label(present: Label | None, expected: Label) -> bool:
    # True == 1 in Python, and neither is the other here.
    return type(present) is type(expected) and present == expected


def _mislabelled(key: Key, name: str, current: Standing | None, expected: Label) -> Conflict:
    if current is None:
        message = f"{key} was expected with {name} {expected!r}, but it is not there (any more)"
        return Conflict(message, code="gone", key=key, label=name, expected=expected)
    actual = current.labels.get(name)
    message = f"{key} was expected with {name} {expected!r} and has {actual!r}: somebody changed it"
    return Conflict(message, code="label", key=key, label=name, expected=expected, actual=actual)


def mismatch(key: Key, *, expected: int | None, actual: int) -> Conflict:
    """Make the error for a record that has not the version it was expected to have."""
    if expected == ABSENT:
        message = f"{key} exists already, with version {actual}; read it, or choose another id"
        code = "exists"
    elif actual == ABSENT:
        message = f"{key} was expected at version {expected}, but it is not there (any more)"
        code = "gone"
    else:
        message = (
            f"{key} was expected at version {expected} and has version {actual}: "
            "somebody changed it; read it again and decide"
        )
        code = "version"
    return Conflict(message, code=code, key=key, expected=expected, actual=actual)


def made_anew(key: Key, *, version: int) -> Conflict:
    """Make the error for a record that has the expected version, and is another one by now."""
    message = (
        f"{key} has version {version} as expected, but was deleted and made anew since it was "
        "read; read it again and decide"
    )
    return Conflict(message, code="made_anew", key=key, expected=version, actual=version)


def _set_version(change: Put, previous: int) -> int:
    """Return the version that a put sets, unless it does not rise; raise where none is left."""
    if previous == MAX_INT64 or change.version is None:
        message = f"{change.key} has the greatest version there is; delete it and put it anew"
        raise Invalid(message, code="too_big", field="version", key=str(change.key))
    if change.version > previous:
        return change.version
    message = (
        f"{change.key} cannot get version {change.version}: it has version {previous} "
        "already, and versions only rise"
    )
    raise Conflict(
        message, code="version", key=change.key, expected=change.version, actual=previous
    )


def _weigh_ensure(change: Ensure, previous: int, now: int) -> Verdict:
    if previous >= change.stamp:
        return "none", previous, previous, 0, 0
    if previous != ABSENT:
        return "raise", change.stamp, previous, 0, 0
    return "write", change.stamp, ABSENT, now, now
