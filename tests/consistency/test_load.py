"""Random load on every back end, by one process and by several, with deaths: no anomaly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import monotonic, monotonic_ns, sleep

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Commit
from ropewalk.domain.clock import SystemClock
from ropewalk.domain.ports import Backend
from ropewalk.testing.checker import check
from ropewalk.testing.histories import Event, Fate, History
from ropewalk.testing.load import conclude, put_load, rounds
from ropewalk.testing.recording import Tape
from ropewalk.testing.verdict import Level

from ..forked import Forked
from .load_worker import make

pytestmark = [
    pytest.mark.seed("5.1"),
    pytest.mark.seed("5.2"),
    pytest.mark.seed("8.3"),
    pytest.mark.timeout(900),
]

LONG = bool(os.environ.get("ROPEWALK_LONG"))
SECONDS = 150.0 if LONG else 0.3
"""How long each run lasts at least: more than ten minutes in all, in the long form."""

LINES = 1_000
"""How much a run writes down at least, on however busy a machine."""

KILLS = 1_000 if LONG else 1

BUSY = 20_000 if LONG else 50
"""Lines that a process may have written when it is killed."""

WORKER = Path(__file__).with_name("load_worker.py")
PATIENCE = 60
LINE = 250
"""Bytes that a line of a tape has, more or less."""


def _judge(name: str, events: list[Event], told: list[Commit]) -> Counter[Fate]:
    """Check every round; return how the transactions ended."""
    history = History.of(events, told)
    verdicts = [check(part, level=Level.STRICT) for part in rounds(history)]
    assert [] == [str(verdict) for verdict in verdicts if not verdict.is_clean]
    fates = Counter(one.fate for one in history.transactions)
    edges = sum(verdict.edges for verdict in verdicts)
    print(f"{name}: {len(verdicts)} rounds, {edges} dependencies, {dict(fates)}")  # noqa: T201
    assert min(fates[Fate.DONE], fates[Fate.REFUSED]) > 10
    return fates


async def _alone(backend: Backend) -> tuple[list[Event], list[Commit]]:
    tape = Tape()
    await backend.open()
    begin = monotonic_ns()
    await put_load(
        backend,
        tape,
        name="t",
        tasks=6,
        begin=begin,
        is_over=lambda: len(tape.events) > LINES and monotonic_ns() - begin > SECONDS * 1e9,
    )
    told = await conclude(backend, tape, begin=begin)
    await backend.close()
    return tape.events, told


async def test_load_in_memory() -> None:
    """Six tasks on one store in memory."""
    events, told = await _alone(MemoryBackend(clock=SystemClock(), loop_budget=0))
    assert _judge("memory", events, told)[Fate.UNKNOWN] > 0


async def test_load_on_sqlite(tmp_path: Path) -> None:
    """Six tasks on one SQLite file."""
    events, told = await _alone(make(f"sqlite:///{tmp_path}/load.db"))
    assert _judge("sqlite", events, told)[Fate.UNKNOWN] > 0


CREWS = [
    ("sqlite", "", 4 if LONG else 2),
    ("file", "", 2),
]
if LONG:
    CREWS.append(("sqlite", "?loop_budget=0", 4))


@pytest.mark.parametrize(("scheme", "options", "processes"), CREWS)
def test_load_by_processes(tmp_path: Path, scheme: str, options: str, processes: int) -> None:
    """Several processes on one store, of which one after the other is killed and replaced."""
    url = f"{scheme}:///{tmp_path}/load.{scheme}{options}"
    asyncio.run(_create(url))
    crew = _Crew(tmp_path, url)
    kills = crew.run(processes)
    events, told = asyncio.run(_concluded(url, crew))
    name = f"{scheme}{options}, {processes} processes, {kills} killed"
    assert _judge(name, events, told)[Fate.UNKNOWN] > 0


async def _create(url: str) -> None:
    backend = make(url)
    await backend.open()
    await backend.close()


async def _concluded(url: str, crew: _Crew) -> tuple[list[Event], list[Commit]]:
    tape = Tape()
    backend = make(url)
    await backend.open()
    told = await conclude(backend, tape, begin=crew.begin)
    await backend.close()
    return [*crew.events(), *tape.events], told


class _Crew:
    """Processes that work at the same time, each with a tape of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        """Begin now."""
        self.begin = monotonic_ns()
        self._folder = folder
        self._url = url
        self._tapes: list[Path] = []

    def run(self, processes: int) -> int:
        """Let so many work, kill one after the other, and return how many were killed."""
        random = Random("kills")
        running = [self._start() for _ in range(processes)]
        kills = 0
        try:
            for _, tape in running:
                self._wait_for(tape, lines=20)
            until = monotonic() + SECONDS
            while kills < KILLS and (monotonic() < until or not kills):
                victim = kills % processes
                process, tape = running[victim]
                self._wait_for(tape, lines=random.randint(20, BUSY))
                process.send_signal(signal.SIGKILL)
                assert process.wait(PATIENCE) == -signal.SIGKILL
                kills += 1
                running[victim] = self._start()
                self._wait_for(running[victim][1], lines=20)
            sleep(max(0.0, until - monotonic()))
        finally:
            self._stop.touch()
            codes = [process.wait(PATIENCE) for process, _ in running]
        assert [0] * processes == codes
        return kills

    @property
    def _stop(self) -> Path:
        return self._folder / "stop"

    def _start(self) -> tuple[Forked, Path]:
        name = f"p{len(self._tapes)}t"
        tape = self._folder / f"{name}.tape"
        tape.touch()
        self._tapes.append(tape)
        rest = [str(tape), name, str(self.begin), str(self._stop)]
        return Forked([WORKER, self._url, *rest]), tape

    def _wait_for(self, tape: Path, *, lines: int) -> None:
        """Wait until a process has written so much."""
        deadline = monotonic() + PATIENCE + SECONDS
        while tape.stat().st_size < lines * LINE:
            assert monotonic() < deadline, f"{tape} does not grow"
            sleep(0.01)

    def events(self) -> Iterator[Event]:
        """Return the lines of all tapes; the last line of one that was killed may be torn."""
        for tape in self._tapes:
            for line in tape.read_text("utf-8").splitlines(keepends=True):
                if line.endswith("\n"):
                    yield json.loads(line)
