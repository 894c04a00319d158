"""The saver's own promises: any thread, any loop, any caller; exact values; clear errors."""

from __future__ import annotations

import asyncio
import copy
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

import ropewalk
from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkSaver, opened
from ropewalk.services.storage import Storage

from .chains import Step, checkpoint, found_at, grow, id_of, named, snapshot, thread
from .graphs import fan, started, steps
from .kinds import Order
from .test_values import Keystream

pytestmark = pytest.mark.seed("3.4")


@pytest.fixture
def saver(storage: Storage) -> RopewalkSaver:
    """Return a saver over each back end."""
    return RopewalkSaver(storage)


async def test_a_checkpoint_is_a_checkpoint_of_the_house(storage: Storage) -> None:
    """Its thread, its time and LangGraph's metadata are seen by every other part of the store."""
    saver = RopewalkSaver(storage)
    new = {**checkpoint(Step({"messages": ["a"]})), "ts": "2026-11-22T01:02:03.5+01:00"}

    await saver.aput(thread("t"), new, {"source": "input", "step": -1, "run_id": "r"}, {})  # type: ignore[arg-type]

    page = await storage.checkpoints.list("t")
    [header] = page.items
    assert "t" == (await storage.threads.get("t")).id
    assert "r" == header.metadata["run_id"]
    assert datetime(2026, 11, 22, 0, 2, 3, 500_000, tzinfo=UTC) == header.created_at
    assert str(new["id"]) == header.id.split("+")[0]
    assert ["a"] == (await storage.checkpoints.load(header.id)).state["messages"]


@pytest.mark.parametrize("given", [7, UUID(int=7), "seven"])
async def test_a_thread_is_called_as_the_caller_calls_it(saver: RopewalkSaver, given: Any) -> None:  # noqa: ANN401
    """A number or a UUID comes back as such to who gave it, and as text to who did not."""
    config: RunnableConfig = {"configurable": {"thread_id": given}}

    stored = await saver.aput(config, checkpoint(Step(), id="c"), {}, {})
    child = await saver.aput(stored, checkpoint(Step(), id="d"), {}, {})
    found = await found_at(saver, config)
    [newest, _] = [each async for each in saver.alist(config)]
    [anyone, _] = [each async for each in saver.alist(None)]

    assert child == found.config == newest.config
    assert stored == found.parent_config
    assert given == named(child)["thread_id"]
    assert str(given) == named(anyone.config)["thread_id"]


async def test_synchronous_calls_work_inside_a_running_loop(saver: RopewalkSaver) -> None:
    """Every synchronous method can be called from asynchronous code, on its very thread."""
    config = started(saver, "t")
    [first, *_] = saver.list(config, limit=1)
    graph = steps(saver)
    saver.put_writes(first.config, [("bar", ["w"])], "task")
    history = saver.get_delta_channel_history(config=first.config, channels=["bar"])
    saver.copy_thread("t", "copy")
    saver.prune(["t"])
    saver.delete_for_runs(["none"])

    assert {"foo": "b", "bar": ["a", "b"]} == graph.get_state(config).values
    assert {"foo": "b", "bar": ["a", "b"]} == (await graph.aget_state(config)).values
    assert "seed" in history["bar"]
    assert 1 == len(list(saver.list(config)))
    assert 4 == len(list(saver.list(thread("copy"))))
    saver.delete_thread("copy")
    assert saver.get_tuple(thread("copy")) is None
    assert saver.get(config) is not None


def test_a_program_without_a_loop_is_served(url: str) -> None:
    """Opened for a synchronous program, the store serves graphs in many threads."""
    with opened(url) as storage:
        saver = RopewalkSaver(storage)
        with ThreadPoolExecutor(6) as pool:
            results = list(pool.map(partial(_ran, saver), map(str, range(12))))

        assert [{"foo": "b", "bar": ["a", "b"]}] * 12 == results
        assert 48 == len(list(saver.list(None)))


async def test_loops_and_threads_meet_on_one_store(saver: RopewalkSaver) -> None:
    """Asynchronous graphs on this loop, others on other loops, synchronous ones: all at once."""

    async def awaited(name: str) -> Any:  # noqa: ANN401 (a state)
        return await steps(saver).ainvoke({"foo": "", "bar": []}, thread(name))

    def on_another_loop(name: str) -> Any:  # noqa: ANN401 (a state)
        return asyncio.run(awaited(name))

    results = await asyncio.gather(
        *(awaited(f"a{n}") for n in range(4)),
        *(asyncio.to_thread(_ran, saver, f"s{n}") for n in range(4)),
        *(asyncio.to_thread(on_another_loop, f"l{n}") for n in range(4)),
    )

    assert [{"foo": "b", "bar": ["a", "b"]}] * 12 == results


async def test_two_graphs_may_run_on_one_thread(saver: RopewalkSaver) -> None:
    """Each goes its own way from where it began, and neither loses a checkpoint."""
    subjects = {"subjects": ["x", "y"], "found": []}

    results = await asyncio.gather(*(fan(saver).ainvoke(subjects, thread("t")) for _ in range(5)))

    assert all("about x" in result["found"] for result in results)
    found = [each async for each in saver.alist(thread("t"))]
    known = {id_of(each.config) for each in found}
    assert 5 * 4 == len(known)
    assert all(each.parent_config is None or id_of(each.parent_config) in known for each in found)


async def test_copies_of_a_saver_are_savers(saver: RopewalkSaver) -> None:
    """LangGraph copies a saver to give it another serializer; both go on working."""
    twin = copy.copy(saver)
    twin.serde = JsonPlusSerializer(allowed_msgpack_modules=[])
    allowing = twin.with_allowlist([(Order.__module__, "Order")])
    step = Step({"order": Order(name="n")})

    [config] = await grow(saver, [step], parent=thread("t"))

    plain: dict[str, Any] = {"name": "n", "amount": 0.5, "tags": []}
    values = [
        (await found_at(each, config)).checkpoint["channel_values"]["order"]
        for each in (saver, twin, allowing)
    ]
    assert [Order(name="n"), plain, Order(name="n")] == values
    assert saver.with_allowlist([]) is saver


async def test_encrypted_values_cannot_be_seen_in_the_file(tmp_path: Path) -> None:
    """Channels, writes and what LangGraph notes of them are hidden, and come back with the key."""
    serde = EncryptedSerializer(Keystream(), JsonPlusSerializer())
    path = tmp_path / "store.db"
    async with ropewalk.open(f"sqlite:///{path}") as storage:
        saver = RopewalkSaver(storage, serde=serde)
        step = Step({"secret": ["hush-hush"] * 99}, [("secret", "pssst-pssst")])
        [config] = await grow(saver, [step], parent=thread("t"))
        found = await found_at(saver, config)
        with pytest.raises(Invalid, match="serializer that wrote it"):
            await RopewalkSaver(storage).aget_tuple(config)

    assert ["hush-hush"] * 99 == found.checkpoint["channel_values"]["secret"]
    assert ["pssst-pssst"] == [value for _, _, value in found.pending_writes or []]
    stored = path.read_bytes()
    assert b"hush" not in stored
    assert b"pssst" not in stored


async def test_big_snapshots_share_what_they_have_in_common(storage: Storage) -> None:
    """A snapshot of a delta channel that grew by one item costs about that item."""
    saver = RopewalkSaver(storage)
    items = [f"item {number} " * 20 for number in range(400)]
    [first] = await grow(saver, [Step({"ch": snapshot(items)})], parent=thread("t"))

    [second] = await grow(saver, [Step({"ch": snapshot([*items, "new"])})], parent=first)

    page = await storage.checkpoints.list("t")
    assert page.items[0].size < page.items[1].size / 10
    assert (
        snapshot([*items, "new"])
        == (await found_at(saver, second)).checkpoint["channel_values"]["ch"]
    )


def test_versions_grow_and_are_never_the_same() -> None:
    """Two branches that go on from one version get different ones, greater than it."""
    saver = RopewalkSaver.__new__(RopewalkSaver)
    first = saver.get_next_version(None, None)

    left, right = (saver.get_next_version(first, None) for _ in range(2))

    assert first < left != right > first
    assert f"{1:032}." == first[:33]
    assert f"{10:032}." == saver.get_next_version(9, None)[:33]  # type: ignore[arg-type]


def _ran(saver: RopewalkSaver, name: str) -> Any:  # noqa: ANN401 (a state)
    return steps(saver).invoke({"foo": "", "bar": []}, thread(name))
