"""Commits of other handles and processes are noticed, with and without the system's help."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from ropewalk.backends import bell, watch
from ropewalk.backends.file import FileBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.errors import Unavailable
from ropewalk.domain.ports import Backend
from ropewalk.testing.samples import commits, put, soon, write

from ..forked import PIPE, Forked

pytestmark = pytest.mark.seed("5.1", "8.3")

Open = Callable[[], Backend]

WRITE = """
import asyncio, sys
import ropewalk

async def main():
    async with ropewalk.open(sys.argv[1]) as storage:
        for n in range(int(sys.argv[2])):
            sys.stdin.readline()
            await storage.records.save({"type": "note", "data": {"n": n}})
asyncio.run(main())
"""


@pytest.fixture(params=["sqlite", "file"])
def scheme(request: pytest.FixtureRequest) -> str:
    """Name each back end that processes share."""
    name: str = request.param
    return name


@pytest.fixture(params=["hearing", "deaf"])
def ears(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the system tell of writes, or not."""
    if request.param == "deaf":
        monkeypatch.setattr(bell, "_inotify", lambda: None)
    name: str = request.param
    return name


@pytest.fixture
def handle(scheme: str, tmp_path: Path) -> Open:
    """Return what makes one more handle on the same store."""

    def make() -> Backend:
        if scheme == "sqlite":
            return SqliteBackend(tmp_path / "store", clock=SystemClock())
        return FileBackend(tmp_path / "store", clock=SystemClock(), sync="normal")

    return make


def _watching() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.endswith("watch") and t.is_alive()]


@pytest.mark.usefixtures("ears")
async def test_a_commit_of_another_handle_wakes(handle: Open) -> None:
    """Each handle is woken by the other's commits, one after the other, and reads them then."""
    async with AsyncExitStack() as stack:
        first, second = handle(), handle()
        for backend in (first, second):
            await backend.open()
            stack.push_async_callback(backend.close)
        last, reader, writer = 0, first, second
        for n in range(20):
            reader, writer = writer, reader
            waiting = asyncio.ensure_future(reader.changed(last))
            for _ in range(n % 5):
                await asyncio.sleep(0)
            await write(writer, put(f"n{n}"))
            last = await soon(waiting)
            assert last == (await commits(reader, last - 1))[0].seq == n + 1
        assert await writer.trim(15) == 14
        assert [15, 16, 17, 18, 19, 20] == [c.seq for c in await commits(reader)]
        waiting = asyncio.ensure_future(reader.changed(20))
        await write(writer, put("after"))
        assert await soon(waiting) == 21
    assert _watching() == []


@pytest.mark.usefixtures("ears")
async def test_a_commit_of_another_process_wakes(scheme: str, handle: Open, tmp_path: Path) -> None:
    """Commits of a process are noticed while it lives, each by itself."""
    backend = handle()
    await backend.open()
    with Forked(["-c", WRITE, f"{scheme}:///{tmp_path / 'store'}", "5"], stdin=PIPE) as writer:
        assert writer.stdin is not None
        for n in range(5):
            waiting = asyncio.ensure_future(backend.changed(n))
            writer.stdin.write("\n")
            writer.stdin.flush()
            assert await soon(waiting) == n + 1
        writer.stdin.close()
    await backend.close()


async def test_nobody_looks_while_nobody_waits(
    handle: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without anybody who waits there is no thread, and with one who was, it sleeps."""
    looks: list[float] = []
    look = watch.Watch._look  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def counted(*arguments: object) -> None:
        looks.append(time.monotonic())
        look(*arguments)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(watch.Watch, "_look", counted)
    backend, other = handle(), handle()
    await backend.open()
    await other.open()
    await write(backend, put("a"))
    assert _watching() == []
    assert await soon(backend.changed(-1)) == 1
    assert 1 == len(_watching())
    before = len(looks)
    for n in range(20):
        await write(backend, put(f"n{n}"))
        await write(other, put(f"m{n}"))
    assert before == len(looks)
    assert await soon(backend.changed(40)) == 41
    await backend.close()
    await other.close()
    assert _watching() == []


async def test_looks_are_seldom_while_nothing_happens(
    handle: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for long costs a few looks a second, not a thousand."""
    sleeps: list[float] = []
    pause = watch.Watch._pause  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def noted(self: watch.Watch, bell: bell.Bell) -> float:
        sleeps.append(pause(self, bell))
        return sleeps[-1]

    monkeypatch.setattr(watch.Watch, "_pause", noted)
    backend = handle()
    await backend.open()
    await write(backend, put("a"))
    assert await soon(backend.changed(0)) == 1
    waiting = asyncio.ensure_future(backend.changed(1))
    async with asyncio.timeout(60):
        while not sleeps or sleeps[-1] < watch.LONGEST:  # noqa: ASYNC110 (there is no event)
            await asyncio.sleep(0.01)
    assert len(sleeps) < 300
    await write(backend, put("b"))
    assert await soon(waiting) == 2
    await backend.close()


async def test_a_vanished_store_is_told_to_who_waits(handle: Open, tmp_path: Path) -> None:
    """Where the file or the folder was moved away, waiting ends with `Unavailable`."""
    backend = handle()
    await backend.open()
    await write(backend, put("a"))
    waiting = asyncio.ensure_future(backend.changed(1))
    await asyncio.sleep(0)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(Unavailable):
        await soon(waiting)
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    assert await soon(backend.changed(0)) == 1
    await backend.close()


async def test_a_dead_loop_is_forgotten(handle: Open) -> None:
    """Who waited on a loop that was closed keeps nobody from being woken."""
    backend = handle()
    await backend.open()

    def abandon() -> None:
        loop = asyncio.new_event_loop()
        waiting = backend.changed(0)

        async def begin() -> None:
            waiting.send(None)

        loop.run_until_complete(begin())
        loop.close()
        waiting.close()

    await asyncio.to_thread(abandon)
    waiting = asyncio.ensure_future(backend.changed(0))
    await write(backend, put("a"))
    assert await soon(waiting) == 1
    await backend.close()
