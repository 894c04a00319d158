"""Stores that were written by every version so far: they open, for ever, and go on.

What lies in `kept/` is only ever added to: `python tools/keep_store.py` keeps those of the present.
"""

from __future__ import annotations

import asyncio
import json
import re
import runpy
import tarfile
from pathlib import Path
from typing import Any, Final, cast

import pytest

from ropewalk.config import Config
from ropewalk.domain.health import State
from ropewalk.factory import open, schema_of
from ropewalk.services.storage import Storage

from .kept_story import SPACES, Plain, contents, differences

HERE: Final = Path(__file__).parent
KEPT: Final = HERE / "kept"
TOOL: Final = runpy.run_path(str(HERE.parent.parent / "tools" / "keep_store.py"))
CHANGELOG: Final = HERE.parent.parent / "CHANGELOG.md"
MOST_BYTES: Final = 30_000


def _listed(kept: Path = KEPT) -> dict[str, Any]:
    listed: dict[str, Any] = json.loads((kept / "stores.json").read_text("utf-8"))
    return listed


def _unpacked(name: str, folder: Path, *, kept: Path = KEPT) -> tuple[str, dict[str, Plain]]:
    """Return the URL of a kept store, unpacked, and what was in it by space."""
    with tarfile.open(kept / f"{name}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    found = json.loads((folder / "contents.json").read_text("utf-8"))
    return f"{_listed(kept)[name]['form']}:///{folder / 'store'}", cast("dict[str, Plain]", found)


async def _read(url: str) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for space in SPACES:
        async with open(Config.from_mapping({"url": url, "space": space})) as storage:
            found[space] = await contents(storage)
    return found


async def _go_on(storage: Storage) -> None:
    """Write more of everything, on top of what is there."""
    await storage.sessions.update("ada", title="A week in Rome")
    await storage.history.add_message(thread_id="rome", role="user", content="and back?")
    await storage.checkpoints.append("rome", {"messages": ["and back?"]})
    await storage.threads.fork("rome", id="cheapest", at="c-1", name="cheapest")
    await storage.checkpoints.save("cheapest", {"messages": []})
    await storage.records.save({"type": "note", "id": "new"})
    await storage.threads.delete("late", cascade="all")


@pytest.mark.seed("7.2")
@pytest.mark.parametrize("name", sorted(_listed()))
async def test_a_store_of_the_past_is_whole(name: str, tmp_path: Path) -> None:
    """All that a version wrote is read as it was, passes every check, and can be gone on from."""
    url, kept = _unpacked(name, tmp_path)
    entry = _listed()[name]
    before = await schema_of(url).status()
    assert entry["versions"][entry["form"]] == before.found
    assert () == await schema_of(url).check()

    assert [] == differences(kept, await _read(url))
    assert () == (await schema_of(url).status()).pending
    assert () == await schema_of(url).check()

    async with open(url) as storage:
        assert (await storage.checkpoints.verify()).is_whole
        assert State.HEALTHY is (await storage.ping(thorough=True)).state
        await _go_on(storage)
        head = await storage.checkpoints.latest("rome")
        assert head is not None
        assert "and back?" == head.state["messages"][-1]
        assert (await storage.checkpoints.verify()).is_whole
        assert State.HEALTHY is (await storage.ping(thorough=True)).state
    assert [] == differences(kept["lab"], (await _read(url))["lab"])


def test_a_store_of_every_version_is_kept() -> None:
    """Where a form has a new number, a store is kept before it is released, and all stay."""
    numbers = TOOL["versions"]()
    wanted = {TOOL["name_of"](form, numbers) for form in ("sqlite", "file")}
    listed = _listed()
    assert set() == wanted - listed.keys(), "run: python tools/keep_store.py"
    assert {f"{name}.tar.xz" for name in listed} == {p.name for p in KEPT.glob("*.tar.xz")}
    for form in ("sqlite", "file"):
        there = {entry["versions"][form] for entry in listed.values() if entry["form"] == form}
        assert set(range(1, numbers[form] + 1)) == there
    assert [] == [p.name for p in KEPT.glob("*.tar.xz") if p.stat().st_size > MOST_BYTES]


def test_stores_of_every_release_are_kept() -> None:
    """A version that the changelog tells of has a store of each back end here."""
    released = re.findall(r"^## (\d+\.\S+)", CHANGELOG.read_text("utf-8"), re.MULTILINE)
    kept = {(entry["release"], entry["form"]) for entry in _listed().values() if entry["release"]}
    wanted = {(version, form) for version in released for form in ("sqlite", "file")}
    assert set() == wanted - kept, "before a release run: python tools/keep_store.py --release"


async def test_the_tool_keeps_a_store_once(tmp_path: Path) -> None:
    """What is missing is kept with what this version reads in it; nothing is touched again."""
    kept, names = tmp_path / "kept", TOOL["versions"]()
    kept.mkdir()
    there: dict[str, Any] = {TOOL["name_of"]("file", names): {"form": "file", "versions": {}}}
    (kept / "stores.json").write_text(json.dumps(there), "utf-8")
    assert 1 == await asyncio.to_thread(TOOL["main"], kept)
    name = TOOL["name_of"]("sqlite", names)
    assert _listed(kept)[name]["release"] is None
    made = (kept / f"{name}.tar.xz").read_bytes()
    assert 0 == await asyncio.to_thread(TOOL["main"], kept)
    assert made == (kept / f"{name}.tar.xz").read_bytes()
    assert {*there, name} == _listed(kept).keys()
    url, found = _unpacked(name, tmp_path, kept=kept)
    assert [] == differences(found, await _read(url))


def test_a_difference_is_found() -> None:
    """A value that changed, went or changed its type is named; a new field of an entity is none."""
    kept: Plain = {"a": [{"$entity": "X", "fields": {"n": 1}}], "b": True}
    assert [] == differences(kept, {"a": [{"$entity": "X", "fields": {"n": 1, "m": 2}}], "b": True})
    assert [".b: True became 1"] == differences(kept, {**cast("dict[str, Plain]", kept), "b": 1})
    assert [".a[0].fields.n"] == differences(
        kept, {"a": [{"$entity": "X", "fields": {}}], "b": True}
    )
    assert [".b", ".c"] == differences({"b": 1}, {"c": 1})
