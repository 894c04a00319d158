"""What LangGraph's pages promise of checkpointers, with real graphs on every back end."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph  # pyright: ignore[reportMissingTypeStubs]
from langgraph.store.base import BaseStore
from langgraph.types import Command, StateSnapshot

from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

from .chains import named, thread
from .graphs import Chat, chat, deltas, fan, nested, review, steps

pytestmark = pytest.mark.seed("3.4")

CONFIG: RunnableConfig = {"configurable": {"thread_id": "1"}}


@pytest.fixture
def saver(storage: Storage) -> RopewalkSaver:
    """Return a saver over each back end."""
    return RopewalkSaver(storage)


async def test_every_step_can_be_looked_at(saver: RopewalkSaver) -> None:
    """Persistence: the state of a thread, and of every step before, newest first."""
    graph = steps(saver)

    await graph.ainvoke({"foo": "", "bar": []}, CONFIG)

    state = await graph.aget_state(CONFIG)
    past: list[StateSnapshot] = [each async for each in graph.aget_state_history(CONFIG)]
    assert {"foo": "b", "bar": ["a", "b"]} == state.values
    assert [(), ("b",), ("a",), ("__start__",)] == [snapshot.next for snapshot in past]
    assert [2, 1, 0, -1] == [(snapshot.metadata or {}).get("step") for snapshot in past]
    assert past[1].config == past[0].parent_config
    assert "a" == (await graph.aget_state(past[1].config)).values["foo"]


async def test_history_can_be_filtered(saver: RopewalkSaver) -> None:
    """By the source of a step, before a checkpoint, and so many at most."""
    graph = steps(saver)
    await graph.ainvoke({"foo": "", "bar": []}, CONFIG)
    past = [snapshot async for snapshot in graph.aget_state_history(CONFIG)]

    inputs = [s async for s in graph.aget_state_history(CONFIG, filter={"source": "input"})]
    before = [s async for s in graph.aget_state_history(CONFIG, before=past[1].config)]
    two = [s async for s in graph.aget_state_history(CONFIG, limit=2)]

    assert ([past[3]], past[2:], past[:2]) == (inputs, before, two)


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_a_conversation_goes_on(saver: RopewalkSaver, durability: Any) -> None:  # noqa: ANN401
    """A thread remembers, another one does not, in each of LangGraph's ways to save."""
    graph = chat(saver)

    for text in ("one", "two"):
        said = [HumanMessage(text)]
        await graph.ainvoke({"messages": said}, CONFIG, durability=durability)
    other = await graph.ainvoke(
        {"messages": [HumanMessage("new")]},
        {"configurable": {"thread_id": "2"}},
        durability=durability,
    )

    state = await graph.aget_state(CONFIG)
    texts = [message.content for message in state.values["messages"]]
    assert ["one", "1: one", "two", "3: two"] == texts
    assert [HumanMessage, AIMessage] * 2 == [type(m) for m in state.values["messages"]]
    assert "1: new" == other["messages"][-1].content


async def test_messages_can_be_changed_and_removed(saver: RopewalkSaver) -> None:
    """An update of the state is a checkpoint of its own, with the values that reducers make."""
    graph = chat(saver)
    await graph.ainvoke({"messages": [HumanMessage("one", id="m1")]}, CONFIG)

    config = await graph.aupdate_state(CONFIG, {"messages": [HumanMessage("better", id="m1")]})
    changed = (await graph.aget_state(config)).values["messages"]
    await graph.aupdate_state(CONFIG, {"messages": [RemoveMessage(id="m1")]})

    assert ["better", "1: one"] == [message.content for message in changed]
    assert 1 == len((await graph.aget_state(CONFIG)).values["messages"])


async def test_time_can_be_travelled(saver: RopewalkSaver) -> None:
    """A run from an old checkpoint, and one from an old state that was changed, both branch off."""
    graph = steps(saver)
    await graph.ainvoke({"foo": "", "bar": []}, CONFIG)
    past = [snapshot async for snapshot in graph.aget_state_history(CONFIG)]
    after_a = past[1]

    replayed = await graph.ainvoke(None, after_a.config)
    forked = await graph.aupdate_state(after_a.config, {"bar": ["changed"]})
    result = await graph.ainvoke(None, forked)

    assert {"foo": "b", "bar": ["a", "b"]} == replayed
    assert {"foo": "b", "bar": ["a", "changed", "b"]} == result
    assert {"foo": "b", "bar": ["a", "b"]} == (await graph.aget_state(past[0].config)).values
    assert result == (await graph.aget_state(CONFIG)).values


async def test_a_person_can_be_waited_for(saver: RopewalkSaver) -> None:
    """Two interrupts in one node are answered one after the other, by another process maybe."""
    asked = await review(saver).ainvoke({"text": "hi"}, CONFIG)
    waiting = await review(saver).aget_state(CONFIG)
    again = await review(saver).ainvoke(Command(resume="fine"), CONFIG)
    done = await review(saver).ainvoke(Command(resume="yes"), CONFIG)

    assert {"question": "good?", "text": "hi!"} == asked["__interrupt__"][0].value
    assert ("ask",) == waiting.next
    assert "sure?" == again["__interrupt__"][0].value
    assert {"text": "HI!", "answers": ["fine", "yes"]} == done


async def test_subgraphs_keep_their_own_checkpoints(saver: RopewalkSaver) -> None:
    """An interrupt three graphs deep can be seen from outside and answered, as LangGraph does."""
    answers: list[Any] = []
    for each in (saver, InMemorySaver()):
        graph = nested(each)
        asked = await graph.ainvoke({"foo": "", "bar": []}, CONFIG)
        state = await graph.aget_state(CONFIG, subgraphs=True)
        inner = state.tasks[0].state
        assert "inner?" == asked["__interrupt__"][0].value
        assert ("deep",) == inner.next
        assert ("stop",) == inner.tasks[0].state.next
        answers.append(await graph.ainvoke(Command(resume="yes"), CONFIG))

    namespaces = [named(found.config)["checkpoint_ns"] async for found in saver.alist(CONFIG)]
    assert "inner yes" in answers[0]["bar"]
    assert answers[1] == answers[0]
    assert {0, 1, 2} == {len(name.split("|")) if name else 0 for name in namespaces}


async def test_lasting_subgraphs_remember_between_runs(saver: RopewalkSaver) -> None:
    """A subgraph that keeps its own memory finds it again, and time travel finds its past."""
    graph = nested(saver, lasting=True, leave=False)

    for _ in range(3):
        await graph.ainvoke({"foo": "", "bar": []}, CONFIG)
    owns = [
        found.checkpoint["channel_values"].get("own")
        async for found in saver.alist(thread("1", "child|deep"))
    ]
    past = [snapshot async for snapshot in graph.aget_state_history(CONFIG)]
    again = await graph.ainvoke(None, next(s for s in past if s.next == ("child",)).config)

    assert "xxx" == owns[0]
    assert again["bar"]


async def test_many_tasks_at_once_keep_their_order(saver: RopewalkSaver) -> None:
    """Sixty parallel tasks write their results at the same time, and each counts once."""
    subjects = [f"s{number:02}" for number in range(60)]

    result = await fan(saver).ainvoke({"subjects": subjects, "found": []}, CONFIG)

    assert [*(f"about {subject}" for subject in subjects), "all 60"] == result["found"]
    state = await fan(saver).aget_state(CONFIG)
    assert result == state.values


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_delta_channels_are_rebuilt(saver: RopewalkSaver, durability: Any) -> None:  # noqa: ANN401
    """What is read at each step is what was there, across snapshots, forks and pruning."""
    graph = deltas(saver)
    expected: list[str] = []
    for turn in range(5):
        await graph.ainvoke({"count": turn, "log": ["in"]}, CONFIG, durability=durability)
        expected += ["in", f"left {turn}", f"right {turn}", "next"]

    newest = await graph.aget_state(CONFIG)
    assert expected == newest.values["log"]
    for seen in [snapshot async for snapshot in graph.aget_state_history(CONFIG)]:
        log = seen.values.get("log", [])
        assert expected[: len(log)] == log

    before = [found async for found in saver.alist(CONFIG)]
    await saver.aprune(["1"])
    left = [found async for found in saver.alist(CONFIG)]
    assert len(left) < len(before)
    assert expected == (await graph.aget_state(CONFIG)).values["log"]
    await saver.acopy_thread("1", "copy")
    await saver.adelete_thread("1")
    copy: RunnableConfig = {"configurable": {"thread_id": "copy"}}
    assert expected == (await graph.aget_state(copy)).values["log"]
    await graph.ainvoke({"count": 9, "log": ["in"]}, copy, durability=durability)
    assert [*expected, "in", "left 9", "right 9", "next"] == (await graph.aget_state(copy)).values[
        "log"
    ]


async def test_a_pruned_conversation_goes_on(saver: RopewalkSaver) -> None:
    """Pruning leaves one checkpoint of a thread without delta channels, and it has all of it."""
    graph = chat(saver)
    for text in ("one", "two"):
        await graph.ainvoke({"messages": [HumanMessage(text)]}, CONFIG)

    await saver.aprune(["1"])
    left = [found async for found in saver.alist(CONFIG)]
    result = await graph.ainvoke({"messages": [HumanMessage("three")]}, CONFIG)

    assert 1 == len(left)
    assert "5: three" == result["messages"][-1].content


async def test_memories_stand_beside_threads(storage: Storage) -> None:
    """A node writes to the long-term memory of a user, which another thread finds."""
    from ropewalk.frontends.langgraph import RopewalkStore

    def remember(state: Chat, *, store: BaseStore) -> dict[str, Any]:
        known = [item.value["text"] for item in store.search(("u", "memories"))]
        heard = str(state["messages"][-1].content)
        store.put(("u", "memories"), str(len(known)), {"text": heard})
        return {"messages": [AIMessage(f"known: {known}")]}

    builder: Any = StateGraph(Chat)
    builder.add_node("remember", remember)
    builder.add_edge(START, "remember")
    graph = builder.compile(checkpointer=RopewalkSaver(storage), store=RopewalkStore(storage))

    first = await graph.ainvoke({"messages": [HumanMessage("likes tea")]}, CONFIG)
    other: RunnableConfig = {"configurable": {"thread_id": "2"}}
    second = await graph.ainvoke({"messages": [HumanMessage("hello")]}, other)

    assert "known: []" == first["messages"][-1].content
    assert "known: ['likes tea']" == second["messages"][-1].content
