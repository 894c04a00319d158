"""`ropewalk doctor`: look at everything that a store needs, and say what to do about it."""

from __future__ import annotations

import platform
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import click

from ...config import DEFAULT, Config
from ...domain.address import redacted, without_secrets
from ...domain.errors import Invalid, RopewalkError
from ...domain.health import State
from ...domain.ports import Capability
from ...domain.schema import DriftKind
from .command import Example, Invocation, command
from .exits import Exit
from .opening import check_there, entered, path_of, run, settings
from .output import Output
from .payload import Json
from .text import ago, clean, clean_lines, size

if TYPE_CHECKING:
    from ...services.storage import Storage

Verdict: TypeAlias = Literal["ok", "warn", "fail"]

_COLORS: Final[Mapping[Verdict, str]] = {"ok": "green", "warn": "yellow", "fail": "red"}
_LITTLE: Final = 1_000_000_000
_VERY_LITTLE: Final = 100_000_000
_AHEAD: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, and what to do where it is not well."""

    name: str
    verdict: Verdict
    message: str
    fix: str = ""
    facts: Mapping[str, Json] = field(default_factory=dict[str, Json])


@command(
    examples=[
        Example("ropewalk doctor -u sqlite:///ropewalk-demo.db", "check a store"),
        Example("ropewalk doctor -u memory:// --json", "check an installation, for programs"),
    ],
    exits=(Exit.DONE, Exit.FAILED, Exit.USAGE),
)
@click.pass_obj
def doctor(invocation: Invocation) -> int:
    """Check everything that a store needs.

    Looks at Python, SQLite, the configuration (and where each value of it comes from), the store
    (its schema, whether it opens, is healthy, what it can do, what it holds), the clock and the
    disk. Each check is ok, warn or fail; a failed one makes the exit code 1. Nothing is made or
    changed: a store of an earlier version, which opening would bring up to date, is not opened.
    """
    return run(_doctor(invocation))


async def _doctor(invocation: Invocation) -> Exit:
    output = Output(invocation)
    checks: list[Check] = []
    async for check in _checks(invocation):
        checks.append(check)
        if not output.json:
            _show(output, check)
    failed = [check for check in checks if check.verdict == "fail"]
    if output.json:
        output.emit({"healthy": not failed, "checks": [_payload(check) for check in checks]})
    else:
        warned = sum(check.verdict == "warn" for check in checks)
        output.line(f"{len(checks)} checks, {warned} to look at, {len(failed)} failed")
    return Exit.FAILED if failed else Exit.DONE


def _payload(check: Check) -> Json:
    return {
        "name": check.name,
        "verdict": check.verdict,
        "message": check.message,
        "fix": check.fix or None,
        "facts": dict(check.facts),
    }


def _show(output: Output, check: Check) -> None:
    verdict = output.styled(check.verdict.ljust(4), fg=_COLORS[check.verdict], bold=True)
    output.line(f"{verdict}  {check.name.ljust(12)}  {clean_lines(check.message)}")
    for name, fact in check.facts.items():
        output.line(f"{' ' * 20}{clean(name)}: {clean(str(fact))}")
    if check.fix:
        output.line(f"{' ' * 20}fix: {clean(check.fix)}")


async def _checks(invocation: Invocation) -> AsyncIterator[Check]:
    yield Check("python", "ok", f"{platform.python_version()} on {platform.system()}")
    yield _sqlite()
    try:
        config = settings(invocation)
    except RopewalkError as error:
        yield Check("config", "fail", error.message)
        return
    yield _config(config)
    try:
        check_there(config)
        schema = await _schema(config)
        yield schema
        if not schema.facts.get("pending"):
            async for check in _opened(config):
                yield check
    except RopewalkError as error:
        yield Check("store", "fail", error.message)
    yield _disk(config)


async def _schema(config: Config) -> Check:
    """Look at the form of the store before it is opened, which would bring it up to date."""
    from ...factory import schema_of

    try:
        schema = schema_of(config)
    except Invalid as error:
        if error.code != "unsupported":
            raise
        return Check("schema", "ok", "this back end does not tell the form of its stores")
    found, drifts = await schema.status(), await schema.check()
    facts: dict[str, Json] = {drift.what: f"{drift.kind}: {drift.reason}" for drift in drifts}
    message = f"{found.found}, which is that of this program"
    verdict: Verdict = "ok"
    fix = ""
    if found.pending:
        facts["pending"] = ", ".join(step.name for step in found.pending)
        message = f"{found.found}, and this program has {found.known}: nothing else is looked at"
        fix = "ropewalk schema upgrade --apply makes a copy first; opening the store does it too"
        verdict = "warn"
    if drifts:
        message += f"; {len(drifts)} objects are not as the migrations make them"
        fix = "ropewalk schema check says of each what to do"
        verdict = "warn" if {drift.kind for drift in drifts} == {DriftKind.EXTRA} else "fail"
    return Check("schema", verdict, message, fix, facts)


async def _opened(config: Config) -> AsyncIterator[Check]:
    async with entered(config) as storage:
        yield Check("store", "ok", f"{redacted(config.url or '')} opens")
        async for check in _store_checks(storage):
            yield check


def _sqlite() -> Check:
    try:
        import apsw
    except ImportError as error:
        fix = "install ropewalk anew: pip install --force-reinstall ropewalk"
        return Check("sqlite", "fail", f"SQLite cannot be loaded: {error}", fix)
    return Check("sqlite", "ok", f"{apsw.sqlite_lib_version()}, apsw {apsw.apsw_version()}")


def _config(config: Config) -> Check:
    """Say where each value comes from; that all keys are known was checked in reading them."""
    values: dict[str, object] = {
        "url": redacted(config.url or ""),
        "space": config.space,
        "actor": config.actor or "-",
        "codecs": ", ".join(config.codecs),
        "layers": ", ".join(layer.name for layer in config.layers),
    }
    for layer in config.layers:
        for name, option in without_secrets(layer.options).items():
            values[f"layer.{layer.name}.{name}"] = option
    for name, option in without_secrets(config.options).items():
        values[f"backend.{config.scheme}.{name}"] = option
    facts: dict[str, Json] = {
        key: f"{value}  ({config.origin(key)})" for key, value in values.items()
    }
    changed = sum(config.origin(key) != DEFAULT for key in values)
    message = f"every key is known; {changed} of {len(values)} values are not the default"
    return Check("config", "ok", message, facts=facts)


async def _store_checks(storage: Storage) -> AsyncIterator[Check]:
    health = await storage.ping()
    facts: dict[str, Json] = dict(health.facts)
    if health.state is State.HEALTHY:
        yield Check("health", "ok", "healthy", facts=facts)
    else:
        verdict: Verdict = "fail" if health.state is State.DOWN else "warn"
        message = f"{health.state}: {'; '.join(health.reasons)}"
        yield Check("health", verdict, message, facts=facts)
    yield _capabilities(storage.capabilities)
    kinds = await storage.kinds()
    message = f"{sum(kinds.values())} records in space {storage.space_name!r}"
    yield Check("records", "ok", message, facts=dict(kinds))
    yield await _shapes(storage)
    yield await _clock(storage)


async def _shapes(storage: Storage) -> Check:
    """Tell which questions took long, as far as programs have kept them."""
    slow = await storage.slow_shapes()
    if not slow:
        return Check("shapes", "ok", "no question is noted as slow (layer.metrics.keep notes them)")
    worst = slow[0]
    message = f"{len(slow)} shapes of questions were slow, the worst {worst.longest:.3f} s"
    facts: dict[str, Json] = {
        str(shape): f"{shape.count} times, {shape.longest:.3f} s at most; {shape.advice}"
        for shape in slow
    }
    return Check("shapes", "warn", message, worst.advice, facts)


def _capabilities(there: frozenset[Capability]) -> Check:
    listed = ", ".join(sorted(there)) or "none"
    if Capability.DURABLE not in there:
        fix = "use sqlite:/// or file:/// for what must outlive the process"
        return Check("capabilities", "warn", f"{listed}: nothing outlives the process", fix)
    return Check("capabilities", "ok", listed)


async def _clock(storage: Storage) -> Check:
    now = datetime.now(UTC)
    newest = await storage.catalog.last_work()
    if newest is None:
        return Check("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC")
    if newest - now > _AHEAD:
        message = f"the newest record was made {ago(newest, now)}, which has not come yet"
        fix = "set the clock of this machine, or of the one that wrote it"
        return Check("clock", "warn", message, fix)
    return Check("clock", "ok", f"the newest record was made {ago(newest, now)}")


def _disk(config: Config) -> Check:
    path = path_of(config.url or "")
    if path is None:
        return Check("disk", "ok", "this store needs none")
    folder = next(_existing(path.absolute()))
    free = shutil.disk_usage(folder).free
    message = f"{size(free)} are free at {folder}"
    if free < _LITTLE:
        verdict: Verdict = "fail" if free < _VERY_LITTLE else "warn"
        return Check("disk", verdict, message, "make room, or move the store to another disk")
    return Check("disk", "ok", message)


def _existing(path: Path) -> Iterator[Path]:
    yield from (place for place in (path, *path.parents) if place.exists())
