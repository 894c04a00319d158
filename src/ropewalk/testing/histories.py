"""Histories: what callers asked of a store at the same time, and what each of them was told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ..domain.change import Commit

_NOTHING: Final[Mapping[str, tuple[int, int]]] = MappingProxyType({})


def _nothing() -> Mapping[str, tuple[int, int]]:
    return _NOTHING


class Fate(StrEnum):
    """How a transaction ended, as its caller knows."""

    DONE = "done"
    """It was acknowledged."""
    REFUSED = "refused"
    """It was told that nothing happened, or never tried to commit."""
    UNKNOWN = "unknown"
    """No answer came: cancelled, failed or killed on the way. It may yet happen, once."""


@dataclass(frozen=True, slots=True)
class Read:
    """A key was seen at a version (0: absent); `value` is `None` where only the version was."""

    key: str
    version: int
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """A key gets a value, or is deleted (`None`); no two writes have the same value.

    `expect` is the version that was demanded. `tag` says which listings the record belongs to.
    """

    key: str
    value: str | None
    expect: int | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything with a tag was asked for, and this was all of it."""

    tag: str
    found: tuple[Read, ...]


Step: TypeAlias = Read | Write | Listing


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One `get`, one batch or one unit of work, by one caller.

    Times are nanoseconds of one monotonic clock; `returned` is `None` where nothing came back.
    `installed` has, for each key it wrote, the version before and after, as the store told;
    `seq` is the commit's number, 0 where it has none. `refused` is the key for which a batch was
    refused, with the version that the store said it had.
    """

    id: str
    who: str
    called: int
    returned: int | None
    fate: Fate
    steps: tuple[Step, ...]
    installed: Mapping[str, tuple[int, int]] = field(default_factory=_nothing)
    seq: int = 0
    refused: tuple[str, int] | None = None

    @property
    def writes(self) -> dict[str, Write]:
        """The last write of each key."""
        return {step.key: step for step in self.steps if isinstance(step, Write)}

    @property
    def reads(self) -> Iterator[Read]:
        """What it saw of others: reads and finds before it wrote the key itself."""
        own: set[str] = set()
        for step in self.steps:
            if isinstance(step, Write):
                own.add(step.key)
            elif isinstance(step, Read):
                if step.key not in own:
                    yield step
            else:
                yield from (read for read in step.found if read.key not in own)

    def __str__(self) -> str:
        """Write it as people read it."""
        what = "; ".join(map(_told_step, self.steps)) or "nothing"
        end = {
            Fate.DONE: f"done as commit {self.seq}" if self.seq else "done",
            Fate.REFUSED: f"refused, {self.refused[0]} at {self.refused[1]}"
            if self.refused
            else "refused",
            Fate.UNKNOWN: "no answer",
        }[self.fate]
        return f"{self.who}: {what} -> {end} [{self.id[:12]}]"


def _told_step(step: Step) -> str:
    if isinstance(step, Read):
        return f"read {_told(step)}"
    if isinstance(step, Listing):
        found = ", ".join(map(_told, step.found)) or "nothing"
        return f"listed {step.tag!r}: {found}"
    verb = f"deleted {step.key}" if step.value is None else f"wrote {step.key} = {step.value!r}"
    tag = f" tagged {step.tag!r}" if step.tag else ""
    return verb + tag + ("" if step.expect is None else f" expecting {step.expect}")


def _told(read: Read) -> str:
    if not read.version:
        return f"{read.key} absent"
    value = "" if read.value is None else f" = {read.value!r}"
    return f"{read.key} at {read.version}{value}"


@dataclass(frozen=True, slots=True)
class History:
    """What happened in a store that was empty before; `commits` is its whole feed afterwards.

    Without `commits` less can be said of what got no answer.
    """

    transactions: tuple[Transaction, ...]
    commits: tuple[Commit, ...] | None = None

    @classmethod
    def of(cls, events: Iterable[Event], commits: Iterable[Commit] | None = None) -> History:
        """Put together what one or more tapes recorded, in any order."""
        return cls(tuple(_transactions(events)), None if commits is None else tuple(commits))


Event: TypeAlias = Mapping[str, Any]
"""A line of a tape: plain JSON, so that other processes may write it."""


def event_of(transaction: Transaction) -> Event:
    """Return a transaction as a line of a tape."""
    return {
        "id": transaction.id,
        "who": transaction.who,
        "called": transaction.called,
        "returned": transaction.returned,
        "fate": transaction.fate.value,
        "steps": [_packed(step) for step in transaction.steps],
        "installed": {key: list(pair) for key, pair in transaction.installed.items()},
        "seq": transaction.seq,
        "refused": transaction.refused,
    }


def _packed(step: Step) -> list[object]:
    if isinstance(step, Read):
        return ["read", step.key, step.version, step.value]
    if isinstance(step, Write):
        return ["write", step.key, step.value, step.expect, step.tag]
    return ["list", step.tag, [[read.key, read.version, read.value] for read in step.found]]


def _unpacked(line: list[Any]) -> Step:
    kind, *rest = line
    if kind == "read":
        return Read(*rest)
    if kind == "write":
        return Write(*rest)
    tag, found = rest
    return Listing(tag, tuple(Read(*read) for read in found))


def _transactions(events: Iterable[Event]) -> Iterator[Transaction]:
    """Let the line that tells an end stand for the line that told the beginning."""
    open_: dict[tuple[str, str, int], Transaction] = {}
    for event in events:
        transaction = Transaction(
            id=event["id"],
            who=event["who"],
            called=event["called"],
            returned=event["returned"],
            fate=Fate(event["fate"]),
            steps=tuple(map(_unpacked, event["steps"])),
            installed={key: (old, new) for key, (old, new) in event["installed"].items()},
            seq=event["seq"],
            refused=None if event["refused"] is None else tuple(event["refused"]),
        )
        open_[transaction.id, transaction.who, transaction.called] = transaction
    yield from open_.values()
