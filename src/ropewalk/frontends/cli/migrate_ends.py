"""Both ends of a migration: the source that a plan names, the target, and a store to throw away."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from ...config import Config
from ...domain.address import redacted
from ...domain.errors import Invalid
from ...domain.record import DEFAULT_SPACE
from .migrate_file import read_plan
from .migrate_legacy import check_folder, zone
from .opening import check_there, entered, path_of, settings

if TYPE_CHECKING:
    from ...domain.migration import Plan
    from ...domain.source import Source
    from ...services.storage import Storage
    from .command import Invocation

ARCHIVE: Final = "archive"
LANGGRAPH: Final = "langgraph"
LEGACY: Final = "legacy"
STORE: Final = "ropewalk"
ZONE: Final = "tz"
SPACE: Final = "space"


def format_of(place: str, named: str | None = None) -> str:
    """Return which format a place is of: the one named, or what a place looks like.

    A URL names a store of ours then, a path a legacy folder.
    """
    return named or (STORE if "://" in place else LEGACY)


def options_of(format: str, *, tz: str | None, space: str | None) -> dict[str, str]:
    """Return the options of a source of a format; raise `Invalid` for a missing or a wrong one."""
    if format == STORE:
        return {SPACE: space or DEFAULT_SPACE}
    if format != LEGACY:
        return {}
    if tz is None:
        message = (
            "the legacy program wrote its times without a zone: give that of its machine with "
            "--tz, as +08:00 or Asia/Shanghai"
        )
        raise Invalid(message, code="no_zone", field="tz")
    zone(tz)
    return {ZONE: tz}


def name_of(place: str) -> str:
    """Return the name of a plan for a place: readable, and another one for each place.

    Passwords are no part of it, nor of what it is made of.
    """
    whole = redacted(place) if "://" in place else str(Path(place).resolve())
    stem = "".join(c for c in Path(whole.partition("?")[0]).stem if c.isalnum() or c in "-_")
    return f"{stem[:40] or 'source'}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


@asynccontextmanager
async def source_of(plan: Plan) -> AsyncGenerator[Source, None]:
    """Open the source of a plan for the block; raise `NotFound` where it is not there."""
    from ... import factory

    if plan.format == STORE:
        config = Config.load(plan.place).changed(space=plan.options.get(SPACE))
        check_there(config)
        async with entered(config) as storage:
            yield factory.source_of(storage)
        return
    options: dict[str, object] = dict(plan.options)
    if plan.format == LEGACY:
        check_folder(Path(plan.place))
        options[ZONE] = zone(plan.options.get(ZONE, ""))
    yield factory.open_source(plan.format, plan.place, **options)


@asynccontextmanager
async def origin_of(plan: Plan, target: Storage) -> AsyncGenerator[Source, None]:
    """Open the source of a plan whose target is open: an archive is read for where it goes."""
    if plan.format == ARCHIVE:
        yield target.archives.source(plan.place, origin=plan.options.get(SPACE))
        return
    async with source_of(plan) as source:
        yield source


@asynccontextmanager
async def target_of(
    invocation: Invocation, plan: Plan, *, make: bool = False
) -> AsyncGenerator[Storage, None]:
    """Open the target of a plan for the block; with `make`, where there is none."""
    config = settings(invocation, url=plan.url).changed(space=plan.space)
    if not make:
        check_there(config)
    async with entered(config) as storage:
        yield storage


def is_there(invocation: Invocation, plan: Plan) -> bool:
    """Tell whether the target of a plan is there already: one that is no file always is."""
    path = path_of(settings(invocation, url=plan.url).url or "")
    return path is None or path.exists()


@asynccontextmanager
async def scratch() -> AsyncGenerator[Storage, None]:
    """Open a store that is thrown away behind the block."""
    with TemporaryDirectory(prefix="ropewalk-rehearsal-") as folder:
        url = f"sqlite:///{Path(folder) / 'rehearsal.db'}"
        async with entered(Config.from_mapping({"url": url})) as storage:
            yield storage


@asynccontextmanager
async def meant(
    invocation: Invocation, which: str
) -> AsyncGenerator[tuple[Storage, Plan, str], None]:
    """Open the target of what is meant: a plan's file, or a run in the store of `--url`.

    Gives the store, the plan, and the id of the run: of a plan's file, its newest.
    """
    if _is_plan(which):
        plan = read_plan(Path(which))
        async with target_of(invocation, plan) as storage:
            runs = await storage.migrations.runs(plan.name)
            yield storage, plan, runs[0].run if runs else which
        return
    config = settings(invocation)
    check_there(config)
    async with entered(config) as storage:
        report = await storage.migrations.get(which)
        yield storage, report.plan, report.run


def _is_plan(which: str) -> bool:
    path = Path(which)
    return path.suffix == ".toml" or path.is_file()
