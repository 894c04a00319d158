"""`decide`: the one meaning of each change, for every back end."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .change import ABSENT, Change, Check, Delete, Ensure, Put
from .errors import Conflict, Invalid
from .labels import Label, Labels
from .limits import MAX_INT64
from .record import NO_LABELS, Key, Record


# The next two are tuples: one of each is made for every change, and dataclasses take longer.
class Stamp(NamedTuple):
    """What a decision needs to know of the record that is there now.

    `labels` are needed for a `Check` of labels alone.
    """

    version: int
    created_at: int
    labels: Labels = NO_LABELS


class Effect(NamedTuple):
    """What one change does to the record that is there now.

    `write`: store `record`. `raise`: set version and `updated_at` alone. `delete`: remove it.
    `none`: leave everything as it is.
    """

    action: Literal["write", "raise", "delete", "none"]
    version: int
    previous: int
    record: Record | None = None


def decide(change: Change, current: Stamp | None, now: int) -> Effect:
    """Say what `change` does at `now` to a live record (`None`: absent or expired).

    This function is the meaning of a change: every back end calls it inside its own lock or
    transaction. Raises `Conflict`, with the key and both versions, where an expectation fails.
    """
    if isinstance(change, Ensure):
        return _decide_ensure(change, current.version if current else ABSENT, now)
    if change.expect is not None:
        _check_expected(change, current)
    if isinstance(change, Put):
        return _decide_put(change, current, now)
    if isinstance(change, Delete):
        return _decide_delete(change, current.version if current else ABSENT)
    for name, value in change.labels.items():
        if current is None or not _same_label(current.labels.get(name), value):
            raise _mislabelled(change.key, name, current, value)
    return Effect("none", change.told, change.told)


def _check_expected(change: Put | Delete | Check, current: Stamp | None) -> None:
    previous = current.version if current else ABSENT
    if change.expect != previous:
        raise mismatch(change.key, expected=change.expect, actual=previous)
    if current is not None and change.made not in (None, current.created_at):
        raise made_anew(change.key, version=previous)


def _same_label(present: Label | None, expected: Label) -> bool:
    # True == 1 in Python, and neither is the other here.
    return type(present) is type(expected) and present == expected


def _mislabelled(key: Key, name: str, current: Stamp | None, expected: Label) -> Conflict:
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


def _decide_put(change: Put, current: Stamp | None, now: int) -> Effect:
    previous = current.version if current else ABSENT
    if previous == MAX_INT64:
        message = f"{change.key} has the greatest version there is; delete it and put it anew"
        raise Invalid(message, code="too_big", field="version", key=str(change.key))
    if change.version is not None and change.version <= previous:
        message = (
            f"{change.key} cannot get version {change.version}: it has version {previous} "
            "already, and versions only rise"
        )
        raise Conflict(
            message, code="version", key=change.key, expected=change.version, actual=previous
        )
    created = change.created_at
    if created is None:
        created = current.created_at if current else now
    record = Record(
        key=change.key,
        version=previous + 1 if change.version is None else change.version,
        created_at=created,
        updated_at=now if change.updated_at is None else change.updated_at,
        session_id=change.session_id,
        thread_id=change.thread_id,
        labels=change.labels,
        body=change.body,
        seal=change.seal,
        expires_at=change.expires_at,
    )
    return Effect("write", record.version, previous, record)


def _decide_delete(change: Delete, previous: int) -> Effect:
    if previous == ABSENT:
        return Effect("none", ABSENT, ABSENT)
    if change.at_most is not None and previous > change.at_most:
        return Effect("none", previous, previous)
    return Effect("delete", ABSENT, previous)


def _decide_ensure(change: Ensure, previous: int, now: int) -> Effect:
    if previous >= change.stamp:
        return Effect("none", previous, previous)
    if previous != ABSENT:
        return Effect("raise", change.stamp, previous)
    times = (now, now)
    record = Record.bare(change.key, change.stamp, times=times, seal=change.seal, body=change.body)
    return Effect("write", change.stamp, ABSENT, record)
