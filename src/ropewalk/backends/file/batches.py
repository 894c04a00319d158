"""Doing a batch: decide under the lock, stage, write ahead, then carry out.

Until the row stands in `commits.jsonl` everything can be taken back, and whatever needs room on
the disk has it by then. From there on there is only forward: renames and removals, which whoever
comes next finishes from the journal if this process dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ...domain.change import Applied, Batch, Change, Delete
from ...domain.effect import Effect, Stamp, decide
from ...domain.errors import Invalid, Unavailable
from ...domain.ports import Clock
from ...domain.record import Key, Record
from ...domain.seen import Counted, Seen
from .commits import Outcome, Row, dump_row
from .disk import WRITE, File
from .folder import Folder
from .format import Header, dump_header, load_header
from .journal import HEADER, Mark, Target, append, dump_mark
from .layout import COMMITS, JOURNAL, STAGED, path_of
from .recovery import settle
from .refusal import is_full
from .text import Damage, load_text


@dataclass(frozen=True, slots=True)
class _Step:
    """One change decided: its effect, the file as it is to be, and the header in it."""

    key: Key
    effect: Effect
    target: Target | None = None
    header: Header | None = None


def apply(folder: Folder, batch: Batch, *, clock: Clock, durable: bool, deadline: float) -> Applied:
    """Do every change of the batch or none; a batch applied before is only answered."""
    with folder.writing(deadline) as mark:
        done = folder.log.find(batch.id)
        if done is not None:
            return _answer_again(batch, done)
        now = clock.now()
        steps = [_decide(folder, change, now) for change in batch.changes]
        _check_seen(folder, batch.seen, now)
        changed = any(step.effect.action != "none" for step in steps)
        row = Row(
            seq=mark.seq + 1,
            at=now,
            batch_id=batch.id if changed else None,
            actor=_actor(batch) if changed else "",
            outcomes=tuple(
                Outcome(step.key, step.effect.version, step.effect.previous) for step in steps
            ),
        )
        targets = [step.target for step in steps if step.target is not None]
        if targets:
            since = _commit(folder, mark, row, targets=targets, durable=durable)
            for step in steps:
                if step.header is not None:
                    folder.index.put(step.header)
                elif step.target is not None:
                    folder.index.remove(step.key)
            folder.shorten(since)
        answer = row.applied(replayed=False)
        return answer if changed else replace(answer, seq=0)


def _answer_again(batch: Batch, done: Row) -> Applied:
    if done.keys != tuple(change.key for change in batch.changes):
        message = (
            f"the batch id {batch.id!r} was used for a batch of other keys; "
            "only a retry of the same batch may carry it: make a new id"
        )
        raise Invalid(message, code="batch_id_reused", field="batch id", batch_id=batch.id)
    return done.applied(replayed=True)


def _actor(batch: Batch) -> str:
    try:
        return load_text(batch.actor, field="actor")
    except Damage as error:
        raise Invalid(f"{error}", code="bad_type", field="actor") from error


def _check_seen(folder: Folder, seen: Sequence[Seen | Counted], now: int) -> None:
    """Raise `Conflict` unless every list and tally comes out as it was seen."""
    for part in seen:
        if isinstance(part, Seen):
            part.check(folder.index.answer(part.again, now))
        else:
            part.check(folder.index.tally(part.query, part.sums, part.group_by, now=now))


def _decide(folder: Folder, change: Change, now: int) -> _Step:
    key = change.key
    there = folder.header(key)
    live = there if there is not None and there.record.is_live(now) else None
    stamp = None
    if live is not None:
        stamp = Stamp(live.record.version, live.record.created_at, live.record.labels)
    effect = decide(change, stamp, now)
    if effect.action == "write" and effect.record is not None:
        return _write(key, effect, effect.record)
    if effect.action == "raise" and live is not None:
        return _write(
            key, effect, replace(folder.record(live), version=effect.version, updated_at=now)
        )
    expired = there is not None and live is None and isinstance(change, Delete)
    if effect.action == "delete" or expired:
        return _Step(key, effect, Target(path_of(key), None))
    return _Step(key, effect)


def _write(key: Key, effect: Effect, record: Record) -> _Step:
    body = record.body or b""
    data = dump_header(record, body)
    try:
        # What others will read is what we keep: no dictionary and no subclass of the caller's.
        header = load_header(data)
    except Damage as error:
        raise Invalid(f"{key} cannot be kept: {error}", code="bad_change", key=str(key)) from error
    return _Step(key, effect, Target(path_of(key), (data, body)), header)


def _commit(
    folder: Folder, mark: Mark, row: Row, *, targets: Sequence[Target], durable: bool
) -> Mark:
    line = dump_row(row)
    try:
        since = _do(folder, mark, row=row, line=line, targets=targets, durable=durable)
    except OSError as error:
        if not is_full(error) or mark.end == HEADER:
            raise
        # What the journal holds is done: to give its room back may be room enough.
        mark = settle(folder.disk)
        since = _do(folder, mark, row=row, line=line, targets=targets, durable=durable)
    folder.log.add(row, line)
    return since


def _do(
    folder: Folder,
    mark: Mark,
    *,
    row: Row,
    line: bytes,
    targets: Sequence[Target],
    durable: bool,
) -> Mark:
    disk = folder.disk
    staged: list[str] = []
    try:
        for number, target in enumerate(targets):
            if target.parts is not None:
                disk.make_folder(target.path.rpartition("/")[0])
                staged.append(f"{STAGED}/{number}")
                disk.write(staged[-1], target.parts)
        with disk.file(JOURNAL, WRITE) as journal, disk.file(COMMITS, WRITE) as log:
            end = _write_ahead(
                journal, log, mark, row=row, line=line, targets=targets, durable=durable
            )
            end_of_log = mark.log + len(line)
            since = replace(mark, boot=folder.boot, seq=row.seq, log=end_of_log, end=end)
            _carry_out(folder, journal, since, targets=targets, row=row)
    except BaseException:
        # What cannot be removed now is removed when the store is next opened.
        with suppress(OSError):
            for path in staged:
                disk.remove(path)
        raise
    return since


def _write_ahead(
    journal: File,
    log: File,
    mark: Mark,
    *,
    row: Row,
    line: bytes,
    targets: Sequence[Target],
    durable: bool,
) -> int:
    try:
        end = append(journal, mark.end, seq=row.seq, log=mark.log, row=line, targets=targets)
        if durable:
            journal.sync()
        log.write_at(mark.log, [line])
    except BaseException:
        try:
            # In this order: a row without an entry would be a commit that nobody can finish.
            log.truncate(mark.log)
            journal.truncate(mark.end)
        except OSError as error:
            raise _unfinished(row) from error
        raise
    return end


def _carry_out(
    folder: Folder, journal: File, since: Mark, *, targets: Sequence[Target], row: Row
) -> None:
    try:
        for number, target in enumerate(targets):
            if target.parts is None:
                folder.disk.remove(target.path)
            else:
                folder.disk.move(f"{STAGED}/{number}", target.path)
        journal.write_at(0, [dump_mark(since)])
    except OSError as error:
        raise _unfinished(row) from error


def _unfinished(row: Row) -> Unavailable:
    message = (
        f"the batch {row.batch_id!r} was broken off by the disk and stands in the journal: the "
        "next call finishes or drops it; apply it again with the same id to learn which"
    )
    return Unavailable(message, code="unfinished", batch_id=row.batch_id)
