"""What every back end owes a caller who lost the answer: a batch id makes a retry safe."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ..domain.change import Batch, Check, Delete, Ensure
from ..domain.errors import Conflict, Invalid
from ..domain.limits import MAX_ID_BYTES
from ..domain.ports import Backend
from ..domain.record import Key
from .samples import found, key, put, soon, versions, write


class RetryContract:
    """The same batch twice is the same batch once, and one id never means two batches."""

    @pytest.mark.seed("4.4", "8.3")
    async def test_a_retry_answers_as_the_first_time(self, backend: Backend) -> None:
        """The second answer equals the first but for `replayed`, and nothing is written again."""
        await write(backend, put("b"))
        batch = Batch((put("a", b"1"), Delete(key=key("b")), Check(key=key("c"), expect=0)))
        first = await backend.apply(batch)
        second = await backend.apply(batch)
        assert (False, True) == (first.replayed, second.replayed)
        assert replace(first, replayed=True) == second
        assert [1, 0, 0] == await versions(backend, "a", "b", "c")

    @pytest.mark.seed("4.4", "8.3")
    async def test_a_retry_never_conflicts_with_itself(self, backend: Backend) -> None:
        """A batch whose own effect breaks its expectation still answers as the first time."""
        batch = Batch((put("a", expect=0), put("b", expect=0)))
        first = await backend.apply(batch)
        for _ in range(3):
            assert replace(first, replayed=True) == await backend.apply(batch)
        assert [1, 1] == await versions(backend, "a", "b")

    @pytest.mark.seed("4.4", "8.3")
    async def test_a_late_retry_takes_nothing_back(self, backend: Backend) -> None:
        """A retry after others wrote, or deleted, leaves what they did and still answers."""
        batch = Batch((put("a", b"first"), put("b", b"first")))
        first = await backend.apply(batch)
        await write(backend, put("a", b"second"), Delete(key=key("b")))
        assert replace(first, replayed=True) == await backend.apply(batch)
        assert (await found(backend, "a")).body == b"second"
        assert [2, 0] == await versions(backend, "a", "b")

    @pytest.mark.seed("4.4")
    async def test_a_retry_remembers_every_change(self, backend: Backend) -> None:
        """Versions of changes without effect are part of the answer that is given again."""
        await write(backend, Ensure(key=key("node"), stamp=6), put("seen"))
        batch = Batch(
            (
                Check(key=key("seen"), expect=1),
                Ensure(key=key("node"), stamp=2),
                put("a"),
                Delete(key=key("absent")),
            )
        )
        first = await backend.apply(batch)
        await write(backend, put("seen"), Ensure(key=key("node"), stamp=9))
        second = await backend.apply(batch)
        assert ((1, 6, 1, 0), (1, 6, 0, 0)) == (second.versions, second.previous)
        assert (first.seq, first.at, True) == (second.seq, second.at, second.replayed)

    @pytest.mark.seed("8.3")
    async def test_a_batch_that_failed_may_be_tried_again(self, backend: Backend) -> None:
        """A conflict leaves no trace of the id: the same batch is decided anew."""
        batch = Batch((put("a"), put("b", expect=1)))
        with pytest.raises(Conflict):
            await backend.apply(batch)
        await write(backend, put("b"))
        applied = await backend.apply(batch)
        assert ((1, 2), False) == (applied.versions, applied.replayed)

    @pytest.mark.seed("8.3")
    async def test_an_id_for_other_keys_is_refused(self, backend: Backend) -> None:
        """An id used for other keys, more, fewer or in another order, is `Invalid`."""
        batch = Batch((put("a"), put("b")), id="used")
        await backend.apply(batch)
        elsewhere = replace(put("a"), key=Key("elsewhere", "note", "a"))
        for changes in (
            (put("c"), put("d")),
            (put("a"),),
            (put("a"), put("b"), put("c")),
            (put("b"), put("a")),
            (elsewhere, put("b")),
        ):
            with pytest.raises(Invalid) as caught:
                await backend.apply(Batch(changes, id="used"))
            assert caught.value.code == "batch_id_reused"
        assert [1, 1, 0, 0] == await versions(backend, "a", "b", "c", "d")

    @pytest.mark.seed("5.1", "8.3")
    async def test_one_batch_from_many_tasks_is_one_commit(self, backend: Backend) -> None:
        """Twenty retries at once: one applies, the others answer the same."""
        batch = Batch((put("a", expect=0), put("b")))
        answers = await soon(asyncio.gather(*[backend.apply(batch) for _ in range(20)]))
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 19
        assert len({replace(answer, replayed=True) for answer in answers}) == 1
        assert [1, 1] == await versions(backend, "a", "b")

    @pytest.mark.seed("8.3")
    async def test_a_batch_id_may_be_any_text(self, backend: Backend) -> None:
        """Ids with NUL, quotes, slashes, any script and the full length are told apart."""
        texts = ("\0", "a\0b", "a", "A", "../../x", "'; --", "%", "\u00e9", "e\u0301", "\U0001faa2")
        names = [*texts, "x" * MAX_ID_BYTES]
        batches = [Batch((put(f"n{n}"),), id=name) for n, name in enumerate(names)]
        firsts = [await backend.apply(batch) for batch in batches]
        assert [False] * len(names) == [first.replayed for first in firsts]
        for batch, first in zip(batches, firsts, strict=True):
            assert replace(first, replayed=True) == await backend.apply(batch)
