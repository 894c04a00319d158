"""The power fails at every step of SQLite's writing: what `sync` promises is there afterwards."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from ropewalk.backends.sqlite import SqliteBackend, tidying
from ropewalk.backends.sqlite.opening import Sync
from ropewalk.domain.change import Batch
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.query import Query
from ropewalk.testing.power_cut import Image, PowerCut, power_cut
from ropewalk.testing.samples import SPACE, commits, everything, put

LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a folder of its own is made there)
ROUNDS: Final = 8
LOOKED_AT: Final = 4_000 if LONG else 30


@pytest.fixture
def home() -> Generator[Path]:
    """Make a folder, in memory where there is one: what a disk keeps is only played here."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


def _batch(number: int) -> Batch:
    body = b"%d" % number * 5_000
    return Batch((put("left", body), put("right", body), put(f"line {number}")), id=f"{number}")


async def _round_in(folder: Path, image: Image) -> int:
    """Open what is left; return after which round it is, having seen that nothing is half."""
    for name, content in image.items():
        (folder / name).write_bytes(content)
    store = SqliteBackend(folder / "store.db", clock=FrozenClock(tick=0))
    await store.open()
    found = {record.key.id: record.body for record in await everything(store, Query(space=SPACE))}
    told = [commit.batch_id for commit in await commits(store)]
    await store.apply(_batch(ROUNDS + 1))
    await store.close()
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        assert [("ok",)] == connection.execute("pragma integrity_check").fetchall()
    last = len(told)
    numbers = range(1, last + 1)
    pair = dict.fromkeys(("left", "right"), b"%d" % last * 5_000) if last else {}
    assert {**pair, **{f"line {n}": b"" for n in numbers}} == found
    assert [f"{n}" for n in numbers] == told
    return last


@pytest.mark.seed("4.4", "8.3", "8.5")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("sync", ["full", "normal"])
async def test_power_may_fail_at_every_step(
    home: Path, monkeypatch: pytest.MonkeyPatch, sync: Sync
) -> None:
    """With "full" every acknowledged batch is there, with "normal" a beginning of them all.

    Never is one half there, or a later one without an earlier one, or the file damaged: whatever
    part of what was not synced has reached the disk, and in whatever order.
    """
    monkeypatch.setattr(tidying, "_CHECKPOINT_PAGES", 20)
    random = Random(5)
    acknowledged = begun = 0
    left: dict[frozenset[tuple[str, bytes]], tuple[int, int]] = {}

    def step(disk: PowerCut) -> None:
        for image in disk.images(random):
            left.setdefault(frozenset(image.items()), (acknowledged, begun))

    with power_cut(step):
        store = SqliteBackend(home / "store.db", clock=FrozenClock(tick=0), sync=sync)
        await store.open()
        for number in range(1, ROUNDS + 1):
            begun = number
            await store.apply(_batch(number))
            acknowledged = number
        await store.close()
    lost = 0
    tried = random.sample(list(left.items()), min(LOOKED_AT, len(left)))
    for image, (least, most) in tried:
        folder = home / "left"
        folder.mkdir()
        found = await _round_in(folder, dict(image))
        shutil.rmtree(folder)
        assert found <= most
        assert found >= least or sync == "normal"
        lost += found < least
    print(f"{sync}: {len(tried)} of {len(left)} images, {lost} lacked a batch")  # noqa: T201
    assert len(tried) >= 30
    assert (sync == "normal") == (lost > 0)
