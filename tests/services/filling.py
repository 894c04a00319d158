"""`fill`: something of every kind that a program can write, with one mark in all of it."""

from __future__ import annotations

from datetime import timedelta

from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.memory import Name, Vectors
from ropewalk.domain.moment import from_micros
from ropewalk.services.storage import Storage


async def fill(handle: Storage, mark: str, *, clock: FrozenClock) -> None:
    """Write something of every kind; `mark` is in each of them."""
    await handle.sessions.create(id="s", title=mark, user_id=mark, tags=[mark])
    await handle.sessions.add_interaction("s", "click", mark, id="i")
    await handle.threads.create(id="t", session_id="s", title=mark)
    for add in (
        handle.history.add_message(thread_id="t", role="user", content=mark, id="m"),
        handle.history.add_tool_call(thread_id="t", tool_name=mark, id="tool"),
        handle.history.add_llm_request(thread_id="t", model=mark, id="asked"),
        handle.history.add_llm_response(thread_id="t", model=mark, content=mark, id="said"),
        handle.history.add_token_usage(
            thread_id="t", model=mark, prompt_tokens=1, completion_tokens=1, id="used"
        ),
        handle.history.add_cost(thread_id="t", model=mark, total_cost="0.5", id="paid"),
    ):
        await add
    for step in range(3):
        state = {"log": [f"{mark} {n}" for n in range(100)], "step": step}
        await handle.checkpoints.save("t", state, id=f"c{step}", metadata={"by": mark})
    await handle.threads.fork("t", at="c1", id="f", name=mark)
    await handle.threads.snapshot("t", mark)
    name = Name((mark,), "k")
    await handle.memories.write(
        [handle.memories.draft(name, {"v": mark}, ttl=timedelta(days=1))],
        vectors=[Vectors(name=name, dims=1, floats=b"\0\0\0\0")],
    )
    await handle.records.save({"id": "r", "type": "note", "data": {"v": mark}})
    await handle.records.save(
        {"id": "old", "type": "note", "expires_at": from_micros(clock.now() + 1)}
    )
    await handle.grants.give("elsewhere", kind="message", note=mark)
