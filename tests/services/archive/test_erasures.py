"""An erasure leaves nothing of a person that anybody could read, and nothing less of the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

import ropewalk
from ropewalk.domain.archive import Scope
from ropewalk.domain.change import Batch, Put
from ropewalk.domain.checkpoint import Write
from ropewalk.domain.errors import Conflict, Denied, NotFound
from ropewalk.domain.memory import Name, Vectors
from ropewalk.domain.migration import OnConflict, Plan
from ropewalk.domain.record import Key
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("3.5")

SIGNS: Final = {"ada": "Aardvark-7f3", "bob": "Bumblebee-9c1"}
"""A word that stands in everything of a person, and nowhere else."""


async def _live(storage: Storage, user: str) -> str:
    """Let a person leave something in every module; return the id of their thread."""
    sign = SIGNS[user]
    session = await storage.sessions.create(title=sign, user_id=user, metadata={"about": sign})
    await storage.sessions.add_interaction(session.id, "user_request", sign)
    thread = await storage.threads.create(session_id=session.id, title=sign)
    state: dict[str, Any] = {"messages": [], "common": ["the same for everybody"] * 50}
    message = await storage.history.add_message(thread_id=thread.id, role="user", content=sign)
    checkpoint = await storage.checkpoints.save(thread.id, state)
    for step in range(30):
        message = await storage.history.add_message(
            thread_id=thread.id, role="user", content=f"{sign} {step}"
        )
        state["messages"].append(
            {"text": f"{sign} says {step}, at some length, to be kept", "n": step}
        )
        checkpoint = await storage.checkpoints.save(thread.id, state)
    await storage.history.add_tool_call(thread_id=thread.id, tool_name="find", tool_input=sign)
    await storage.threads.fork(thread.id, at=message.id, name=sign)
    await storage.threads.snapshot(thread.id, name=sign)
    write = Write(task_id="t", index=0, channel="c", value=sign)
    await storage.states.put_writes(checkpoint.id, thread.id, [write], replace=False)
    async with storage.run(thread.id, workflow_id="w", metadata={"for": sign}) as run:
        await run.step("once", lambda _: _result(sign))
    name = Name(("users", user), "taste")
    memory = storage.memories.draft(name, {"likes": sign})
    vectors = Vectors(name=name, dims=1, floats=b"\0\0\0\0")
    await storage.memories.write([memory], vectors=[vectors])
    await storage.records.save({"type": "note", "data": {"of": sign}, "session_id": session.id})
    own = {"type": "profile", "data": {"of": sign}, "metadata": {"user_id": user}}
    await storage.records.save(own)
    return thread.id


async def _result(sign: str) -> str:
    return sign


async def _told(storage: Storage, path: Path) -> str:
    """Return everything that can be read of a store."""
    await storage.archives.export(path)
    return path.read_text()


async def test_nothing_of_a_person_remains(tmp_path: Path) -> None:
    """No record names them, no body has a word of theirs; the other person's are what they were."""
    async with ropewalk.open(f"sqlite:///{tmp_path / 'a.db'}") as storage:
        ada, bob = await _live(storage, "ada"), await _live(storage, "bob")
        scope = Scope(user_id="bob")
        before = await storage.archives.export(tmp_path / "bob.jsonl", scope)
        plan = await storage.erasures.erase("ada")
        assert plan.dry_run
        assert SIGNS["ada"] in await _told(storage, tmp_path / "all.jsonl")
        done = await storage.erasures.erase("ada", dry_run=False)
        rest = await _told(storage, tmp_path / "rest.jsonl")
        after = await storage.archives.export(tmp_path / "bob.jsonl", scope)
        with pytest.raises(NotFound):
            await storage.threads.get(ada)
        assert await storage.checkpoints.latest(bob) is not None
        assert (await storage.checkpoints.verify()).is_whole
        again = await storage.erasures.erase("ada", dry_run=False)
    # Dictionaries may repeat pieces of states, which the receipt says.
    assert "" == "".join(
        line
        for line in rest.splitlines()
        if '"kind":"dictionary"' not in line and SIGNS["ada"] in line
    )
    assert ada not in re.sub(r'.*"kind":"(lease|fence|dictionary)".*\n', "", rest)
    assert "users.ada" not in rest
    assert before.content == after.content
    assert plan.digest == done.digest
    assert dict(plan.records) == {k: v for k, v in done.records.items() if k != "node"}
    assert done.records["node"] > 0
    assert ("users.ada",) == done.namespaces
    assert 0 == again.total
    assert {"session", "thread", "branch", "snapshot", "message", "tool_call", "checkpoint"} | {
        *("write", "memory", "vector", "run", "step", "interaction", "note", "profile", "head")
    } <= set(done.records)
    assert any("log of commits" in remainder.what for remainder in done.remains)


async def test_a_person_is_not_erased_below_the_work_of_others() -> None:
    """Threads of others that continue theirs stop it, named, until it is said that they may go."""
    async with ropewalk.open("memory://") as storage:
        ada, bob = await _live(storage, "ada"), await _live(storage, "bob")
        session = (await storage.threads.get(bob)).session_id
        fork = await storage.threads.fork(ada, name="bob goes on")
        moved = await storage.threads.fork(fork.id, name="further")
        await storage.threads.update(fork.id, metadata={"user_id": "bob"})
        await _hand_over(storage, fork.id, session)
        await _hand_over(storage, moved.id, session)
        with pytest.raises(Conflict) as caught:
            await storage.erasures.erase("ada", dry_run=False)
        assert ("has_forks", (fork.id,)) == (caught.value.code, caught.value.facts["forks"])
        assert (await storage.threads.get(ada)).id == ada
        done = await storage.erasures.erase("ada", dry_run=False, forks=True)
        assert {fork.id, moved.id} == set(done.forks)
        assert [bob] == [t.id for t in (await storage.threads.list()).items if t.origin is None]


async def _hand_over(storage: Storage, thread_id: str, session_id: str | None) -> None:
    """Let a thread be of another session, as imported data may be."""
    thread = await storage.threads.get(thread_id)
    assert thread.session_id != session_id
    backend = storage.migrations.backend
    [record] = await backend.get([Key("default", "thread", thread_id)])
    assert record is not None
    await backend.apply(Batch((Put.of(replace(record, session_id=session_id)),)))


async def test_an_erasure_that_was_broken_off_goes_on() -> None:
    """Stopped behind any batch, the next call does the rest, and its receipt counts all of it."""
    async with ropewalk.open("memory://") as storage:
        await _live(storage, "ada")
        expected = await storage.erasures.erase("ada")
        stops = 0
        while True:

            def stop(_: Mapping[str, int]) -> None:
                message = "enough"
                raise InterruptedError(message)

            try:
                done = await storage.erasures.erase("ada", dry_run=False, progress=stop)
            except InterruptedError:
                stops += 1
            else:
                break
        assert stops > 10
        records = {kind: count for kind, count in done.records.items() if kind != "node"}
        assert dict(expected.records) == records
        assert expected.digest == done.digest
        left = await storage.kinds()
    assert {} == {
        k: n for k, n in left.items() if k not in {"secret", "dictionary", "fence", "lease"}
    }


async def test_what_migrations_would_put_back_goes_too(tmp_path: Path) -> None:
    """Neither the notes of an import nor its rollback bring anything of the person back."""
    path = tmp_path / "a.jsonl"
    async with ropewalk.open("memory://") as storage:
        await _live(storage, "ada")
        await _live(storage, "bob")
        await storage.archives.export(path)
        note = next(
            row
            for row in await storage.records.list({"type": "note"})
            if row["data"]["of"] == SIGNS["ada"]
        )
        note["data"]["of"] += " anew"
        await storage.records.save(note)
        plan = Plan(name="back", on_conflict=OnConflict.OVERWRITE)
        run = await storage.migrations.run(storage.archives.source(path), plan)
        done = await storage.erasures.erase("ada", dry_run=False)
        assert done.notes > 30
        assert done.undone > 0
        await storage.migrations.rollback(run.run, force=True)
        receipt = await storage.erasures.erase("ada")
    assert 0 == receipt.total


async def test_the_log_of_commits_is_forgotten_on_request() -> None:
    """With `trim_feed` no commit names what was removed; a confined handle may not ask for it."""
    async with ropewalk.open("memory://") as storage:
        thread_id = await _live(storage, "ada")
        with pytest.raises(Denied):
            await storage.space("default").erasures.erase("ada", dry_run=False, trim_feed=True)
        done = await storage.erasures.erase("ada", dry_run=False, trim_feed=True)
        keys = [change.key.id async for commit in storage.feed() for change in commit.changes]
    assert done.commits > 50
    assert [] == [key for key in keys if thread_id in key]
    assert not any("log of commits" in remainder.what for remainder in done.remains)
