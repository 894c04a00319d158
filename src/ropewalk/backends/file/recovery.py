"""After a death: finish what the journal has, drop what it has not; and empty it when it is safe.

Whoever takes the lock next does this first, a reader too, so nobody ever sees half a batch. After
another run of the machine (or where that cannot be known) everything in the journal is done once
more, because only the journal is sure to have reached the disk.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

from ...domain.errors import Corrupt
from .commits import CommitLog, lines, load_row
from .disk import READ, WRITE, Disk, File, boot_id
from .journal import HEADER, Entry, Mark, begin, cut, dump_mark, entries, payload_of, read_mark
from .layout import COMMITS, JOURNAL, SHORTENED, STAGED
from .text import Damage

_REDONE: Final = f"{STAGED}/redone"


@dataclass(frozen=True, slots=True)
class State:
    """The mark of the journal, and whether a batch waits behind it."""

    mark: Mark
    clean: bool


def look(disk: Disk) -> State:
    """Read where the store stands; raise `Corrupt` where the journal does not say it."""
    with disk.file(JOURNAL, READ) as file:
        mark = _mark(file)
        return State(mark, clean=file.size() == mark.end)


def finish(disk: Disk) -> Mark:
    """Finish what waits in the journal, or drop what is not whole there."""
    with disk.file(JOURNAL, WRITE) as file:
        mark = _mark(file)
        size = file.size()
        if size < mark.end:
            mark = cut(mark, file)
        waiting = list(entries(file, mark.end, size))
        if waiting:
            # Whoever was to sync it is dead; from here on others may build on it.
            file.sync()
        for entry in waiting:
            _redo(disk, file, entry)
            seq, log = max(mark.seq, entry.seq), entry.log + len(entry.row)
            lost = mark.cut if entry.cut is None else entry.cut
            mark = replace(mark, seq=seq, log=log, end=entry.end, cut=lost)
            file.write_at(0, [dump_mark(mark)])
        if file.size() > mark.end:
            file.truncate(mark.end)
    return mark


def reopen(disk: Disk, log: CommitLog) -> list[str]:
    """Bring journal, files and `commits.jsonl` together at opening, and load the latter.

    Returns what people should know. Raises `Corrupt` where the journal belongs to other files.
    """
    disk.make_folder(STAGED)
    for name, _ in disk.names(STAGED):
        disk.remove(f"{STAGED}/{name}")
    if not disk.exists(COMMITS):
        # Somebody removed it, or did not take it along: the feed begins anew.
        disk.write(COMMITS, ())
    if not disk.exists(JOURNAL):
        log.load()
        _agree(disk, log, seq=log.seq)
        return []
    notes: list[str] = []
    state = look(disk)
    boot = boot_id()
    if state.mark.end > HEADER and (not boot or state.mark.boot != boot):
        notes = _replay(disk, boot)
        state = look(disk)
    mark = state.mark if state.clean else finish(disk)
    log.load()
    with disk.file(COMMITS, READ) as file:
        size = file.size()
    if not (size == log.end == mark.log and log.seq <= mark.seq):
        settle(disk)
        # Also where an older feed was put in its place, no number is given twice.
        _agree(disk, log, seq=max(log.seq, mark.seq))
    return notes


def settle(disk: Disk) -> Mark:
    """Make everything done safe on the disk, then empty the journal."""
    with disk.file(JOURNAL, WRITE) as file:
        mark = _mark(file)
        if mark.end == HEADER:
            return mark
        done = list(entries(file, HEADER, mark.end))
        if done and done[-1].end == mark.end:
            disk.sync_files({COMMITS, *(path for entry in done for path, _ in entry.files)})
        else:
            # Damaged, so it does not say which files: all of them, then.
            disk.sync_all()
        mark = cut(mark, file)
        file.sync()
    return mark


def _agree(disk: Disk, log: CommitLog, *, seq: int) -> None:
    """Begin a journal that takes `commits.jsonl`, as far as its lines are whole, as it is."""
    with disk.file(COMMITS, WRITE) as file:
        if file.size() > log.end:
            file.truncate(log.end)
    begin(disk, Mark(_fresh_epoch(), boot_id(), seq, log.end))


def _replay(disk: Disk, boot: str) -> list[str]:
    """Do everything in the journal once more, make it safe, and take this run of the machine."""
    notes: list[str] = []
    with disk.file(JOURNAL, WRITE) as file:
        mark = _mark(file)
        done = list(entries(file, HEADER, file.size()))
        end = done[-1].end if done else HEADER
        whole = end >= min(mark.end, file.size())
        if not whole:
            notes.append(
                f"the journal was damaged at byte {end}: of the last batches before the machine "
                "went down some may be lost or half there; compare them with a backup"
            )
        if done:
            _check_rows(disk, done, whole=whole)
            # From here on all of it waits: should we die, the next one begins at the beginning.
            mark = replace(mark, epoch=_fresh_epoch(), boot=boot, log=done[0].log, end=HEADER)
            file.write_at(0, [dump_mark(mark)])
    if done:
        finish(disk)
    settle(disk)
    return notes


def _redo(disk: Disk, journal: File, entry: Entry) -> None:
    """Do an entry, whether or not it was done before, wholly or in part."""
    if entry.cut is not None:
        if disk.exists(SHORTENED):
            disk.move(SHORTENED, COMMITS)
        return
    with disk.file(COMMITS, WRITE) as file:
        if file.size() < entry.log:
            raise _foreign(f"{COMMITS} ends before the place of commit {entry.seq}")
        file.truncate(entry.log)
        file.write_at(entry.log, [entry.row])
    for path, content in payload_of(journal, entry):
        if content is None:
            disk.remove(path)
        else:
            disk.make_folder(path.rpartition("/")[0])
            disk.write(_REDONE, [content])
            disk.move(_REDONE, path)


def _check_rows(disk: Disk, done: Sequence[Entry], *, whole: bool) -> None:
    """Raise `Corrupt` if `commits.jsonl` has rows that the journal knows nothing of."""
    if any(entry.cut is not None for entry in done):
        # Which of the two logs is in place is found out by doing it.
        return
    expected = b"".join(entry.row for entry in done)
    base = done[0].log
    with disk.file(COMMITS, READ) as file:
        if file.size() < base:
            raise _foreign(f"{COMMITS} ends before the place of commit {done[0].seq}")
        for offset, line in lines(file, base, file.size()):
            ours = expected[offset - base : offset - base + len(line) + 1]
            if ours != line + b"\n" and whole and _is_row(line):
                raise _foreign(f"{COMMITS} has another commit at byte {offset}")


def _is_row(line: bytes) -> bool:
    try:
        load_row(line)
    except Damage:  # the answer, not an accident
        return False
    return True


def _mark(file: File) -> Mark:
    try:
        return read_mark(file)
    except Damage as error:
        message = (
            f"{JOURNAL} is damaged, because {error}: if the record files are as they should be, "
            "remove it, and the store will take them as they are"
        )
        raise Corrupt(message, code="bad_journal", path=JOURNAL) from error


def _foreign(why: str) -> Corrupt:
    message = (
        f"{JOURNAL} does not belong to these files: {why}. Somebody changed them after a crash, "
        f"before the store was opened again: remove {JOURNAL} to take the files as they are"
    )
    return Corrupt(message, code="foreign_journal", path=JOURNAL)


def _fresh_epoch() -> str:
    """Return a word that no other state of this store has had."""
    return f"{time.time_ns():x}-{uuid4().hex[:8]}"
