"""`FolderSchema`: which version of its format a folder has, and what is no part of a store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from ...domain.errors import Corrupt, Invalid
from ...domain.schema import Drift, DriftKind, SchemaStatus, SchemaStep, SchemaUpgrade
from .disk import Disk, What
from .layout import COMMITS, MARKER, SPACES
from .lock import Lock
from .marker import VERSION, check_foreign, claim, read_version
from .refusal import refusal

T = TypeVar("T")

_EXPECTED: Final = {MARKER: What.FILE, COMMITS: What.FILE, SPACES: What.FOLDER}


_NAMES: Final = {1: "records", 2: "checksums"}


class FolderSchema:
    """The format of the store in a folder; others may have it open meanwhile."""

    def __init__(self, root: Path, *, lock_timeout: float) -> None:
        """Name the folder; `lock_timeout` is how many seconds to wait for others."""
        self._root = root
        self._lock_timeout = lock_timeout

    async def status(self) -> SchemaStatus:
        """Tell which version of the format the folder has; nobody notes when it got it."""
        found = await asyncio.to_thread(self._look, _version)
        steps = tuple(_step(number, applied=number <= found) for number in _NAMES)
        return SchemaStatus(form="file", found=found, known=VERSION, steps=steps)

    async def sql(self, *, everything: bool = False) -> str:
        """Raise `Invalid`: there is no SQL."""
        del everything
        await asyncio.sleep(0)
        message = f"{self._root} is a folder, which has no SQL: name a store of sqlite:///"
        raise Invalid(message, code="unsupported", field="url")

    async def upgrade(self, *, backup: str | None = None) -> SchemaUpgrade:
        """Write the present version into the marker: records get its form when they are written.

        Nothing else changes, so there is no copy; raises `Invalid` where one is asked for.
        """
        if backup is not None:
            message = (
                "of a folder only the marker changes: leave the backup out, or copy the folder"
            )
            raise Invalid(message, code="unsupported", field="backup")
        before = await asyncio.to_thread(self._look, self._raise)
        applied = tuple(_step(number, applied=True) for number in _NAMES if number > before)
        return SchemaUpgrade(before=before, after=VERSION, applied=applied)

    def _raise(self, disk: Disk) -> int:
        lock = Lock(disk)
        try:
            with lock.hold(exclusive=True, deadline=time.monotonic() + self._lock_timeout):
                before = _version(disk)
                claim(disk)
                return before
        finally:
            lock.close()

    async def check(self) -> tuple[Drift, ...]:
        """Name what is missing at the root of the folder, and what is no part of a store."""
        return await asyncio.to_thread(self._look, _drifts)

    def _look(self, work: Callable[[Disk], T]) -> T:
        if not self._root.is_dir():
            message = f"there is no folder at {self._root}: check the path"
            raise Invalid(message, code="not_a_store", field="root", path=str(self._root))
        disk = Disk(self._root)
        try:
            disk.open()
            check_foreign(disk)
            return work(disk)
        except OSError as error:
            raise refusal(error, self._root) from error
        finally:
            disk.close()


def _step(number: int, *, applied: bool) -> SchemaStep:
    name = _NAMES[number]
    return SchemaStep(number=number, name=name, checksum="", rewrites=False, applied=applied)


def _version(disk: Disk) -> int:
    return read_version(disk) if disk.exists(MARKER) else 0


def _drifts(disk: Disk) -> tuple[Drift, ...]:
    if not disk.exists(MARKER):
        return ()
    found: list[Drift] = []
    try:
        read_version(disk)
    except Corrupt as error:
        found.append(Drift(kind=DriftKind.CHANGED, what=MARKER, reason=error.message))
    return (*found, *_strange(disk))


def _strange(disk: Disk) -> Iterator[Drift]:
    there = {name: what for name, what in disk.names("") if not name.startswith(".")}
    for name in sorted({*there, *_EXPECTED}):
        if name not in there:
            if name == COMMITS:
                reason = "the feed begins anew where it is gone: restore it from a backup"
                yield Drift(kind=DriftKind.MISSING, what=name, reason=reason)
        elif name not in _EXPECTED:
            reason = "no store has it there: move it elsewhere"
            yield Drift(kind=DriftKind.EXTRA, what=name, reason=reason)
        elif there[name] is not _EXPECTED[name]:
            reason = "it is something else than a store has there: restore it from a backup"
            yield Drift(kind=DriftKind.CHANGED, what=name, reason=reason)
