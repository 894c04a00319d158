"""`runs` and `leases`: who drives what, how far it is, and what can be done from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ropewalk.domain.errors import Conflict
from ropewalk.factory import open
from ropewalk.services.runs.step import Step
from ropewalk.services.storage import Storage

from .typing_it import Answer, typed

pytestmark = [pytest.mark.seed("5.1"), pytest.mark.seed("8.5")]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Name a store of one's own."""
    return f"sqlite:///{tmp_path / 'runs.db'}"


@pytest.fixture
async def storage(url: str) -> AsyncIterator[Storage]:
    """The open store, as a program has it while somebody looks at it from outside."""
    async with open(url, actor="program") as storage:
        await storage.threads.create(id="t")
        yield storage


async def type_beside(*arguments: str) -> Answer:
    """Run a command while this loop goes on."""
    return await asyncio.to_thread(typed, *arguments)


async def say(step: Step) -> dict[str, object]:
    """Do a step."""
    await step.history.add_message(thread_id="t", role="user", content=step.key)
    return {"tuple": (1, 2)}


async def test_leases_are_shown_and_taken(storage: Storage, url: str) -> None:
    """Who holds what and who waits; asking is told to the holder, taking shuts it out."""
    nothing = await type_beside("leases", "-u", url)
    assert (0, "nobody holds anything\n") == (nothing.code, nothing.err)
    assert [] == (await type_beside("leases", "--json", "-u", url)).json["items"]
    async with storage.lease("thread:t", ttl=60, owner="me") as held:
        waiter = asyncio.create_task(storage.lease("thread:t", wait=60, owner="you").__aenter__())
        while not (await storage.leases.get("thread:t")).waiting:
            assert not waiter.done()
            await asyncio.sleep(0.005)
        lines = (await type_beside("leases", "-u", url)).lines
        assert ["thread:t", "me", "1"] == lines[1].split()[:3]
        assert "1. in line: you" in (await type_beside("leases", "thread:t", "-u", url)).out

        asked = await type_beside("leases", "thread:t", "--ask", "-u", url)
        assert "asked me" in asked.out
        await asyncio.wait_for(held.interrupted.wait(), 30)
        shown = await type_beside("leases", "thread:t", "-u", url)
        assert "asked to give it up by: ropewalk" in shown.out
        one = (await type_beside("leases", "thread:t", "--json", "-u", url)).json
        assert ("me", 1, ["you"]) == (
            one["owner"],
            one["token"],
            [ticket["owner"] for ticket in one["waiting"]],
        )

        taken = await type_beside("leases", "thread:t", "--release", "--json", "-u", url)
        assert taken.json["released"]
        with pytest.raises(Conflict, match="nothing was written"):
            await held.storage.sessions.create()
        assert 2 == (await asyncio.wait_for(waiter, 30)).token

    assert 4 == (await type_beside("leases", "thread:other", "-u", url)).code
    for wrong in (("--ask",), ("thread:t", "--ask", "--release")):
        assert 2 == (await type_beside("leases", *wrong, "-u", url)).code


async def test_runs_are_shown(storage: Storage, url: str) -> None:
    """Runs with their steps, by status and thread; orphans can be abandoned."""
    async with storage.run("t", id="first", workflow_id="w") as run:
        await run.step("plan", say)
    async with storage.run("t", id="second", workflow_id="w") as run:
        await run.wait("approval")
    dead = storage.run("t", id="third", ttl=60)
    driven = await dead.__aenter__()
    shown = await type_beside("runs", "third", "-u", url)
    assert ["third", "t", "running"] == shown.lines[1].split()[:3]
    busy = await type_beside("runs", "third", "--abandon", "lost", "-u", url)
    assert 6 == busy.code
    # Nobody renews any more, as if the process had died.
    await storage.leases.release("thread:t", force=True)
    await asyncio.wait_for(driven.lease.lost.wait(), 30)

    listed = (await type_beside("runs", "--json", "-u", url)).json["items"]
    assert [("third", True), ("second", False), ("first", False)] == [
        (item["id"], item["orphan"]) for item in listed
    ]
    assert ["first"] == [
        item["id"]
        for item in (
            await type_beside("runs", "--status", "done", "--thread", "t", "--json", "-u", url)
        ).json["items"]
    ]
    orphans = (await type_beside("runs", "--orphans", "-u", url)).lines
    assert ["third", "t", "orphan"] == orphans[1].split()[:3]
    first = (await type_beside("runs", "first", "--json", "-u", url)).json
    assert [("plan", {"tuple": {"$tuple": [1, 2]}})] == [
        (step["key"], step["result"]) for step in first["done_steps"]
    ]
    assert "plan" in (await type_beside("runs", "first", "-u", url)).out
    assert "waits for: approval" in (await type_beside("runs", "second", "-u", url)).out

    given_up = await type_beside("runs", "third", "--abandon", "nobody needs it", "-u", url)
    assert (0, True) == (given_up.code, "failed of: nobody needs it" in given_up.out)
    assert "nothing of the kind" in (await type_beside("runs", "--orphans", "-u", url)).err
    with pytest.raises(Conflict):
        await dead.__aexit__(None, None, None)

    page = await type_beside("runs", "--limit", "2", "-u", url)
    assert "--cursor" in page.err
    assert 4 == (await type_beside("runs", "nothing", "-u", url)).code
    for wrong in (("--abandon", "x"), ("first", "--orphans"), ("--orphans", "--thread", "t")):
        assert 2 == (await type_beside("runs", *wrong, "-u", url)).code
