"""Forgetting commits: `commits.jsonl` is written anew without its oldest rows.

The shortened log is made beside the journal and is safe on the disk before the journal says that it
takes the place of the other one. Whoever comes after a death finishes that, or knows nothing of it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Final

from .disk import READ, REPLACE, WRITE, Disk
from .folder import Folder
from .journal import Mark, append, dump_mark
from .layout import COMMITS, JOURNAL, LOCAL, SHORTENED
from .recovery import settle

_CHUNK: Final = 1024 * 1024


def trim(folder: Folder, before: int, *, deadline: float) -> int:
    """Forget the commits with a number less than `before`, all but the newest; count them."""
    with folder.writing(deadline):
        offset, count = folder.log.oldest_kept(before)
        if count:
            # What the journal has says where in the log it belongs: none of it may be left.
            _cut(folder, settle(folder.disk), offset)
    return count


def _cut(folder: Folder, mark: Mark, offset: int) -> None:
    disk = folder.disk
    since = replace(mark, log=mark.log - offset, cut=mark.cut + offset)
    try:
        _copy(disk, offset, mark.log)
        with disk.file(JOURNAL, WRITE) as journal:
            try:
                end = append(journal, mark.end, seq=mark.seq, log=since.log, cut=since.cut)
                journal.sync()
            except BaseException:
                journal.truncate(mark.end)
                raise
            disk.move(SHORTENED, COMMITS)
            since = replace(since, end=end)
            journal.write_at(0, [dump_mark(since)])
    except BaseException:
        if not _is_announced(disk, mark):
            with suppress(OSError):
                disk.remove(SHORTENED)
        raise
    folder.learn(since)
    folder.shorten(since, now=True)


def _copy(disk: Disk, begin: int, end: int) -> None:
    with disk.file(COMMITS, READ) as log, disk.file(SHORTENED, REPLACE) as shortened:
        at = 0
        while begin < end:
            data = log.read_at(begin, min(_CHUNK, end - begin))
            at = shortened.write_at(at, [data])
            begin += len(data)
        shortened.sync()
    disk.sync_folder(LOCAL)


def _is_announced(disk: Disk, mark: Mark) -> bool:
    """Tell whether the journal may say that the shortened log is to be taken."""
    try:
        with disk.file(JOURNAL, READ) as journal:
            return journal.size() > mark.end
    except OSError:  # then nobody knows, and it must stay
        return True
