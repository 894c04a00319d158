"""`verify`: every flipped bit is found and named, and nothing else is."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import apsw
import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.change import Batch, Delete
from ropewalk.domain.checkpoint import CleanupPolicy
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.domain.verified import Verified
from ropewalk.layers.base import Layer
from ropewalk.services.storage import Storage

from ..flipping import Book, fill, handle, unreadable

pytestmark = pytest.mark.seed("3.4")

LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
FLIPS: Final = 1_000 if LONG else 60
"""How many bits are flipped, one at a time."""

STATE_KINDS: Final = frozenset({"checkpoint", "node", "write", "dictionary", "secret"})


def flipped(data: bytes, bit: int) -> bytes:
    """Return bytes with one bit that is another."""
    at, within = divmod(bit, 8)
    return data[:at] + bytes([data[at] ^ 1 << within]) + data[at + 1 :]


def named(verified: Verified) -> tuple[set[str], set[str]]:
    """Return the checkpoints that were named, for their states and for their writes."""
    states: set[str] = set()
    writes: set[str] = set()
    for damage in verified.damages:
        if damage.checkpoint_id is not None:
            kind = damage.key.kind if damage.key is not None else ""
            of_write = kind == "write" or damage.path.startswith("write")
            (writes if of_write else states).add(damage.checkpoint_id)
    return states, writes


async def check(storage: Storage, book: Book, record: Record) -> None:
    """Demand that the damage is named, and that what is named is what cannot be read."""
    verified = await storage.checkpoints.verify()
    assert not verified.is_whole, record.key
    assert record.key in {damage.key for damage in verified.damages}
    lost = await unreadable(storage, book)
    if record.key.kind == "secret":
        assert set(book.states) == lost[0]
        return
    assert lost == named(verified), record.key
    for damage in verified.damages:
        if damage.key is not None and damage.key.kind in {"checkpoint", "node"}:
            assert damage.thread_id == book.threads.get(damage.checkpoint_id or "") or (
                damage.checkpoint_id in book.writes
            )


def drawn(records: list[Record], rng: random.Random) -> Iterator[tuple[Record, Record]]:
    """Go through records with the same after a bit of body or seal was flipped."""
    kinds = sorted({record.key.kind for record in records})
    by_kind = {kind: [r for r in records if r.key.kind == kind] for kind in kinds}
    for number in range(FLIPS):
        record = rng.choice(by_kind[kinds[number % len(kinds)]])
        body = record.body or b""
        if number % 4 == 3:
            seal = flipped(record.seal.encode(), rng.randrange(8 * len(record.seal)))
            # Half of all bytes are no text by themselves.
            yield record, replace(record, seal=seal.decode("latin-1"))
        else:
            yield record, replace(record, body=flipped(body, rng.randrange(8 * len(body))))


@pytest.mark.timeout(600)
async def test_a_flipped_bit_is_named_and_nothing_else() -> None:
    """In nodes, roots, pending writes, dictionaries and the secret, in bodies and in seals."""
    backend = MemoryBackend(clock=SystemClock())
    await backend.open()
    book = await fill(backend)
    shelf = cast("dict[tuple[str, str, str], Record]", vars(vars(backend)["_contents"])["_records"])
    whole = await handle(backend).checkpoints.verify()
    assert (True, 3) == (whole.is_whole, whole.writes)
    assert (len(book.states), 1) == (whole.checkpoints, whole.dictionaries)
    records = [record for record in shelf.values() if record.key.kind in STATE_KINDS]
    for before, after in drawn(records, random.Random(11)):
        key = before.key
        shelf[key.id, key.kind, key.space] = after
        await check(handle(backend), book, before)
        shelf[key.id, key.kind, key.space] = before
    assert (await handle(backend).checkpoints.verify()).is_whole
    await backend.close()


async def test_a_missing_node_is_named_by_its_path() -> None:
    """Where in the state it belongs, for every checkpoint that needs it; others are not named."""
    backend = MemoryBackend(clock=SystemClock())
    await backend.open()
    storage = handle(backend)
    await storage.threads.create(id="t")
    first = await storage.checkpoints.save("t", {"long": "a" * 30_000, "n": 1})
    before = {record.key async for record in backend.scan(Query(space="default", kinds=("node",)))}
    rng = random.Random(3)
    noise = "".join(rng.choices("abcdefghij", k=30_000))
    two = await storage.checkpoints.save("t", {"long": "a" * 30_000, "noise": noise})
    three = await storage.checkpoints.save("t", {"noise": noise})
    after = {record.key async for record in backend.scan(Query(space="default", kinds=("node",)))}
    await backend.apply(Batch((Delete(key=min(after - before)),)))

    told: list[Verified] = []
    verified = await handle(backend).checkpoints.verify(progress=told.append)
    assert {two.id, three.id} == {damage.checkpoint_id for damage in verified.damages}
    assert {"noise"} == {damage.path for damage in verified.damages}
    assert {"it is missing"} == {damage.reason for damage in verified.damages}
    assert "checkpoint" in str(verified.damages[0])
    assert 3 == len(told)
    assert {"long": "a" * 30_000, "n": 1} == (await storage.checkpoints.load(first.id)).state
    await backend.close()


async def test_what_is_removed_meanwhile_is_no_damage() -> None:
    """A checkpoint that goes while it is looked at, with its nodes, is not named."""
    backend = MemoryBackend(clock=SystemClock())
    await backend.open()
    storage = handle(backend)
    await storage.threads.create(id="t")
    for number in range(3):
        await storage.checkpoints.save("t", {"long": random.Random(number).randbytes(9_000)})
    removed: list[int] = []

    async def remove() -> None:
        await storage.checkpoints.prune("t", CleanupPolicy(keep_last=1))
        removed.append((await storage.checkpoints.collect()).removed)

    apart = Apart(backend, remove)
    verified = await handle(apart).checkpoints.verify()
    assert verified.is_whole, verified.damages
    assert removed[0] > 0
    await backend.close()


class Apart(Layer):
    """Does something once, between a scan of checkpoints and the first look at a node."""

    def __init__(self, below: Backend, act: Callable[[], Awaitable[None]]) -> None:
        """Stand round `below`."""
        super().__init__(below)
        self._act: Callable[[], Awaitable[None]] | None = act

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Do it before the first node is read."""
        if self._act is not None and keys[0].kind == "node":
            act, self._act = self._act, None
            await act()
        return await super().get(keys, bodies=bodies)


async def test_one_thread_can_be_checked_alone() -> None:
    """Damage of another one is not looked for, and nothing is written in an empty store."""
    backend = MemoryBackend(clock=SystemClock())
    await backend.open()
    assert (await handle(backend).checkpoints.verify()).is_whole
    assert {} == await handle(backend).kinds()
    storage = handle(backend)
    for name in ("good", "bad"):
        await storage.threads.create(id=name)
    await storage.checkpoints.save("good", {"n": 1})
    bad = await storage.checkpoints.save("bad", {"n": 2})
    shelf = cast("dict[tuple[str, str, str], Record]", vars(vars(backend)["_contents"])["_records"])
    key = (bad.id, "checkpoint", "default")
    shelf[key] = replace(shelf[key], body=flipped(shelf[key].body or b"", 9))
    assert (await handle(backend).checkpoints.verify(thread_id="good")).is_whole
    [damage] = (await handle(backend).checkpoints.verify(thread_id="bad")).damages
    assert ("bad", bad.id) == (damage.thread_id, damage.checkpoint_id)
    await backend.close()


async def test_a_lost_secret_is_named() -> None:
    """Without it no state can be read; none is made anew by a check."""
    backend = MemoryBackend(clock=SystemClock())
    await backend.open()
    storage = handle(backend)
    await storage.threads.create(id="t")
    await storage.checkpoints.save("t", {"n": 1})
    key = Key("default", "secret", "trees")
    await backend.apply(Batch((Delete(key=key),)))
    [damage] = (await handle(backend).checkpoints.verify()).damages
    assert (key, True) == (damage.key, "missing" in damage.reason)
    assert "secret" not in await storage.kinds()
    await backend.close()


def sql(path: Path, statement: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Run a statement on a file behind the back of whoever has it open."""
    connection = apsw.Connection(str(path))
    try:
        return cast("list[tuple[Any, ...]]", connection.execute(statement, values).fetchall())
    finally:
        connection.close()


async def filled(path: Path) -> Book:
    """Fill an SQLite file and close it."""
    backend = SqliteBackend(path, clock=SystemClock())
    await backend.open()
    book = await fill(backend)
    await backend.close()
    return book


ROWS: Final = (
    "select 'node', row, body, seal, lower(hex(digest)) from node not indexed union all "
    "select name.text, row, body, seal, id from record not indexed cross join name "
    "where nr = record.kind and name.text in ('checkpoint', 'write', 'dictionary', 'secret')"
)


@pytest.mark.timeout(900)
async def test_a_flipped_bit_in_a_row_of_sqlite_is_named(tmp_path: Path) -> None:
    """The same behind the back of an SQLite store, where the seal is a number."""
    path = tmp_path / "store.db"
    book = await filled(path)
    rows = sql(path, ROWS)
    kinds = sorted({row[0] for row in rows})
    rng = random.Random(12)
    for number in range(FLIPS):
        kind, row, body, seal, id_ = rng.choice([r for r in rows if r[0] == kinds[number % 5]])
        table = "node" if kind == "node" else "record"
        column, before, after = "body", body, flipped(body, rng.randrange(8 * len(body)))
        if number % 4 == 3:
            column, before, after = "seal", seal, seal ^ 1 << rng.randrange(10)
        change = f"update {table} set {column} = ? where row = ?"  # noqa: S608 (our own names)
        sql(path, change, (after, row))
        backend = SqliteBackend(path, clock=SystemClock())
        await backend.open()
        storage = handle(backend)
        verified = await storage.checkpoints.verify()
        lost = await unreadable(storage, book)
        await backend.close()
        assert any(d.key is not None and d.key.id.endswith(id_) for d in verified.damages), (
            kind,
            column,
            verified.damages,
        )
        if kind != "secret":
            assert lost == named(verified), (kind, column)
        sql(path, change, (before, row))


async def test_a_damaged_header_is_named_by_thread_and_checkpoint(tmp_path: Path) -> None:
    """A time, a version or a label of a checkpoint, a pending write or a thread that is another."""
    path = tmp_path / "store.db"
    book = await filled(path)
    [write] = book.writes
    text = "select text from name where nr = record.kind"
    changes = {
        "checkpoint": ("created_at = created_at + 4096", {(book.threads[write], write)}),
        "write": ("version = version + 2", {("t", write)}),
        "thread": ("labels = replace(labels, 'a', 'c')", {("t", None)}),
    }
    for kind, (change, whose) in changes.items():
        shutil.copy(path, damaged := tmp_path / f"{kind}.db")
        sql(
            damaged,
            f"update record set {change} where ({text}) = ? and "  # noqa: S608 (our own words)
            "(id = ? or substr(id, 1, ?) = ? or id = 't') and thread_id = "
            "(select nr from name where text = 't')",
            (kind, write, len(write) + 1, f"{write}/"),
        )
        backend = SqliteBackend(damaged, clock=SystemClock())
        await backend.open()
        verified = await handle(backend).checkpoints.verify()
        assert whose == {(d.thread_id, d.checkpoint_id) for d in verified.damages}, kind
        assert {kind} == {d.key.kind if d.key else None for d in verified.damages}
        await backend.close()
