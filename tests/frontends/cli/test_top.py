"""`ropewalk top` shows what the store knows of all who work on it; `doctor` names slow shapes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import ropewalk
from ropewalk.config import Config

from .typing_it import typed


async def _work(url: str) -> None:
    async with ropewalk.open(url) as storage:
        for n in range(3):
            await storage.records.save({"type": "note", "id": f"n{n}"})
        async with storage.consumers.open("indexer") as commits:
            async for commit in commits:
                await commits.commit(commit.seq)
                break


@pytest.mark.seed("2.5")
@pytest.mark.parametrize("scheme", ["sqlite", "file"])
def test_one_look(scheme: str, folder: Path) -> None:
    """Commits, records, spaces and lag of what another handle did, for people and for programs."""
    url = f"{scheme}:///store"
    asyncio.run(_work(url))
    told = typed("top", "--once", "--json", "-u", url)
    found = told.json
    assert (0, "healthy", {"default": 4}) == (told.code, found["health"], found["spaces"])
    assert (found["commits"], False) == (found["seq"], found["more"])
    assert pytest.approx(found["commits"] / 60, abs=0.001) == found["commits_per_second"]
    assert [("indexer", found["seq"] - 1)] == [
        (each["name"], each["commits"]) for each in found["consumers"]
    ]
    lines = typed("top", "--once", "-u", url).lines
    assert any(line.split() == ["records", "4"] for line in lines)
    assert f"indexer  {found['seq'] - 1} commits behind" in lines
    assert (folder / "store").exists()


async def _ask_slowly(url: str) -> None:
    config = Config.from_mapping(
        {"url": url, "layers": ["metrics"], "layer": {"metrics": {"slow": 0.0, "keep": True}}}
    )
    async with ropewalk.open(config) as storage:
        await storage.records.save({"type": "note", "metadata": {"topic": "secret"}})
        for _ in range(2):
            await storage.records.list({"type": "note", "metadata.topic": "secret"})


async def _declare(url: str) -> None:
    async with ropewalk.open(url) as storage:
        for shape in await storage.slow_shapes():
            for label in shape.labels:
                await storage.declare_index(shape.kinds[0], label)


@pytest.mark.seed("6.3")
@pytest.mark.usefixtures("folder")
def test_doctor_names_slow_shapes() -> None:
    """What another process found slow is named with what to declare, until that is done."""
    url = "sqlite:///store.db"
    asyncio.run(_ask_slowly(url))
    told = typed("doctor", "--json", "-u", url)
    (check,) = [check for check in told.json["checks"] if check["name"] == "shapes"]
    assert (0, "warn") == (told.code, check["verdict"])
    assert any("where" in shape and "topic" in shape for shape in check["facts"])
    assert "storage.declare_index('note', 'metadata.topic')" in str(check["facts"])
    assert "secret" not in told.out
    asyncio.run(_declare(url))
    told = typed("doctor", "--json", "-u", url)
    (check,) = [check for check in told.json["checks"] if check["name"] == "shapes"]
    assert "declare_index" not in str(check)
