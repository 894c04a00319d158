"""`MigrationService`: bring what the legacy program has kept, module by module, and check it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..domain.errors import Invalid
from ..domain.history import EntryKind
from ..domain.migration import EVERYTHING, OnConflict, Plan
from ..domain.spelling import did_you_mean
from ..factory import open_source

if TYPE_CHECKING:
    from datetime import tzinfo

    from ..domain.migration import RunReport, UndoReport, VerifyReport
    from ..domain.source import Inventory, Source
    from .storage import UnifiedStorage

MODULES: Final = {
    "sessions": ("session", "interaction"),
    "threads": ("thread", "branch", "snapshot"),
    "history": tuple(kind.value for kind in EntryKind),
    "checkpoints": ("checkpoint",),
}
"""The kinds of records of each module."""


class MigrationService:
    """Moves a folder of the legacy program into a storage: analyse, rehearse, migrate, verify.

    What is read is never changed. A run that was broken off goes on where it stopped, and one
    that was a mistake is taken back as a whole.
    """

    def __init__(self, storage: UnifiedStorage) -> None:
        """Bring data into `storage`."""
        self._migrations = storage.storage.migrations

    async def analyze(self, folder: str | Path, *, tz: tzinfo) -> Inventory:
        """Return what there is in a folder, by kind and by format, and what is damaged."""
        return await self._source(folder, tz).scan()

    async def rehearse(
        self, folder: str | Path, *, tz: tzinfo, scratch: UnifiedStorage
    ) -> RunReport:
        """Do everything in `scratch`, an empty storage, and report what would be brought."""
        plan = self._plan(folder, ())
        return await scratch.storage.migrations.rehearse(
            self._source(folder, tz), plan, target=self._migrations
        )

    async def migrate(
        self, folder: str | Path, *, tz: tzinfo, modules: Sequence[str] = ()
    ) -> RunReport:
        """Bring everything in a folder, or that of some modules, and report all of it.

        What is there already, under the same id, stays as it is. Raises `StorageValidationError`
        for an unknown module.
        """
        return await self._migrations.run(self._source(folder, tz), self._plan(folder, modules))

    async def verify(
        self, folder: str | Path, *, tz: tzinfo, modules: Sequence[str] = ()
    ) -> VerifyReport:
        """Compare everything in a folder with what was brought of it."""
        plan = self._plan(folder, modules)
        return await self._migrations.verify(self._source(folder, tz), plan)

    async def rollback(self, run: str, *, force: bool = False) -> UndoReport:
        """Take back what a run wrote; with `force` also what was changed since."""
        return await self._migrations.rollback(run, force=force)

    def _source(self, folder: str | Path, tz: tzinfo) -> Source:
        return open_source("legacy", folder, tz=tz)

    def _plan(self, folder: str | Path, modules: Sequence[str]) -> Plan:
        for name in modules:
            if name not in MODULES:
                message = f"unknown module {name!r}; {did_you_mean(name, MODULES)}"
                raise Invalid(message, code="unknown_name", field="modules")
        place = Path(folder).absolute()
        return Plan(
            name="-".join(["legacy", place.name, *modules]),
            format="legacy",
            place=str(place),
            kinds=tuple(kind for name in modules for kind in MODULES[name]),
            on_conflict=OnConflict.SKIP,
            allow_loss=(EVERYTHING,),
        )
