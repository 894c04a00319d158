"""The stretches of a line are remembered, and never longer than its threads stay as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.domain.change import Batch, Delete, Put
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import NotFound
from ropewalk.domain.record import DEFAULT_SPACE, Key, Record
from ropewalk.layers.base import Layer
from ropewalk.services import lineage
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("3.4")


class Looking(Layer):
    """Writes down which threads are asked for, and whether with their bodies."""

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__(MemoryBackend(clock=clock))
        self.clock = clock
        self.asked: list[tuple[tuple[str, ...], bool]] = []

    async def get(self, keys: Sequence[Key], *, bodies: bool = True) -> list[Record | None]:
        """Note a look at threads."""
        if keys[0].kind == "thread":
            self.asked.append((tuple(key.id for key in keys), bodies))
        return await super().get(keys, bodies=bodies)


@pytest.fixture
async def looking() -> AsyncIterator[Looking]:
    """Main with two states, and a fork of it with one."""
    clock = FrozenClock()
    layer = Looking(clock)
    async with Storage(layer, make_pipeline(), clock) as storage:
        await storage.threads.create(id="main")
        for id in ("one", "two"):
            await storage.checkpoints.save("main", id, id=id)
        await storage.threads.fork("main", id="fork")
        await storage.checkpoints.save("fork", "three", id="three")
        yield layer


def _other(looking: Looking) -> Storage:
    """Return another handle: what it changes is not told to the first."""
    return Storage(looking, make_pipeline(), looking.clock)


async def _ids(storage: Storage, thread: str) -> list[str]:
    return [header.id for header in await storage.checkpoints.list(thread)]


async def test_of_a_known_line_the_headers_alone_are_read(looking: Looking) -> None:
    """The first look goes from thread to thread, each later one asks for all headers at once."""
    storage = _other(looking)
    for _ in range(3):
        assert ["three", "two", "one"] == await _ids(storage, "fork")
    known = (("main", "fork"), False)
    assert [(("fork",), True), (("main",), True), known, known] == looking.asked[-4:]


async def test_a_line_is_looked_up_again_when_a_thread_on_it_changed(looking: Looking) -> None:
    """Somebody else's rollback of the thread, or of what it was forked from, is seen at once."""
    storage, other = _other(looking), _other(looking)
    assert ["two", "one"] == await _ids(storage, "main")
    assert ["three", "two", "one"] == await _ids(storage, "fork")
    await other.threads.rollback("main", to="one")
    assert ["one"] == await _ids(storage, "main")
    # The fork was made before, and still continues behind both.
    assert ["three", "two", "one"] == await _ids(storage, "fork")
    await other.threads.rollback("fork", to="two")
    assert ["two", "one"] == await _ids(storage, "fork")


async def test_a_thread_that_is_gone_is_missed_at_once(looking: Looking) -> None:
    """A remembered line says nothing of whether its thread is still there."""
    storage = _other(looking)
    assert ["three", "two", "one"] == await _ids(storage, "fork")
    await _other(looking).threads.delete("fork")
    with pytest.raises(NotFound):
        await storage.checkpoints.list("fork")


async def test_a_line_ends_where_a_thread_is_gone_until_it_comes_back(looking: Looking) -> None:
    """What a fork continues may be brought back: then its states are on the line again."""
    storage = _other(looking)
    key = Key(DEFAULT_SPACE, "thread", "main")
    [record] = await looking.get([key])
    assert record is not None
    await looking.apply(Batch((Delete(key=key),)))
    for _ in range(2):
        assert ["three"] == await _ids(storage, "fork")
    await looking.apply(Batch((Put.of(record),)))
    assert ["three", "two", "one"] == await _ids(storage, "fork")


async def test_a_unit_sees_what_it_has_changed_itself(looking: Looking) -> None:
    """Within a unit of work a line is as the unit has made it, and outside as it was."""
    storage = _other(looking)
    assert ["two", "one"] == await _ids(storage, "main")
    async with storage.unit() as unit:
        assert ["two", "one"] == [h.id for h in await unit.checkpoints.list("main")]
        await unit.threads.rollback("main", to="one")
        assert ["one"] == [h.id for h in await unit.checkpoints.list("main")]
        assert ["two", "one"] == await _ids(storage, "main")
    assert ["one"] == await _ids(storage, "main")


async def test_so_many_lines_are_remembered(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the bounds for lines, and for the threads of one, a line is looked up anew."""
    monkeypatch.setattr(lineage, "_MOST_LINES", 1)
    monkeypatch.setattr(lineage, "_LONGEST_LINE", 1)
    storage = _other(looking)
    await storage.threads.create(id="other")
    for _ in range(2):
        await _ids(storage, "fork")
        await _ids(storage, "main")
        await _ids(storage, "other")
    assert [True] * 8 == [bodies for _, bodies in looking.asked[-8:]]
    await _ids(storage, "other")
    assert (("other",), False) == looking.asked[-1]
