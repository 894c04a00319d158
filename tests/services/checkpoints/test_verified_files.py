"""`verify` on whole files: what it does not find of a flipped bit, nothing reads."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from dataclasses import astuple, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from ropewalk.backends.file import FileBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import RopewalkError
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query

from ..flipping import Book, fill, handle, unreadable
from .test_verifier import FLIPS, LONG, filled, sql

pytestmark = pytest.mark.seed("3.4")

KEPT: Final = (
    (
        "select space, kind, cast(id as blob), version, created_at, updated_at, expires_at, "
        "session_id, thread_id, seal, cast(labels as blob), body from record not indexed"
    ),
    "select place, digest, version, at, raised, seal, body from node not indexed",
    "select nr, cast(text as blob), space, kind, at, kept from name not indexed",
    "select seq, batch, at, cast(actor as blob), changes, ids from commits",
)
"""All that a store keeps: records, names and commits; not the numbers of rows, nor checksums."""


def kept(path: Path) -> list[list[tuple[Any, ...]]]:
    """Return all that a store keeps; nothing where that cannot be read."""
    try:
        return [sorted(sql(path, statement), key=str) for statement in KEPT]
    except (apsw.Error, UnicodeDecodeError):
        return []


@pytest.mark.timeout(900)
async def test_a_flipped_bit_anywhere_in_a_file_makes_no_wrong_state(tmp_path: Path) -> None:
    """What `verify` does not find lies outside of all that is kept: nothing reads another."""
    sound, path = tmp_path / "sound.db", tmp_path / "store.db"
    book = await filled(sound)
    before = kept(sound)
    size = sound.stat().st_size
    rng = random.Random(13)
    outcomes: Counter[str] = Counter()
    for _ in range(FLIPS):
        shutil.copy(sound, path)
        bit = rng.randrange(8 * size)
        flip(path, bit)
        outcomes[await _outcome(path, book, before)] += 1
    print(dict(outcomes))  # noqa: T201 (figures of the run)
    assert FLIPS == sum(outcomes.values())
    assert outcomes["outside any record"] > 0
    # SQLite compares its indexes with the rows, and each row has a checksum.
    assert {"named", "refused at opening", "outside any record"} >= set(outcomes)


async def _outcome(path: Path, book: Book, before: list[list[tuple[Any, ...]]]) -> str:
    """Return what came of a flipped bit in a file of SQLite."""
    found = await _found(SqliteBackend(path, clock=SystemClock()), book)
    if found:
        return found
    after = kept(path)
    return "outside any record" if before == after else f"not named: {odd(before, after)}"


async def _found(backend: Backend, book: Book) -> str:
    """Return how a flipped bit was found, nothing where it was not; no state may be wrong."""
    try:
        await backend.open()
    except RopewalkError:
        return "refused at opening"
    storage = handle(backend)
    try:
        verified = await storage.checkpoints.verify()
        missed: set[str] = set()
        lost, _ = await unreadable(storage, book, missed=missed)
    finally:
        await backend.close()
    if not verified.is_whole:
        return "named"
    return "not found by an index" if lost or missed else ""


def odd(before: list[list[tuple[Any, ...]]], after: list[list[tuple[Any, ...]]]) -> Any:  # noqa: ANN401
    """Return the rows that are in one of two stores only."""
    return [set(one) ^ set(other) for one, other in zip_longest(before, after, fillvalue=())]


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file."""
    with path.open("r+b") as file:
        file.seek(bit // 8)
        old = file.read(1)[0]
        file.seek(bit // 8)
        file.write(bytes([old ^ 1 << bit % 8]))


async def held(backend: Backend) -> list[list[tuple[Any, ...]]]:
    """Return all that a store tells: records and commits."""
    await backend.open()
    try:
        records = [
            (*astuple(replace(record, labels={})), tuple(sorted(record.labels.items())))
            async for record in backend.scan(Query(space=None, expired=True))
        ]
        return [sorted(records, key=str), [astuple(commit) async for commit in backend.feed()]]
    finally:
        await backend.close()


@pytest.mark.timeout(900)
async def test_a_flipped_bit_anywhere_in_a_folder_makes_no_wrong_state(tmp_path: Path) -> None:
    """What `verify` does not find in the files of a folder is nothing that the store tells."""
    sound, root = tmp_path / "sound", tmp_path / "store"
    backend = FileBackend(sound, clock=SystemClock(), sync="normal")
    await backend.open()
    book = await fill(backend)
    await backend.close()
    before = await held(FileBackend(sound, clock=SystemClock(), sync="normal"))
    files = sorted(path for path in sound.rglob("*") if path.is_file() and path.stat().st_size)
    sizes = [path.stat().st_size for path in files]
    rng = random.Random(14)
    outcomes: Counter[str] = Counter()
    for _ in range(FLIPS if LONG else FLIPS // 4):
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(sound, root)
        [path] = rng.choices(files, sizes)
        flip(root / path.relative_to(sound), rng.randrange(8 * path.stat().st_size))
        outcome = await _found(FileBackend(root, clock=SystemClock(), sync="normal"), book)
        if not outcome:
            after = await held(FileBackend(root, clock=SystemClock(), sync="normal"))
            outcome = (
                "outside any record" if before == after else f"not named: {odd(before, after)}"
            )
        outcomes[outcome] += 1
    print(dict(outcomes))  # noqa: T201 (figures of the run)
    assert {"named", "refused at opening", "outside any record"} >= set(outcomes)
    assert outcomes["named"] > 0
