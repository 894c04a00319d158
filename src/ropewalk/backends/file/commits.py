"""`commits.jsonl`: one line a commit, for people, for the feed, and to know a batch again.

    {"seq":7,"at":"2026-01-31T09:30:00.000000Z","batch":"5f0c...","actor":"planner",
     "changes":[{"key":["default","note","a"],"version":2,"previous":1}],"check":"5f0c81e2"}

(in one line). `check` is the CRC-32 of what stands before its comma; lines of older programs have
none. `changes` has every change of the batch, also those without effect, whose `version`
equals `previous`; the feed tells the others. A line without `batch` tells nobody but the processes
that have the store open: there, records that had expired were removed.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, cast

from ...domain.change import Applied, Changed, Commit
from ...domain.errors import Corrupt
from ...domain.horizon import trimmed
from ...domain.record import Key
from .disk import READ, Disk, File
from .layout import COMMITS
from .text import (
    Damage,
    dump_checked,
    dump_key,
    dump_time,
    load_checked,
    load_int,
    load_key,
    load_list,
    load_text,
    load_time,
)

_FIELDS: Final = frozenset({"seq", "at", "batch", "actor", "changes"})

_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a batch did to one key; equal versions say: nothing."""

    key: Key
    version: int
    previous: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file."""

    seq: int
    at: int
    batch_id: str | None
    actor: str
    outcomes: tuple[Outcome, ...]

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of the batch, in its order."""
        return tuple(outcome.key for outcome in self.outcomes)

    def applied(self, *, replayed: bool) -> Applied:
        """Return the answer to the batch."""
        versions = tuple(outcome.version for outcome in self.outcomes)
        previous = tuple(outcome.previous for outcome in self.outcomes)
        return Applied(self.seq, self.at, versions, previous, replayed)

    def commit(self) -> Commit | None:
        """Return what the feed tells, `None` where it tells nothing."""
        if self.batch_id is None:
            return None
        changed = tuple(
            Changed(outcome.key, outcome.version)
            for outcome in self.outcomes
            if outcome.version != outcome.previous
        )
        return Commit(self.seq, self.at, self.batch_id, self.actor, changed)


def dump_row(row: Row) -> bytes:
    """Write a row as its line."""
    fields: dict[str, object] = {"seq": row.seq, "at": dump_time(row.at)}
    if row.batch_id is not None:
        fields |= {"batch": row.batch_id, "actor": row.actor}
    fields["changes"] = [
        {"key": dump_key(item.key), "version": item.version, "previous": item.previous}
        for item in row.outcomes
    ]
    return dump_checked(fields) + b"\n"


def load_row(line: bytes) -> Row:
    """Read what `dump_row` wrote; raise `Damage` for anything else."""
    fields = load_checked(line.removesuffix(b"\n"), _FIELDS)
    try:
        batch = fields.get("batch")
        return Row(
            seq=load_int(fields["seq"], field="seq"),
            at=load_time(fields["at"], field="at"),
            batch_id=None if batch is None else load_text(batch, field="batch"),
            actor=load_text(fields.get("actor", ""), field="actor"),
            outcomes=tuple(map(_outcome, load_list(fields["changes"], field="changes"))),
        )
    except KeyError as error:
        raise Damage(f"it lacks {error}") from error


def _outcome(value: object) -> Outcome:
    if not isinstance(value, dict):
        raise Damage("a change is no JSON object")
    fields = cast("dict[str, object]", value)
    return Outcome(
        load_key(fields["key"]),
        load_int(fields["version"], field="version"),
        load_int(fields["previous"], field="previous"),
    )


class CommitLog:
    """What a process knows of the file: where each row begins, and the batches by their id."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.clear()

    def clear(self) -> None:
        """Know nothing."""
        self.end = 0
        self.cut = 0
        self.damaged: dict[int, str] = {}
        self._told = array("b")
        self._seqs = array("q")
        self._offsets = array("q")
        self._batches: dict[str, int] = {}

    @property
    def seq(self) -> int:
        """The number of the newest row, 0 where there is none."""
        return self._seqs[-1] if self._seqs else 0

    @property
    def newest(self) -> int:
        """The number of the newest commit that the feed tells, 0 where there is none."""
        place = self._newest()
        return 0 if place is None else self._seqs[place]

    @property
    def forgotten(self) -> int:
        """Up to which number commits are gone."""
        return self._seqs[0] - 1 if self._seqs else 0

    def oldest_kept(self, before: int) -> tuple[int, int]:
        """Return where rows begin that stay if older ones than `before` go, and how many go.

        The newest commit stays, and what the feed does not tell goes with the commit behind it.
        """
        newest = self._newest()
        end = 0 if newest is None else min(bisect_left(self._seqs, before), newest)
        while end and not self._told[end - 1]:
            end -= 1
        return self._offsets[end] if end else 0, sum(self._told[:end])

    def follow(self, end: int, *, cut: int) -> set[Key] | None:
        """Read on up to `end` bytes; return the keys touched, or `None` where a row is damaged.

        Where the file was cut off at its beginning, `cut` bytes in all, it is read from there.
        """
        touched: set[Key] | None = set()
        known = self.seq
        if cut != self.cut:
            self.clear()
            self.cut = cut
        if end > self.end:
            with self._disk.file(COMMITS, READ) as file:
                for offset, line in lines(file, self.end, end):
                    row = self._learn(offset, line)
                    if row is None:
                        touched = None
                    elif touched is not None and row.seq > known:
                        touched.update(row.keys)
            if self.end < end:
                raise _short(self.end, end)
        return touched

    def load(self) -> None:
        """Read the file from its beginning up to its last whole line."""
        self.clear()
        with self._disk.file(COMMITS, READ) as file:
            for offset, line in lines(file, 0, file.size()):
                self._learn(offset, line)

    def add(self, row: Row, line: bytes) -> None:
        """Learn the row that this process wrote last."""
        self._note(self.end, row)
        self.end += len(line)

    def find(self, batch_id: str) -> Row | None:
        """Return the row of a batch, `None` where it was never applied."""
        place = self._batches.get(batch_id)
        if place is None:
            return None
        ((_, line),) = self._read(place, place + 1)
        return self._row(place, line)

    def after(self, seq: int, *, until: int, count: int) -> tuple[list[Commit], int]:
        """Return the commits of the next `count` rows behind `seq`, and where to go on.

        Raises `Corrupt` for a damaged row, saying behind which number to go on, and `NotFound`
        where the next commits were forgotten, unless `seq` is 0.
        """
        if 0 < seq < self.forgotten:
            raise trimmed(seq, forgotten=self.forgotten)
        begin = bisect_right(self._seqs, seq)
        end = min(begin + count, bisect_right(self._seqs, until))
        commits: list[Commit] = []
        for place, (_, line) in enumerate(self._read(begin, end), start=begin):
            commit = self._row(place, line).commit()
            if commit is not None:
                commits.append(commit)
        return commits, self._seqs[end - 1] if end > begin else until

    def _learn(self, offset: int, line: bytes) -> Row | None:
        self.end = offset + len(line) + 1
        try:
            row = _next_row(line, self.seq)
        except Damage as error:
            # The number that it must have had: behind the last, or the feed could not go on.
            self.damaged[len(self._seqs)] = str(error)
            self._seqs.append(self.seq + 1)
            self._offsets.append(offset)
            self._told.append(1)
            return None
        self._note(offset, row)
        return row

    def _note(self, offset: int, row: Row) -> None:
        if row.batch_id is not None:
            self._batches[row.batch_id] = len(self._seqs)
        self._seqs.append(row.seq)
        self._offsets.append(offset)
        self._told.append(row.batch_id is not None)

    def _newest(self) -> int | None:
        place = len(self._told) - 1
        while place >= 0 and not self._told[place]:
            place -= 1
        return None if place < 0 else place

    def _read(self, begin: int, end: int) -> Sequence[tuple[int, bytes]]:
        if begin >= end:
            return []
        stop = self._offsets[end] if end < len(self._offsets) else self.end
        with self._disk.file(COMMITS, READ) as file:
            return list(lines(file, self._offsets[begin], stop))

    def _row(self, place: int, line: bytes) -> Row:
        try:
            row = _known_row(line, self._seqs[place], self.damaged.get(place))
        except Damage as error:
            seq = self._seqs[place]
            message = (
                f"line {place + 1} of {COMMITS} is damaged, because {error}: restore it from a "
                f"backup, or go on behind it with feed(after={seq})"
            )
            raise Corrupt(message, code="bad_commit", path=COMMITS, line=place + 1, seq=seq) from (
                error
            )
        return row


def lines(file: File, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Go through the whole lines between two places: where each begins, and what is in it."""
    rest = b""
    at = begin
    while at < end:
        data = file.read_at(at, min(_CHUNK, end - at))
        if not data:
            return
        at += len(data)
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield begin, line
            begin += len(line) + 1


def _next_row(line: bytes, last: int) -> Row:
    row = load_row(line)
    if row.seq <= last:
        raise Damage(f"seq {row.seq} comes after {last}")
    return row


def _known_row(line: bytes, seq: int, damage: str | None) -> Row:
    if damage is not None:
        raise Damage(damage)
    row = load_row(line)
    if row.seq != seq:
        raise Damage(f"its seq was {seq} before")
    return row


def _short(size: int, end: int) -> Corrupt:
    message = (
        f"{COMMITS} has {size} whole bytes where the journal counts {end}: somebody changed it "
        "while the store was open; close it everywhere, then open it again"
    )
    return Corrupt(message, code="bad_commits", path=COMMITS)
