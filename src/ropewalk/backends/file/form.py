"""`FolderSchema`: which version of its format a folder has, and what is no part of a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

from ...domain.errors import Corrupt, Invalid
from ...domain.schema import Drift, DriftKind, SchemaStatus, SchemaUpgrade
from .disk import Disk, What
from .layout import COMMITS, MARKER, SPACES
from .marker import VERSION, check_foreign, read_version
from .refusal import refusal

T = TypeVar("T")

_EXPECTED: Final = {MARKER: What.FILE, COMMITS: What.FILE, SPACES: What.FOLDER}


class FolderSchema:
    """The format of the store in a folder; others may have it open meanwhile."""

    def __init__(self, root: Path) -> None:
        """Name the folder."""
        self._root = root

    async def status(self) -> SchemaStatus:
        """Tell which version of the format the folder has: there is no step to another one."""
        found = await asyncio.to_thread(self._look, _version)
        return SchemaStatus(form="file", found=found, known=VERSION)

    async def sql(self, *, everything: bool = False) -> str:
        """Raise `Invalid`: there is no SQL."""
        del everything
        await asyncio.sleep(0)
        message = f"{self._root} is a folder, which has no SQL: name a store of sqlite:///"
        raise Invalid(message, code="unsupported", field="url")

    async def upgrade(self, *, backup: str | None = None) -> SchemaUpgrade:
        """See that this program reads the format; there has been one version only."""
        del backup
        found = await asyncio.to_thread(self._look, _version)
        return SchemaUpgrade(before=found, after=found)

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
