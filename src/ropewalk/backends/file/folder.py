"""An open store: its folder, its lock, and what this process knows of the files in it.

Everything here blocks, and belongs to the one thread that works for the store. What it knows is
made fresh under the lock, before each look: the mark in the journal says whether others committed,
and `commits.jsonl` says which records to read again.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ...domain.errors import Corrupt, Invalid, RopewalkError, Unavailable
from ...domain.record import Key, Record
from .commits import CommitLog
from .disk import Disk, boot_id
from .format import Header
from .index import Index
from .journal import Mark
from .layout import path_of
from .lock import Lock, locking
from .marker import check_foreign, claim
from .records import read_header, read_record, walk
from .recovery import finish, look, reopen, settle
from .refusal import is_damage, refusal
from .text import Damage

LONG_JOURNAL: Final = 1024 * 1024
"""Bytes of journal after which its batches are made safe in their own files, and it is emptied.

Each of the files then costs one `fsync`, all at once, while others wait.
"""

_PATIENCE: Final = 2.0
"""Seconds that closing waits for other processes: whoever closes last can do it as well."""

_GONE: Final = "its file is gone"


class Folder:
    """Keep files, index and other processes in step."""

    def __init__(self, root: Path) -> None:
        self.disk = Disk(root)
        self.log = CommitLog(self.disk)
        self.index = Index()
        self.damaged: dict[str, str] = {}
        self.notes: list[str] = []
        self.trouble: RopewalkError | None = None
        self.boot = ""
        self._lock: Lock | None = None
        self._epoch = ""

    @property
    def is_open(self) -> bool:
        """Whether `open` has succeeded, and `close` not been called since."""
        return self._lock is not None

    def open(self, deadline: float) -> None:
        """Make the store ready, and the folder a store if it is empty; read every header."""
        if self.is_open:
            return
        locking()
        self._enter()
        lock: Lock | None = None
        try:
            check_foreign(self.disk)
            lock = Lock(self.disk)
            with lock.hold(exclusive=True, deadline=deadline):
                claim(self.disk)
                self.notes = reopen(self.disk, self.log)
                self.log.cut = look(self.disk).mark.cut
            self._lock = lock
            self.boot = boot_id()
            with self.reading(deadline):
                return
        except BaseException:
            self._lock = None
            if lock is not None:
                lock.close()
            self.disk.close()
            raise

    def close(self, deadline: float) -> None:
        """Leave everything safe on the disk, if nobody else is at it; let go of everything."""
        lock = self._lock
        if lock is None:
            return
        try:
            with lock.hold(exclusive=True, deadline=min(deadline, time.monotonic() + _PATIENCE)):
                if look(self.disk).clean:
                    settle(self.disk)
        except (OSError, Unavailable, Corrupt):
            # Nothing is lost by it: what is not yet safe in its file stays in the journal.
            return
        finally:
            self._lock = None
            lock.close()
            self.disk.close()
            self.index = Index()
            self.log.clear()
            self._epoch = ""

    @contextmanager
    def reading(self, deadline: float) -> Generator[Mark, None, None]:
        """Hold the store still, with everything that was committed known."""
        lock = self._held()
        with lock.hold(exclusive=False, deadline=deadline):
            state = look(self.disk)
            if state.clean:
                self._refresh(state.mark)
                yield state.mark
                return
        with self.writing(deadline) as mark:
            yield mark

    @contextmanager
    def writing(self, deadline: float) -> Generator[Mark, None, None]:
        """Have the store alone, with everything that was committed known and nothing waiting."""
        with self._held().hold(exclusive=True, deadline=deadline):
            state = look(self.disk)
            mark = state.mark if state.clean else finish(self.disk)
            self._refresh(mark)
            yield mark

    def header(self, key: Key) -> Header | None:
        """Return the header under `key`, expired or not; raise `Corrupt` if it is damaged."""
        header = self.index.get(key)
        if header is None and self.damaged:
            return self._look_again(key)
        return header

    def record(self, header: Header) -> Record:
        """Return the whole record; raise `Corrupt` if its file is damaged."""
        key = header.record.key
        path = path_of(key)
        try:
            found, body = read_record(self.disk, path, header)
        except (Damage, FileNotFoundError) as error:
            reason = str(error) if isinstance(error, Damage) else _GONE
            self.index.remove(key)
            self.damaged[path] = reason
            raise _corrupt(key, path, reason) from error
        if found is not header:
            # Changed by hand meanwhile: what the file says counts.
            self.index.put(found)
        return found.with_body(body)

    def heal(self) -> None:
        """Look again at every damaged file: somebody may have restored it."""
        for path in list(self.damaged):
            self._mend(path)

    def shorten(self, mark: Mark, *, now: bool = False) -> None:
        """Empty the journal when it has become long, or `now`."""
        if mark.end <= LONG_JOURNAL and not now:
            return
        try:
            settle(self.disk)
        except OSError as error:
            # The batch is done and stands in the journal; `ping` tells, the next batch tries again.
            self.trouble = refusal(error, self.disk.root)
        else:
            self.trouble = None

    def learn(self, mark: Mark) -> None:
        """Make known what this process has done by itself, up to `mark`."""
        self._refresh(mark)

    def _enter(self) -> None:
        try:
            self.disk.open()
        except (FileExistsError, NotADirectoryError) as error:
            message = f"{self.disk.root} is a file or lies under one: a store needs a folder"
            raise Invalid(message, code="not_a_folder", field="root") from error

    def _held(self) -> Lock:
        if self._lock is None:
            message = f"the store {self.disk.root} is not open: open it first"
            raise Unavailable(message, code="closed")
        return self._lock

    def _refresh(self, mark: Mark) -> None:
        if mark.epoch != self._epoch:
            self._read_everything(mark)
        elif mark.log > self.log.end or mark.cut != self.log.cut:
            # If anything fails on the way, everything is read anew the next time.
            self._epoch = ""
            touched = self.log.follow(mark.log, cut=mark.cut)
            if touched is None:
                self._read_everything(mark)
            else:
                for key in touched:
                    self._read_again(key)
                self._epoch = mark.epoch

    def _read_everything(self, mark: Mark) -> None:
        # At opening there is no epoch yet, and the log has just been read.
        if self._epoch or self.log.end > mark.log:
            self.log.clear()
        self._epoch = ""
        self.log.follow(mark.log, cut=mark.cut)
        headers: list[Header] = []
        damaged: dict[str, str] = {}
        for path, found in walk(self.disk):
            if isinstance(found, Header):
                headers.append(found)
            else:
                damaged[path] = str(found)
        self.index = Index(headers)
        self.damaged = damaged
        self._epoch = mark.epoch

    def _read_again(self, key: Key) -> None:
        path = path_of(key)
        self.damaged.pop(path, None)
        try:
            self.index.put(read_header(self.disk, path))
        except FileNotFoundError:
            self.index.remove(key)
        except Damage as damage:
            self.index.remove(key)
            self.damaged[path] = str(damage)

    def _look_again(self, key: Key) -> Header | None:
        path = path_of(key)
        kind = path.rpartition("/")[0]
        for place in (path, kind, kind.rpartition("/")[0]):
            if place in self.damaged:
                self._mend(place)
            if place in self.damaged:
                raise _corrupt(key, place, self.damaged[place])
        return self.index.get(key)

    def _mend(self, path: str) -> None:
        """Take a damaged file back if it can be read; one that a person removed is gone."""
        try:
            header = read_header(self.disk, path)
        except FileNotFoundError:
            if self.damaged[path] != _GONE:
                del self.damaged[path]
        except Damage as damage:
            self.damaged[path] = str(damage)
        except OSError as error:
            if not is_damage(error):
                raise
            self.damaged[path] = f"it cannot be read: {error.strerror}"
        else:
            del self.damaged[path]
            self.index.put(header)


def _corrupt(key: Key, path: str, reason: str) -> Corrupt:
    message = (
        f"{key} is damaged, because {reason}: restore {path} from a backup or from version "
        "control; all other records can be read"
    )
    return Corrupt(message, code="damaged", key=key, path=path)
