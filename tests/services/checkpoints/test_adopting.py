"""Checkpoints and writes that were made elsewhere are kept as they are, and cost what is new."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ormsgpack
import pytest

from ropewalk.domain.checkpoint import Checkpoint, PendingWrite
from ropewalk.domain.errors import Conflict, NotFound
from ropewalk.domain.opaque import Opaque
from ropewalk.domain.thread import Thread
from ropewalk.factory import open
from ropewalk.services.storage import Storage

pytestmark = pytest.mark.seed("7.2")

THEN = datetime(2024, 5, 4, tzinfo=UTC)
FORM = "langgraph"


def _checkpoint(id: str, parent_id: str | None, state: object, *, form: str = FORM) -> Checkpoint:
    return Checkpoint(
        id=id,
        thread_id="t",
        parent_id=parent_id,
        created_at=THEN,
        updated_at=THEN,
        state=state,
        form=form,
    )


def _messages(count: int) -> dict[str, Any]:
    each = [ormsgpack.packb(["m", "Message", {"content": f"{n} " * 60}]) for n in range(count)]
    return {"messages": [Opaque("langgraph:5", data) for data in each], "count": count}


async def _thread(storage: Storage) -> None:
    await storage.threads.adopt(Thread(id="t", root_id="t", created_at=THEN, updated_at=THEN))


@pytest.mark.parametrize("url", ["memory://", "sqlite:///store.db", "file:///store"])
async def test_a_state_in_another_form_stays_in_it(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its typed values come back as they were, and so do those of a write."""
    monkeypatch.chdir(tmp_path)
    write = PendingWrite(
        checkpoint_id="a",
        thread_id="t",
        task_id="task",
        index=-3,
        channel="__interrupt__",
        value=[Opaque("langgraph:2", b"\x90")],
        task_path="~",
        created_at=THEN,
        form=FORM,
    )
    async with open(url) as storage:
        await _thread(storage)
        checkpoint = _checkpoint("a", None, _messages(30))
        own = _checkpoint("b", "a", {"own": 1}, form="")
        await storage.checkpoints.adopt(checkpoint, own)
        await storage.checkpoints.adopt_writes(write)

        loaded = await storage.checkpoints.load("a")
        assert (checkpoint.state, FORM, THEN) == (loaded.state, loaded.form, loaded.created_at)
        assert ({"own": 1}, "") == (
            (found := await storage.checkpoints.load("b")).state,
            found.form,
        )
        assert write == await storage.checkpoints.pending_write(write.id)
        assert (await storage.checkpoints.verify()).is_whole
        with pytest.raises(Conflict):
            await storage.checkpoints.adopt(checkpoint)
        with pytest.raises(Conflict):
            await storage.checkpoints.adopt_writes(write)
        with pytest.raises(NotFound):
            await storage.checkpoints.pending_write("nothing")


async def test_what_a_parent_has_is_not_written_again() -> None:
    """Whether the parent comes in the same call, or was there before."""
    async with open("memory://") as storage:
        await _thread(storage)
        await storage.checkpoints.adopt(_checkpoint("a", None, _messages(60)))
        await storage.checkpoints.adopt(
            _checkpoint("b", "a", _messages(61)), _checkpoint("c", "b", _messages(62))
        )
        first, *others = [(await storage.checkpoints.get(id_)).size for id_ in "abc"]
        assert [_messages(n) for n in (60, 61, 62)] == [
            (await storage.checkpoints.load(id_)).state for id_ in "abc"
        ]
        assert (await storage.checkpoints.verify()).is_whole
    assert all(size * 8 < first for size in others)


async def test_whoever_knew_the_newest_looks_anew() -> None:
    """A checkpoint that is brought into a thread in use is seen by those who work in it."""
    async with open("memory://") as storage:
        await storage.states.put("5", "t", {"x": 5})
        newest = await storage.states.newest("t")
        assert newest is not None
        assert "5" == newest.id
        await storage.checkpoints.adopt(_checkpoint("7", "5", {"x": 7}, form=""))
        newest = await storage.states.newest("t")
        assert newest is not None
        assert "7" == newest.id
