"""`MemorySchema`: records in memory have the form of the program that is running."""

from __future__ import annotations

import asyncio
from typing import Final

from ...domain.errors import Invalid
from ...domain.schema import Drift, SchemaStatus, SchemaUpgrade

_VERSION: Final = 1


class MemorySchema:
    """The form of a store that never meets another version of the program."""

    async def status(self) -> SchemaStatus:
        """Tell the one version that there is."""
        await asyncio.sleep(0)
        return SchemaStatus(form="memory", found=_VERSION, known=_VERSION)

    async def sql(self, *, everything: bool = False) -> str:
        """Raise `Invalid`: there is no SQL."""
        del everything
        await asyncio.sleep(0)
        message = "a store in memory has no SQL: name one of sqlite:///"
        raise Invalid(message, code="unsupported", field="url")

    async def upgrade(self, *, backup: str | None = None) -> SchemaUpgrade:
        """Do nothing, as there is nothing to do."""
        del backup
        await asyncio.sleep(0)
        return SchemaUpgrade(before=_VERSION, after=_VERSION)

    async def check(self) -> tuple[Drift, ...]:
        """Find nothing."""
        await asyncio.sleep(0)
        return ()
