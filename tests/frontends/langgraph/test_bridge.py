"""Synchronous code uses the store from everywhere, and waits for no loop that stands still."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import cast

import pytest

import ropewalk
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.frontends.langgraph.bridge import Bridge, opened
from ropewalk.services.blocking import KEPT
from ropewalk.services.storage import Storage

NOTE = {"type": "note", "id": "n"}


@pytest.fixture
def bridge(storage: Storage) -> Bridge:
    """Return a bridge to a store that was opened on the running loop."""
    return Bridge(storage)


@pytest.mark.seed("4.1", "6.4")
async def test_on_the_loop_that_opened_the_store(bridge: Bridge) -> None:
    """A call blocks the loop, reads and writes all the same, and what is awaited sees it."""
    storage = bridge.storage
    assert "n" == bridge.run(storage.records.save({**NOTE, "data": {"by": "sync"}}))
    row = await storage.records.load("n")
    assert row is not None
    assert {"by": "sync"} == row["data"]
    await storage.records.update("n", {"data": {"by": "async"}})
    row = bridge.run(storage.records.load("n"))
    assert row is not None
    assert {"by": "async"} == row["data"]


@pytest.mark.seed("4.1", "5.2")
async def test_in_threads_that_the_loop_waits_for(bridge: Bridge) -> None:
    """A loop that stands still until its threads are done holds none of them up."""
    storage = bridge.storage
    begun = [asyncio.create_task(storage.records.save({"type": "t"})) for _ in range(20)]
    await asyncio.sleep(0)

    def work(n: int) -> bool:
        bridge.run(storage.records.save({"type": "s", "id": str(n)}))
        return bridge.run(storage.records.exists(str(n), type="s"))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))
    await asyncio.gather(*begun)
    assert 60 == await storage.records.count()


@pytest.mark.seed("5.1", "5.2")
async def test_no_update_of_any_side_is_lost(bridge: Bridge) -> None:
    """Counting up from threads and from the loop at once loses nothing."""
    storage = bridge.storage
    await storage.records.save({**NOTE, "data": {"n": 0}})

    async def add() -> None:
        while True:
            row = await storage.records.load("n", type="note")
            assert row is not None
            changed = {"data": {"n": row["data"]["n"] + 1}}
            try:
                await storage.records.update("n", changed, expected_version=row["version"])
            except Conflict:
                continue
            return

    def work() -> None:
        for _ in range(8):
            bridge.run(add())

    threads = [asyncio.create_task(asyncio.to_thread(work)) for _ in range(4)]
    for _ in range(8):
        await add()
        bridge.run(add())
    await asyncio.gather(*threads)
    row = await storage.records.load("n", type="note")
    assert row is not None
    assert 48 == row["data"]["n"]


async def test_a_call_within_a_call(bridge: Bridge) -> None:
    """What runs on a thread of the bridge may itself call synchronously."""
    storage = bridge.storage

    async def outer() -> str:
        return bridge.run(inner())

    async def inner() -> str:
        return bridge.run(storage.records.save(NOTE))

    assert "n" == bridge.run(outer())


async def test_errors_arrive_as_they_are(bridge: Bridge) -> None:
    """The caller gets the error itself, and the next call works."""
    records = bridge.storage.records
    with pytest.raises(Invalid) as caught:
        bridge.run(records.save({"id": "typeless"}))
    assert "missing" == caught.value.code
    assert "n" == bridge.run(records.save(NOTE))


async def test_context_variables_are_seen(bridge: Bridge) -> None:
    """The coroutine runs in the context of its caller."""
    user: ContextVar[str] = ContextVar("user")
    user.set("ada")

    async def ask() -> str:
        await asyncio.sleep(0)
        return user.get()

    assert "ada" == bridge.run(ask())


def test_a_store_that_was_never_left_does_not_hold_up_the_end() -> None:
    """A program that forgets the end of its block ends, and is told what it forgot."""
    program = (
        "from ropewalk.frontends.langgraph import opened\n"
        "kept = opened('memory://')\n"
        "kept.__enter__()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert "leave the `with` block of the store first" in ended.stderr


async def test_who_is_interrupted_cancels_the_work(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupted caller leaves at once, what he began is cancelled, and the bridge goes on."""
    cancelled = threading.Event()
    begun = threading.Event()

    async def endless() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def interrupted(_: object) -> None:
        assert begun.wait(30)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("concurrent.futures.Future.result", interrupted)
        bridge.run(endless())
    assert await asyncio.to_thread(cancelled.wait, 30)
    assert "n" == bridge.run(bridge.storage.records.save(NOTE))


async def test_threads_are_kept_but_not_hoarded(bridge: Bridge) -> None:
    """After a rush no more than a few threads stay."""
    rush = KEPT * 3
    together = threading.Barrier(rush)

    async def meet() -> None:
        await asyncio.to_thread(lambda: None)
        together.wait(60)

    with ThreadPoolExecutor(rush) as pool:
        for call in [pool.submit(lambda: bridge.run(meet())) for _ in range(rush)]:
            call.result()
    deadline = asyncio.get_running_loop().time() + 30
    while sum(t.name == "ropewalk-bridge" for t in threading.enumerate()) > KEPT:
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.01)


def test_a_program_without_a_loop(url: str) -> None:
    """`opened` opens a store for synchronous code, which is closed behind the block."""
    with opened(url) as storage:
        bridge = Bridge(storage)
        bridge.run(storage.records.save(NOTE))
        assert 1 == bridge.run(storage.records.count())
        kept = storage
    with pytest.raises(ropewalk.Unavailable):
        bridge.run(kept.records.count())


def test_a_store_whose_loop_is_over(url: str) -> None:
    """What was opened in `asyncio.run` is used after that from synchronous code."""

    async def begin() -> Storage:
        storage = await ropewalk.open(url)
        await storage.records.save(NOTE)
        return storage

    storage = asyncio.run(begin())
    bridge = Bridge(storage)
    assert bridge.run(storage.records.exists("n"))
    bridge.run(storage.close())


def test_what_is_no_store_is_refused() -> None:
    """The usual slip, passing what `open` returns, is an error that says what to write."""
    opening = ropewalk.open("memory://")
    with pytest.raises(Invalid, match=r"async with ropewalk\.open"):
        Bridge(cast("Storage", opening))


def test_a_program_ends() -> None:
    """A program that used the bridge ends by itself, many times over, without a warning."""
    code = (
        "from ropewalk.frontends.langgraph.bridge import Bridge, opened\n"
        "with opened('memory://') as storage:\n"
        "    bridge = Bridge(storage)\n"
        "    async def outer():\n"
        "        return bridge.run(storage.records.count())\n"
        "    print(bridge.run(outer()))\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    for _ in range(3):
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert (0, "0\n", "") == (run.returncode, run.stdout, run.stderr)


def test_a_forked_child_has_threads_of_its_own() -> None:
    """A child gets new threads: those of its parent are not there any more."""
    code = (
        "import os\n"
        "from ropewalk.frontends.langgraph.bridge import Bridge, opened\n"
        "with opened('memory://') as storage:\n"
        "    pass\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    with opened('memory://') as storage:\n"
        "        print(Bridge(storage).run(storage.records.count()), flush=True)\n"
        "    os._exit(0)\n"
        "print(os.waitpid(child, 0)[1])\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ["0", "0"] == run.stdout.split()
