"""Nothing that a confined handle can do shows that there is another space, nor changes it.

Each program is run twice: beside a neighbour who has the same ids and more, and all alone. Both
runs must answer the same, word for word, and of the neighbour every byte must be as before.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.backends.memory import MemoryBackend
from ropewalk.backends.sqlite import SqliteBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import RopewalkError
from ropewalk.domain.memory import Name
from ropewalk.domain.ports import Backend
from ropewalk.domain.query import Query
from ropewalk.domain.record import Key, Record
from ropewalk.layers.base import Layer
from ropewalk.services.storage import Storage
from ropewalk.testing.strategies import FEW

from .filling import fill
from .reaching import CASES, Pick, outcome, public_names
from .working_cases import prepare

pytestmark = [pytest.mark.seed("5.3"), pytest.mark.timeout(900)]

LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))

ENDING: Final = ("sessions.delete", "threads.delete", "states.delete_thread", "spaces.delete")
"""What is tried last where everything is tried in a row."""

Step: TypeAlias = tuple[str, bool, list[int]]
"""A case, whether it is tried in a unit of work, and what chooses its arguments."""

steps = st.lists(
    st.tuples(
        st.sampled_from(sorted(CASES)), st.booleans(), st.lists(st.integers(0, 11), max_size=6)
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(autouse=True)
def _equal_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both runs cut and name their states alike."""
    monkeypatch.setattr(secrets, "token_bytes", bytes)


async def _settle(handle: Storage, *, mark: str, clock: FrozenClock) -> None:
    await fill(handle, mark, clock=clock)
    await handle.memories.write([handle.memories.draft(Name(("both",), "k"), {"v": mark})])
    await prepare(handle, mark)


async def _theirs(handle: Storage) -> None:
    """Write what only the neighbour has."""
    await handle.sessions.create(id="theirs", title="theirs")
    await handle.threads.create(id="theirs", session_id="theirs", title="theirs")
    await handle.history.add_message(thread_id="theirs", role="user", content="theirs", id="theirs")
    await handle.checkpoints.save("theirs", {"log": ["theirs"] * 9}, id="theirs")
    await handle.checkpoints.tag("theirs", "theirs")
    await handle.records.save({"id": "theirs", "type": "note", "data": {"v": "theirs"}})


async def run(
    backend: Backend,
    program: list[Step],
    *,
    neighbour: bool,
    coat: Callable[[Backend], Backend],
) -> list[str]:
    """Return what a program in space `a` is told, and check that space `b` is untouched."""
    async with Storage(backend, make_pipeline(), FrozenClock()) as storage:
        if neighbour:
            await storage.spaces.create("b", description="theirs")
            await _settle(storage.space("b"), mark="theirs", clock=FrozenClock())
            await _theirs(storage.space("b"))
        before = await _kept(backend)
        # A clock of its own: how often the neighbour looked at one is not to be seen.
        handle = Storage(coat(backend), make_pipeline(), FrozenClock()).space("a")
        await _settle(handle, mark="mine", clock=FrozenClock())
        answers: list[str] = []
        for name, in_unit, numbers in program:
            case, pick = CASES[name], Pick(numbers)
            if in_unit and name.partition(".")[0] in vars(unit := handle.unit()):
                try:
                    async with unit:
                        answers.append(await outcome(case, unit, pick))
                except RopewalkError as error:
                    answers.append(f"{type(error).__name__}: {error.message}")
            else:
                answers.append(await outcome(case, handle, pick))
        assert before == await _kept(backend)
        return answers


async def _kept(backend: Backend) -> dict[Key, Record]:
    """Return all that is in the neighbour's space, to the byte."""
    query = Query(space="b", expired=True)
    return {record.key: record async for record in backend.scan(query)}


def check(
    make: Callable[[], Backend], program: list[Step], *, coat: Callable[[Backend], Backend] = Layer
) -> None:
    """Run a program with and without a neighbour."""

    async def both() -> None:
        beside = await run(make(), program, neighbour=True, coat=coat)
        alone = await run(make(), program, neighbour=False, coat=coat)
        for step, told, expected in zip(program, beside, alone, strict=True):
            assert expected == told, step

    asyncio.run(both())


def _memory() -> Backend:
    return MemoryBackend(clock=FrozenClock(tick=0))


async def test_every_method_has_a_case() -> None:
    """Whoever adds a public method says in `reaching.py` how one would reach across by it."""
    async with Storage(_memory(), make_pipeline(), FrozenClock()) as storage:
        assert public_names(storage.space("a")) == set(CASES)


@pytest.mark.parametrize("number", range(12 if LONG else 4))
def test_every_method_in_a_row(number: int) -> None:
    """All of them, with ids of both spaces, of the neighbour alone, and of nobody."""
    names = sorted(CASES, key=lambda name: (name in ENDING, name))
    program = [(name, False, [number, number // 2, number // 3] * 2) for name in names]
    check(_memory, program)


@settings(FEW, max_examples=400 if LONG else 25)
@given(steps)
def test_nobody_sees_across(program: list[Step]) -> None:
    """Neither answers nor errors differ by what is in another space."""
    check(_memory, program)


@settings(FEW, max_examples=100 if LONG else 3)
@given(steps)
def test_nobody_sees_across_in_a_file(program: list[Step]) -> None:
    """The same in one SQLite file."""
    numbers = count()
    with TemporaryDirectory() as folder:
        check(
            lambda: SqliteBackend(Path(folder) / f"{next(numbers)}.db", clock=FrozenClock(tick=0)),
            program,
        )


class _Leaky(Layer):
    """A store that forgets about spaces in some lists."""

    def scan(self, query: Query) -> AsyncIterator[Record]:
        """Go through the records of every space, where they are sessions, grants or anything."""
        leaks = query.kinds in ((), ("session",), ("grant",))
        return super().scan(replace(query, space=None) if leaks else query)


@pytest.mark.parametrize("name", ["records.list", "sessions.stream", "grants.given"])
def test_a_leak_is_noticed(name: str) -> None:
    """Where a list has one record of the neighbour's, the runs differ."""
    with pytest.raises(AssertionError):
        check(_memory, [(name, False, [])], coat=_Leaky)
