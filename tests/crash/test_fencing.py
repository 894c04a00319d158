"""A holder is stopped beyond its time, another takes over: what the first writes is refused."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

import ropewalk
from ropewalk.domain.errors import Unavailable
from ropewalk.services.storage import Storage

SCRIPT = Path(__file__).with_name("lease_holder.py")
NAMES = [f"thread:{number}" for number in range(10)]
ROUNDS = 20 if os.environ.get("ROPEWALK_LONG") else 1
TTLS = {"sqlite": 0.15, "file": 1.5}
"""Seconds: ten leases are renewed at once, and a file store writes more slowly."""

pytestmark = [pytest.mark.seed("5.2", "5.5", "8.5"), pytest.mark.timeout(120 + 15 * ROUNDS)]


class Holder:
    """The process that holds the leases."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def tell(self) -> None:
        """Let it go on to its next part; it may be stopped and find that out later."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    async def said(self) -> list[str]:
        """Wait for its next line; return the words of it."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(self._process.stdout.readline), 60)
        return line.split()

    def stop(self) -> None:
        """Pause it wherever it is."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        """Let it go on where it was."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def _holding(url: str, ttl: float) -> Generator[Holder, None, None]:
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), url, str(ttl), *NAMES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Holder(process)
        finally:
            process.kill()


async def _stop_between_writes(holder: Holder, storage: Storage) -> None:
    """Stop the holder where it does not keep the store's own lock.

    Stopped inside a transaction (it renews all the time) it lets nobody write at all: then there is
    nothing to take over. Such a stop does not count, and is made again.
    """
    while True:
        holder.stop()
        try:
            async with asyncio.timeout(0.3):
                await storage.records.save({"id": "probe", "type": "probe"})
        except (TimeoutError, Unavailable):
            holder.go_on()
        else:
            return


async def _taken_over(storage: Storage, name: str) -> int:
    """Wait until a lease is free, take it, write under it, and return its token."""
    async with storage.lease(name, ttl=30, wait=60) as held:
        await held.storage.records.save(
            {"id": f"{name} {held.token}", "type": "taken", "data": {"token": held.token}}
        )
        await held.storage.history.add_message(thread_id="t", role="user", content=name)
        return held.token


async def _all_expired(storage: Storage) -> None:
    """Wait until nobody holds anything any more: no commit tells that, only the clock."""
    deadline = monotonic() + 30
    while await storage.leases.list():
        assert monotonic() < deadline
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", ["sqlite", "file"])
async def test_a_holder_that_wakes_up_late_writes_nothing(kind: str, tmp_path: Path) -> None:
    """Every late write is refused: where another holds the lease, and where it only expired."""
    url = f"{kind}:///{tmp_path / 'store'}"
    refused: Counter[str] = Counter()
    held = 0
    async with ropewalk.open(url, actor="successor") as storage:
        await storage.threads.create(id="t")
        with _holding(url, TTLS[kind]) as holder:
            assert ["ready"] == await holder.said()
            for round in range(ROUNDS):
                holder.tell()
                tokens = [int(word) for word in (await holder.said())[1:]]
                await _stop_between_writes(holder, storage)
                held += len(await storage.leases.list())
                # Some are taken over, and some only expire: both are reason enough.
                taken = NAMES[: 5 + round % 5]
                successors = await asyncio.gather(*(_taken_over(storage, n) for n in taken))
                assert [token + 1 for token in tokens[: len(taken)]] == successors
                await _all_expired(storage)
                holder.tell()
                holder.go_on()
                for token in tokens:
                    way, own, answer = await holder.said()
                    assert token == int(own)
                    refused[f"{way}: {answer}"] += 1

        assert {"lease_lost"} == {key.partition(": ")[2] for key in refused}
        assert ROUNDS * len(NAMES) == refused.total()
        contents = [str(message.content) for message in await storage.history.messages("t")]
        assert contents
        assert [] == [content for content in contents if content.startswith("late")]
        kinds = await storage.kinds()
        assert {"note", "checkpoint"}.isdisjoint(kinds)
        assert len(contents) == kinds["taken"]
    print(f"{kind}: {refused.total()} late writes, {dict(refused)}; {held} held when stopped")  # noqa: T201
