"""A batch that was applied before a switch is recognised after it, answer and all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.change import Batch, Check, Delete, Ensure
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid, Unavailable
from ropewalk.domain.ports import Backend
from ropewalk.layers import recent
from ropewalk.layers.retry import RetryLayer
from ropewalk.layers.switch import SwitchLayer
from ropewalk.testing.faults import Fault, Flaky, Slow
from ropewalk.testing.samples import commits, key, put, soon, versions, write

from .restless import remembered
from .silent import SilentBackend

pytestmark = pytest.mark.seed("1.4", "4.4", "8.3")


async def _mixed(layer: Backend) -> Batch:
    """Make a batch of which some changes will have no effect, and what it needs."""
    await write(layer, put("seen"), Ensure(key=key("node"), stamp=6), put("guarded"), put("old"))
    await write(layer, put("guarded"), put("old"))
    return Batch(
        (
            Check(key=key("seen"), expect=1),
            put("new", expect=0),
            Ensure(key=key("node"), stamp=2),
            Delete(key=key("absent")),
            Delete(key=key("guarded"), at_most=1),
            Delete(key=key("old"), expect=2),
            put("seen-not"),
        )
    )


async def test_an_applied_batch_is_recognised(layer: SwitchLayer, target: MemoryBackend) -> None:
    """Again with the same id, it answers as the first time and changes nothing."""
    batch = Batch((put("a", expect=0), put("b", expect=0)))
    first = await layer.apply(batch)
    await write(layer, put("a"))
    await layer.switch(target)
    for _ in range(2):
        assert replace(first, replayed=True) == await layer.apply(batch)
    assert [2, 1] == await versions(layer, "a", "b")


async def test_changes_without_effect_are_part_of_the_answer(
    layer: SwitchLayer, target: MemoryBackend
) -> None:
    """Also the versions of what a batch named but did not change are answered exactly."""
    batch = await _mixed(layer)
    first = await layer.apply(batch)
    await layer.switch(target)
    assert replace(first, replayed=True) == await layer.apply(batch)


async def test_the_id_stays_taken(layer: SwitchLayer, target: MemoryBackend) -> None:
    """Used for other keys after the switch, an id from before is `Invalid` and changes nothing."""
    batch = Batch((put("a"), put("b")))
    await layer.apply(batch)
    await layer.switch(target)
    for other in ((put("c"),), (put("b"), put("a"))):
        with pytest.raises(Invalid) as caught:
            await layer.apply(Batch(other, id=batch.id))
        assert "batch_id_reused" == caught.value.code
    assert [1, 1, 0] == await versions(layer, "a", "b", "c")


async def test_another_program_knows_the_batch_by_the_feed(
    layer: SwitchLayer, target: MemoryBackend, memory: MemoryBackend
) -> None:
    """Moved by a program that never saw the batch, all that the feed tells is exact.

    What had no effect is answered by the least version that it can have had.
    """
    whole, mixed = Batch((put("x"), Delete(key=key("y")))), await _mixed(layer)
    await write(layer, put("y"))
    answers = [await layer.apply(batch) for batch in (whole, mixed)]
    mover = SwitchLayer(memory)
    await mover.open()
    await mover.switch(target)
    assert replace(answers[0], replayed=True) == await mover.apply(whole)
    told = await mover.apply(mixed)
    assert (answers[1].seq, answers[1].at, True) == (told.seq, told.at, told.replayed)
    assert ((1, 1, 6, 0, 2, 0, 1), (1, 0, 6, 0, 2, 2, 0)) == (
        answers[1].versions,
        answers[1].previous,
    )
    assert ((1, 1, 2, 0, 2, 0, 1), (1, 0, 2, 0, 2, 2, 0)) == (told.versions, told.previous)
    with pytest.raises(Invalid, match="other keys"):
        await mover.apply(Batch((put("new"),), id=mixed.id))


async def test_many_batches_are_not_all_remembered(
    layer: SwitchLayer, target: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered of batches in this program is bounded; the feed knows the rest."""
    monkeypatch.setattr(recent, "MOST_KEYS", 10)
    batches = [Batch((put(f"n{n}"), Delete(key=key("absent")))) for n in range(20)]
    answers = [await layer.apply(batch) for batch in batches]
    assert 5 == remembered(layer)
    await layer.switch(target)
    assert [replace(answer, replayed=True) for answer in answers] == [
        await layer.apply(batch) for batch in batches
    ]


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.AFTER])
async def test_a_lost_answer_is_found_again(
    memory: MemoryBackend, target: MemoryBackend, fault: Fault
) -> None:
    """Sent to the old store and again to the new one, a batch is applied once."""
    layer = SwitchLayer(Flaky(memory, plan=[Fault.NONE, fault]))
    await layer.open()
    batch = Batch((put("a", expect=0), Delete(key=key("absent"))))
    with pytest.raises(Unavailable):
        await layer.apply(batch)
    await layer.switch(target)
    applied = await layer.apply(batch)
    assert ((1, 0), (0, 0), fault is Fault.AFTER) == (
        applied.versions,
        applied.previous,
        applied.replayed,
    )
    assert [batch.id] == [commit.batch_id for commit in await commits(layer)]
    assert [applied.seq] == [commit.seq for commit in await commits(layer)]


async def test_a_retry_goes_on_across_a_switch(
    memory: MemoryBackend, target: MemoryBackend
) -> None:
    """A layer above that tries again does not conflict with what the old store applied."""
    layer = SwitchLayer(Flaky(memory, plan=[Fault.NONE, Fault.AFTER]))

    class SwitchingRetry(RetryLayer):
        """Uses the time between two attempts to switch."""

        async def pause(self, seconds: float) -> None:
            """Switch."""
            del seconds
            await layer.switch(target)

    retry = SwitchingRetry(layer)
    await retry.open()
    applied = await retry.apply(Batch((put("a", expect=0),)))
    assert ((1,), True) == (applied.versions, applied.replayed)
    assert layer.below is target
    assert 1 == len(await commits(layer))
    await retry.close()


async def test_a_cancelled_batch_is_found_again(
    memory: MemoryBackend, target: MemoryBackend
) -> None:
    """Cancelled after it took effect, a batch is one batch still when it is sent again."""
    reached = asyncio.Event()

    async def pause() -> None:
        if (await versions(memory, "a"))[0] and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()

    layer = SwitchLayer(Slow(memory, pause=pause))
    await layer.open()
    batch = Batch((put("a", expect=0), Delete(key=key("absent"))))
    task = asyncio.ensure_future(layer.apply(batch))
    await soon(reached.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await layer.switch(target)
    applied = await layer.apply(batch)
    assert ((1, 0), True) == (applied.versions, applied.replayed)
    assert [1] == await versions(layer, "a")
    assert 1 == len(await commits(layer))


async def test_an_answer_is_recognised_without_a_feed(
    clock: FrozenClock, target: MemoryBackend
) -> None:
    """A store that tells no commits still lets its answers be carried over."""
    layer = SwitchLayer(SilentBackend(clock=clock))
    await layer.open()
    batch = Batch((put("a", expect=0),))
    first = await layer.apply(batch)
    await layer.switch(target)
    assert replace(first, replayed=True) == await layer.apply(batch)
    assert (await layer.apply(Batch((put("b"),)))).seq > first.seq
