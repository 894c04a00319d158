"""`SqliteSchema`: look at the schema of a file, and bring it up to date, while it is not open."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Final, TypeVar

from ...domain.ports import Clock
from ...domain.schema import Drift, DriftKind, SchemaStatus, SchemaStep, SchemaUpgrade
from . import drift, forks, ledger, schema
from .connection import Connection
from .copying import copy_aside
from .errors import speaking_of
from .patience import Patience
from .steps import Migration, mark, migrations

T = TypeVar("T")

LOGGER: Final = logging.getLogger("ropewalk.sqlite")


def bring_up(
    connection: Connection,
    path: str,
    patience: Patience,
    *,
    clock: Clock,
    steps: Sequence[Migration] | None = None,
) -> None:
    """Bring a file up to date that is being opened, and log where its copy lies, if one was made.

    Raises what `schema.migrate` does, whose `steps` these are.
    """

    def aside(number: int) -> str:
        return copy_aside(path, patience, target=None, number=number)

    done = schema.migrate(connection, path, steps=steps, at=clock.now(), aside=aside)
    if done.backup is not None:
        LOGGER.warning(
            "%s had schema %d and was brought up to date; what it was is in %s",
            path,
            done.before,
            done.backup,
        )


class SqliteSchema:
    """The schema of the store at `path`; others may have it open meanwhile.

    `busy_timeout` is how many seconds to wait for them.
    """

    def __init__(
        self,
        path: str,
        *,
        clock: Clock,
        busy_timeout: float,
        steps: Sequence[Migration] | None = None,
    ) -> None:
        """Name the file; `steps` are the migrations, those of this program if not given."""
        self._path = path
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._steps = migrations() if steps is None else tuple(steps)

    async def status(self) -> SchemaStatus:
        """Tell which migrations the file has, when they were applied, and which it lacks."""
        return await self._run(self._status)

    async def sql(self, *, everything: bool = False) -> str:
        """Return the scripts that are pending, or all, in the one transaction they are run in."""
        if everything:
            return self._script(self._steps)
        return await self._run(lambda found, _: self._script(self._lacking(found)))

    async def upgrade(self, *, backup: str | None = None) -> SchemaUpgrade:
        """Apply what is pending in one transaction, behind a copy that nobody wrote after.

        The copy is checked, and so is the schema afterwards, before anything is final.
        """
        return await self._run(partial(self._upgrade, backup=backup), write=True)

    async def check(self) -> tuple[Drift, ...]:
        """Compare tables and indexes with what the migrations make, and the ledger with them."""
        return await self._run(self._check)

    async def _run(self, work: Callable[[Connection, Patience], T], *, write: bool = False) -> T:
        """Do `work` in a thread; who is cancelled gives up waiting for others, and then leaves."""
        given_up = threading.Event()
        on_the_file = partial(self._on_the_file, work, given_up, write=write)
        doing = asyncio.ensure_future(asyncio.to_thread(on_the_file))
        try:
            return await asyncio.shield(doing)
        except asyncio.CancelledError:
            given_up.set()
            await asyncio.wait((doing,))
            raise

    def _on_the_file(
        self,
        work: Callable[[Connection, Patience], T],
        given_up: threading.Event,
        *,
        write: bool,
    ) -> T:
        forks.take(self._path)
        try:
            with speaking_of(self._path):
                patience = Patience(self._busy_timeout, given_up)
                with closing(Connection(self._path, patience)) as connection:
                    schema.recognise(connection, self._path)
                    if not write:
                        connection.pragma("query_only", 1)
                        connection.run("begin")
                    return work(connection, patience)
        finally:
            forks.release(self._path)

    def _lacking(self, connection: Connection) -> list[Migration]:
        return schema.missing(connection, self._path, self._steps)

    def _status(self, connection: Connection, _: Patience) -> SchemaStatus:
        found = len(self._steps) - len(self._lacking(connection))
        entries = ledger.read(connection)
        return SchemaStatus(
            form="sqlite",
            found=found,
            known=len(self._steps),
            steps=tuple(_told(step, entries, applied=step.number <= found) for step in self._steps),
        )

    def _script(self, steps: Sequence[Migration]) -> str:
        """Write steps as the transaction that an upgrade runs."""
        if not steps:
            return ""
        then = self._steps[: steps[-1].number]
        return "\n".join(
            (
                "begin immediate;",
                *(f"\n-- {step.number:04d} {step.name}\n\n{step.script}" for step in steps),
                *ledger.script(then, fresh=steps),
                f"pragma user_version = {mark(then):d};",
                f"pragma application_id = {schema.APPLICATION_ID:d};",
                "commit;",
            )
        )

    def _upgrade(
        self, connection: Connection, patience: Patience, *, backup: str | None
    ) -> SchemaUpgrade:
        def aside(number: int) -> str:
            return copy_aside(self._path, patience, target=backup, number=number)

        connection.pragma("synchronous", "full")
        done = schema.migrate(
            connection,
            self._path,
            steps=self._steps,
            at=self._clock.now(),
            aside=aside,
            always=True,
        )
        entries = ledger.read(connection)
        return SchemaUpgrade(
            before=done.before,
            after=len(self._steps),
            applied=tuple(_told(step, entries, applied=True) for step in done.applied),
            backup=done.backup,
        )

    def _check(self, connection: Connection, _: Patience) -> tuple[Drift, ...]:
        found = schema.applied(connection, self._path, self._steps)
        steps = self._steps[:found]
        differing = [*_unlike(ledger.read(connection), steps)]
        if not differing and connection.integer("pragma user_version") != mark(steps):
            what = f"migrations up to {found}"
            reason = "their digest is not that of this program: open it with the one that wrote it"
            differing = [Drift(kind=DriftKind.CHANGED, what=what, reason=reason)]
        return (*differing, *drift.drifts(connection, steps))


def _told(step: Migration, entries: Mapping[int, ledger.Entry], *, applied: bool) -> SchemaStep:
    entry = entries.get(step.number)
    return SchemaStep(
        number=step.number,
        name=step.name,
        checksum=step.checksum,
        rewrites=step.rewrites,
        applied=applied,
        applied_at=entry.applied_at if entry else None,
        program=entry.program if entry else "",
        backup=entry.backup if entry else None,
    )


def _unlike(entries: Mapping[int, ledger.Entry], steps: Sequence[Migration]) -> list[Drift]:
    """Return where the ledger differs from the program; a file of old has none."""
    unlike: list[Drift] = []
    known = {step.number: step for step in steps}
    for number in sorted({*entries, *known}) if entries else ():
        entry, step = entries.get(number), known.get(number)
        what = f"migration {number}"
        if entry is None:
            reason = "it was applied, and the ledger does not have it: restore from a backup"
            unlike.append(Drift(kind=DriftKind.MISSING, what=what, reason=reason))
        elif step is None:
            reason = f"the ledger has {entry.name!r}, which was not applied: restore from a backup"
            unlike.append(Drift(kind=DriftKind.EXTRA, what=what, reason=reason))
        elif entry.checksum != step.checksum or entry.name != step.name:
            reason = (
                f"what was applied has the checksum {entry.checksum[:12]}, this program's "
                f"{step.name!r} has {step.checksum[:12]}: open it with the program that wrote it"
            )
            unlike.append(Drift(kind=DriftKind.CHANGED, what=what, reason=reason))
    return unlike
