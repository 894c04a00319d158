"""Units of work: everything in them happens at once, or nothing, and nobody is overwritten."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import pytest

from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.services.storage import Storage

pytestmark = [pytest.mark.seed("4.3"), pytest.mark.seed("8.3"), pytest.mark.seed("3.6")]


async def test_all_modules_commit_together(storage: Storage) -> None:
    """A session, its thread, a message, a state and a record are one commit of the feed."""
    async with storage.unit() as unit:
        session = await unit.sessions.create(id="s")
        thread = await unit.threads.create(id="t", session_id=session.id)
        await unit.history.add_message(thread_id=thread.id, role="user", content="hi")
        checkpoint = await unit.checkpoints.save("t", {"n": 1})
        await unit.records.save({"id": "x", "type": "note", "data": {"a": 1}})
        await unit.threads.fork("t", at=checkpoint.id, id="f")
        assert {} == await storage.kinds()

    [commit] = [commit async for commit in storage.feed()]
    assert 10 == len(commit.changes)
    assert ["hi"] == [m.content for m in await storage.history.messages("f")]


async def test_an_exception_leaves_nothing(storage: Storage) -> None:
    """An error inside the block undoes everything, and reaches the caller."""
    with pytest.raises(RuntimeError, match="stop"):
        async with storage.unit() as unit:
            await unit.sessions.create(id="s")
            await unit.records.save({"id": "x", "type": "note"})
            raise RuntimeError("stop")

    assert {} == await storage.kinds()


@pytest.mark.seed("4.5")
async def test_a_cancelled_unit_leaves_nothing(storage: Storage) -> None:
    """A unit cancelled before its commit never happened."""
    begun = asyncio.Event()

    async def work() -> None:
        async with storage.unit() as unit:
            await unit.sessions.create(id="s")
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {} == await storage.kinds()


async def test_reads_see_the_units_own_changes(storage: Storage) -> None:
    """Within the unit everything looks as if it were done: reads, lists, counts and sums."""
    await storage.threads.create(id="t")
    for n in range(3):
        await storage.history.add_token_usage(
            thread_id="t", model="m", prompt_tokens=n, completion_tokens=0, id=f"old{n}"
        )

    async with storage.unit() as unit:
        await unit.history.add_token_usage(
            thread_id="t", model="m", prompt_tokens=10, completion_tokens=0, id="new"
        )
        newest = await unit.history.page(thread_id="t", newest_first=True, limit=2)
        oldest = await unit.history.page(thread_id="t", limit=10)
        inside = await unit.history.token_statistics()
        outside = await storage.history.token_statistics()

    assert ["new", "old2"] == [entry.id for entry in newest]
    assert ["old0", "old1", "old2", "new"] == [entry.id for entry in oldest]
    assert (13, 3) == (inside.prompt_tokens, outside.prompt_tokens)


async def test_a_record_changed_twice_is_written_once(storage: Storage) -> None:
    """Two changes of one record in a unit raise its version by one."""
    await storage.threads.create(id="t")

    async with storage.unit() as unit:
        await unit.threads.update("t", title="a")
        inside = await unit.threads.update("t", metadata={"k": 1})

    after = await storage.threads.get("t")
    assert ("a", {"k": 1}, 2) == (after.title, after.metadata, after.version)
    assert inside.version == after.version


async def test_what_is_made_and_deleted_within_never_was(storage: Storage) -> None:
    """Creating and deleting in one unit leaves no trace but an unused id."""
    async with storage.unit() as unit:
        await unit.sessions.create(id="s")
        await unit.sessions.delete("s")
        assert [] == list(await unit.sessions.list())

    assert {} == await storage.kinds()


@pytest.mark.seed("5.2")
async def test_whoever_is_late_is_told(storage: Storage) -> None:
    """A unit that read what somebody else then changed is refused as a whole."""
    await storage.threads.create(id="t", title="before")
    await storage.sessions.create(id="s")

    with pytest.raises(Conflict) as caught:
        async with storage.unit() as unit:
            thread = await unit.threads.get("t")
            await unit.sessions.update("s", title=f"seen: {thread.title}")
            await storage.threads.update("t", title="after")

    assert "t" == getattr(caught.value.facts["key"], "id", None)
    assert "" == (await storage.sessions.get("s")).title


async def test_what_was_read_once_does_not_change(storage: Storage) -> None:
    """A second look within the unit gives the same, whatever others do meanwhile."""
    await storage.threads.create(id="t", title="before")

    async with storage.unit() as unit:
        first = await unit.threads.get("t")
        await storage.threads.update("t", title="after")
        assert first == await unit.threads.get("t")


async def test_a_unit_within_a_unit_joins_or_vanishes(storage: Storage) -> None:
    """An inner unit that fails leaves the outer one whole; one that ends joins it."""
    async with storage.unit() as outer:
        await outer.sessions.create(id="outer")
        async with outer.unit() as inner:
            await inner.sessions.create(id="inner")
        with pytest.raises(RuntimeError):
            async with outer.unit() as failing:
                await failing.sessions.create(id="lost")
                raise RuntimeError
        assert {} == await storage.kinds()

    assert ["inner", "outer"] == sorted(s.id for s in await storage.sessions.list())


async def test_an_ended_unit_cannot_go_on(storage: Storage) -> None:
    """A unit is used once."""
    unit = storage.unit()
    async with unit:
        await unit.sessions.create(id="s")

    with pytest.raises(Invalid, match="has ended"):
        await unit.commit()
    with pytest.raises(Invalid, match="has ended"):
        async with unit:
            pass


async def test_a_unit_that_only_reads_writes_nothing(storage: Storage) -> None:
    """Reading leaves no commit in the feed."""
    await storage.sessions.create(id="s")
    before = [commit.seq async for commit in storage.feed()]

    async with storage.unit() as unit:
        await unit.sessions.get("s")

    assert before == [commit.seq async for commit in storage.feed()]
    assert unit.applied is None


@pytest.mark.seed("5.1")
async def test_concurrent_transfers_keep_the_sum(storage: Storage) -> None:
    """Thirty transfers by three tasks, each retried on conflict, lose nothing."""
    for name in ("a", "b", "c"):
        await storage.records.save({"id": name, "type": "account", "data": {"sum": 100}})

    async def move(source: str, target: str) -> None:
        while True:
            try:
                async with storage.unit() as unit:
                    rows = [await unit.records.load(name) for name in (source, target)]
                    for row, change in zip(rows, (-1, 1), strict=True):
                        assert row is not None
                        await unit.records.update(
                            row["id"], {"data": {"sum": row["data"]["sum"] + change}}
                        )
            except Conflict:
                continue
            return

    async def worker(source: str, target: str) -> None:
        for _ in range(10):
            await move(source, target)

    await asyncio.gather(worker("a", "b"), worker("b", "c"), worker("a", "c"))

    sums = {row["id"]: row["data"]["sum"] for row in await storage.records.list()}
    assert {"a": 80, "b": 100, "c": 120} == sums


@pytest.mark.seed("3.4")
async def test_a_unit_expects_the_checkpoint_it_read_and_not_its_nodes(storage: Storage) -> None:
    """A long state read in a unit is one expectation, however many nodes it consists of."""
    await storage.threads.create(id="t")
    state = {"messages": [{"n": n, "text": "word " * 40} for n in range(300)]}
    saved = await storage.checkpoints.save("t", state)

    async with storage.unit() as unit:
        assert state == (await unit.checkpoints.load(saved.id)).state
        await unit.checkpoints.append("t", {"messages": [{"n": 300}]})

    [*_, commit] = [commit async for commit in storage.feed()]
    assert {"checkpoint", "head", "node"} >= {change.key.kind for change in commit.changes}
    latest = await storage.checkpoints.latest("t")
    assert latest is not None
    assert [*state["messages"], {"n": 300}] == latest.state["messages"]


async def _note(storage: Storage, id: str, **data: object) -> None:
    await storage.records.save({"id": id, "type": "note", "data": data})


@pytest.mark.seed("5.2")
@pytest.mark.parametrize("look", ["list", "count", "exists", "threads", "sum"])
async def test_no_phantom_slips_into_a_unit(storage: Storage, look: str) -> None:
    """What a unit listed or counted must not have become more when it ends."""
    await storage.sessions.create(id="s")
    await _note(storage, "log")

    with pytest.raises(Conflict) as caught:
        async with storage.unit() as unit:
            if look == "list":
                assert 1 == len(await unit.records.list({"type": "note"}))
            elif look == "count":
                assert 1 == await unit.records.count({"type": "note"})
            elif look == "exists":
                assert not await unit.records.exists("new")
            elif look == "threads":
                assert 0 == len(await unit.threads.list(session_id="s"))
            else:
                assert 0 == (await unit.history.token_statistics()).prompt_tokens
            await unit.sessions.update("s", title=f"seen by {look}")
            await _note(storage, "new")
            await storage.threads.create(id="t", session_id="s")
            await storage.history.add_token_usage(
                thread_id="t", model="m", prompt_tokens=1, completion_tokens=0
            )

    assert "phantom" == caught.value.code
    assert "" == (await storage.sessions.get("s")).title


@pytest.mark.seed("5.2")
async def test_what_a_list_did_not_reach_may_change(storage: Storage) -> None:
    """A list that was left early stands for what it showed, not for what would have followed."""
    for name in "abc":
        await _note(storage, name)

    async with storage.unit() as unit:
        async for row in unit.records.stream({"type": "note"}, batch_size=1):
            assert "a" == row["id"]
            break
        await unit.sessions.create(id="s")
        await storage.records.delete("c", type="note")
        await _note(storage, "d")

    assert unit.applied is not None


@pytest.mark.seed("5.2")
async def test_a_unit_that_only_reads_is_of_one_moment(storage: Storage) -> None:
    """Two reads with a write between them are refused; one read cannot be of two moments."""
    await storage.sessions.create(id="a")
    await storage.sessions.create(id="b")

    with pytest.raises(Conflict):
        async with storage.unit() as unit:
            await unit.sessions.get("a")
            await storage.sessions.update("a", title="moved")
            await storage.sessions.update("b", title="moved")
            await unit.sessions.get("b")
    async with storage.unit() as unit:
        await unit.sessions.get("a")
        await storage.sessions.update("a", title="again")
    async with storage.unit() as unit:
        assert ["again", "moved"] == [(await unit.sessions.get(name)).title for name in ("a", "b")]


async def test_a_list_may_be_changed_while_it_is_gone_through(storage: Storage) -> None:
    """Every record is met once, also those that the unit has changed ahead of it."""
    for n in range(6):
        await storage.sessions.create(id=f"s{n}", title="old")
    met: list[str] = []

    async with storage.unit() as unit:
        async for session in unit.sessions.stream():
            met.append(session.id)
            ahead = f"s{len(met) + 1}"
            if len(met) == 3:
                await unit.sessions.delete("s5")
            elif len(met) < 3:
                await unit.sessions.update(ahead, title="new")

    assert ["s0", "s1", "s2", "s3", "s4"] == met
    assert {"s2", "s3"} == {s.id async for s in storage.sessions.stream() if s.title == "new"}


@pytest.mark.seed("5.2")
@pytest.mark.parametrize("fails", [False, True])
async def test_what_an_inner_unit_read_is_the_outer_ones_or_forgotten(
    storage: Storage, fails: bool
) -> None:
    """What an ended inner unit saw must still be so at the end; a failed one saw nothing."""
    await storage.sessions.create(id="a")
    await _note(storage, "one")

    async def work() -> None:
        async with storage.unit() as outer:
            with pytest.raises(RuntimeError) if fails else nullcontext():
                async with outer.unit() as inner:
                    assert 1 == len(await inner.records.list({"type": "note"}))
                    await inner.sessions.get("a")
                    await inner.sessions.create(id="inner")
                    if fails:
                        raise RuntimeError
            assert fails != await outer.sessions.exists("inner")
            await outer.sessions.create(id="outer")
            await _note(storage, "two")

    if fails:
        await work()
    else:
        with pytest.raises(Conflict):
            await work()

    assert fails == await storage.sessions.exists("outer")


@pytest.mark.seed("5.2")
async def test_an_inner_unit_meets_what_the_outer_one_writes(storage: Storage) -> None:
    """A list that an inner unit saw is compared with what the outer unit has gathered since."""
    async with storage.unit() as outer:
        with pytest.raises(Conflict, match="come out differently"):
            async with outer.unit() as inner:
                assert 0 == await inner.sessions.count()
                await outer.sessions.create(id="between")
                await inner.records.save({"id": "x", "type": "note"})
        async with outer.unit() as inner:
            assert 1 == await inner.sessions.count()

    assert ["between"] == [s.id for s in await storage.sessions.list()]
    assert not await storage.records.exists("x")


async def test_a_unit_has_a_size(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of one batch a unit is refused in a sentence that names it."""
    monkeypatch.setattr("ropewalk.services.overlay.backend.MAX_BATCH_CHANGES", 3)
    await storage.sessions.create(id="a")

    with pytest.raises(Invalid, match="changed 3 records and read 1") as caught:
        async with storage.unit() as unit:
            await unit.sessions.get("a")
            for n in range(3):
                await unit.sessions.create(id=f"n{n}")

    assert "max_batch_changes" == caught.value.facts["limit"]
    assert 1 == await storage.sessions.count()
