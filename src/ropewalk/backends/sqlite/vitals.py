"""What a health check looks at, and what each finding means for whoever must act."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import apsw

from ...domain.errors import RopewalkError, Unavailable
from ...domain.health import Health, State
from .connection import Connection
from .lane import MOST
from .review import Review, review
from .watch import file_identity, size

if TYPE_CHECKING:
    from ...domain.verified import Damage
    from .pulse import Pulse

_MIB: Final = 1024 * 1024
LOW_DISK: Final = 64 * _MIB
BIG_WAL: Final = 256 * _MIB
LONG_QUEUE: Final = MOST // 2
_MOST_DAMAGES: Final = 100
_NAMED: Final = 5
"""How many damaged records are named among the reasons."""

RECORD_BYTES: Final = 115
BARE_BYTES: Final = 45
"""What a row takes in its table and in the indexes beside body, id and labels, and what a lean row
takes beside its body, both less what its removal adds to the feed. Fitted to ten workloads of 300
to 2,500 steps that were pruned to ten, with ids of 32 and 41 characters, in a file that was packed
anew at closing: all within 2 %. A test holds the file to it, within 5 %."""

# Two connections that write and checkpoint at once could damage the file before these releases:
# https://sqlite.org/wal.html#walresetbug
_SAFE: Final = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """Figures of one look at a store; sizes in bytes.

    `cache` counts pages found in memory and pages read, `free_pages` those of the file that hold
    nothing. `present` says that the file is still the one that was opened; `damages` is what a
    check of the pages and rows found, `records` those whose checksum is wrong, `failure` what the
    last write failed of, `trouble` what the writer stumbled on between batches.
    """

    path: str
    present: bool = True
    read_only: bool = False
    file_bytes: int = 0
    wal_bytes: int = 0
    free_bytes: int = 1 << 62
    pages: int = 0
    free_pages: int = 0
    cache: tuple[int, int] = (0, 0)
    queued: int = 0
    writer_alive: bool = True
    sqlite: str = "3.51.3"
    damages: tuple[str, ...] = ()
    records: tuple[Damage, ...] = ()
    failure: RopewalkError | None = None
    trouble: RopewalkError | None = None


def depth(*, thorough: bool, verify: bool) -> str | None:
    """Return the check of SQLite's that is asked for, `None` for none.

    Only the thorough one compares the indexes with what they are about.
    """
    if thorough:
        return f"integrity_check({_MOST_DAMAGES})"
    return "quick_check(1)" if verify else None


def look(
    connection: Connection, path: str, pulse: Pulse, *, depth: str | None, rows: bool = False
) -> Vitals:
    """Look at the file and read a page of it; with a `depth`, check all pages as well.

    With `rows`, every row is compared with its checksum.

    Raises errors of apsw where the file cannot be read, `Unavailable` where the system hides it.
    """
    connection.rows("select row from record limit 1")
    damages = _damages(connection, depth) if depth else ()
    found = _review(connection, damages) if rows else Review()
    try:
        return Vitals(
            path=path,
            present=file_identity(path) == pulse.file,
            read_only=connection.read_only,
            file_bytes=size(path),
            wal_bytes=size(f"{path}-wal"),
            free_bytes=_free_beside(path),
            pages=connection.integer("pragma page_count"),
            free_pages=connection.integer("pragma freelist_count"),
            cache=connection.cache_use(),
            sqlite=apsw.sqlite_lib_version(),
            damages=(*damages, *found.others),
            records=tuple(found.records),
            failure=pulse.failure,
            trouble=pulse.trouble,
        )
    except OSError as error:
        message = f"{path} cannot be looked at ({error}): let its folder be there and be read"
        raise Unavailable(message, code="cannot_open", path=path) from error


def _free_beside(path: str) -> int:
    """Return how many bytes are free on the disk of a file, plenty where its folder is gone."""
    try:
        return shutil.disk_usage(Path(path).parent).free
    except FileNotFoundError:
        # There is worse to tell than how full a disk is.
        return Vitals(path=path).free_bytes


def _damages(connection: Connection, depth: str) -> tuple[str, ...]:
    """Return what is wrong with the pages of the file, nothing where all is well."""
    try:
        rows = connection.rows(f"pragma {depth}")
    except apsw.CorruptError as error:
        return (str(error),)
    found = [" ".join(str(row[0]).split()) for row in rows]
    return () if found == ["ok"] else tuple(found)


def _review(connection: Connection, damages: tuple[str, ...]) -> Review:
    """Compare the rows with their checksums, as far as they can be read."""
    found = Review()
    try:
        review(connection, found)
    except (apsw.CorruptError, apsw.SQLError) as error:
        # Of a damaged schema, SQLite says that it lacks what it should have.
        if not damages:
            found.others.append(str(error))
    return found


def judge(vitals: Vitals) -> Health:
    """Say what the figures mean: down where no batch can be kept, degraded where care is due."""
    down, degraded = list(_fatal(vitals)), list(_worrying(vitals))
    state = State.DOWN if down else State.DEGRADED if degraded else State.HEALTHY
    facts: dict[str, str | int | float] = {
        "file_bytes": vitals.file_bytes,
        "wal_bytes": vitals.wal_bytes,
        "free_bytes": vitals.free_bytes,
        "queued": vitals.queued,
        "pages": vitals.pages,
        "free_pages": vitals.free_pages,
        "cache_hits": vitals.cache[0],
        "cache_misses": vitals.cache[1],
        "sqlite": vitals.sqlite,
        "record_bytes": RECORD_BYTES,
        "bare_bytes": BARE_BYTES,
    }
    return Health(state, tuple(down + degraded), facts, tuple(_told(vitals)), vitals.records)


def _fatal(vitals: Vitals) -> Iterator[str]:
    path = vitals.path
    if not vitals.present:
        yield (
            f"{path} was moved or removed while it was open, and nothing can be kept: "
            "bring it back, or open the store again"
        )
    if not vitals.writer_alive:
        yield "the thread that writes has ended: close the store and open it again"


def _worrying(vitals: Vitals) -> Iterator[str]:
    path = vitals.path
    yield from _told(vitals)
    for damage in vitals.records[:_NAMED]:
        yield f"{damage.key} is damaged: {damage.reason}"
    if len(vitals.records) > _NAMED:
        yield f"and {len(vitals.records) - _NAMED} more records are damaged"
    if vitals.failure is not None:
        yield f"the last batch could not be written ({vitals.failure}): see to its cause"
    if vitals.trouble is not None:
        yield f"the last tidying up failed ({vitals.trouble}): see to its cause"
    if vitals.read_only:
        yield f"{path} may only be read: allow writing to the file and to its folder"
    if vitals.free_bytes < LOW_DISK:
        yield f"only {vitals.free_bytes // _MIB} MiB are free on the disk of {path}: make room"
    if vitals.wal_bytes > BIG_WAL:
        yield (
            f"{path}-wal has grown to {vitals.wal_bytes // _MIB} MiB, because something reads for "
            "very long: end long reads, also those of other programs"
        )
    if vitals.queued > LONG_QUEUE:
        yield (
            f"{vitals.queued} batches wait to be written: write less at a time, "
            "or end the process that keeps the file locked"
        )
    if not _is_safe(vitals.sqlite):
        yield (
            f"SQLite {vitals.sqlite} can damage a file that several connections write to: "
            "update the package apsw, so that it brings 3.51.3 or newer"
        )


def _told(vitals: Vitals) -> Iterator[str]:
    for damage in vitals.damages:
        yield f"{vitals.path} is damaged ({damage}): restore it from a backup"


def _is_safe(version: str) -> bool:
    parts = tuple(map(int, version.split(".")))
    newest = _SAFE[0]
    return parts >= newest or any(parts[:2] == safe[:2] and parts >= safe for safe in _SAFE)
