"""Lists of checkpoints: in order, filtered, and left wherever the caller likes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.langgraph import RopewalkSaver
from ropewalk.services.storage import Storage

from .chains import Step, checkpoint, found_at, grow, id_of, ids, thread

pytestmark = pytest.mark.seed("3.4")


@pytest.fixture
def saver(storage: Storage) -> RopewalkSaver:
    """Return a saver over each back end."""
    return RopewalkSaver(storage)


async def test_lists_go_through_all_threads_in_the_order_of_ids(saver: RopewalkSaver) -> None:
    """Without a thread, ids alone decide; copies of a thread stand side by side."""
    for number in range(1, 31):
        config = thread(f"t{number % 3}", "child" if number % 2 else "")
        await saver.aput(config, checkpoint(Step(), id=f"{number}"), {"step": number}, {})
    await saver.acopy_thread("t0", "copy")

    everything = await _listed(saver, None)
    below = await _listed(saver, None, before=thread("any", id="28"))
    one = await _listed(saver, thread("t1", "child", "19"))
    anywhere = await _listed(saver, {"configurable": {"thread_id": "t0", "checkpoint_id": "3"}})

    numbers = sorted([*range(1, 31), *range(3, 31, 3)], key=str, reverse=True)
    assert [str(number) for number in numbers] == everything
    assert [str(number) for number in numbers if str(number) < "28"] == below
    assert (["19"], ["3"]) == (one, anywhere)
    assert ["9", "8"] == (await _listed(saver, None, filter={"step": 9}, limit=1)) + ["8"]
    assert [] == await _listed(saver, None, limit=0)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"größe": "ü"}, ["2"]),
        ({"user": {"id": 7}}, ["3", "2"]),
        ({"user.id": 7, "user.name": "n"}, ["3"]),
        ({"odd": None}, ["3", "2"]),
        ({"odd": {1, 2}}, ["1"]),
        ({"a.b": "dot"}, ["3"]),
        ({"x' OR 1=1 --": "y"}, []),
        ({"parents": {}}, ["3", "2", "1"]),
    ],
)
async def test_lists_can_be_filtered(
    saver: RopewalkSaver, wanted: dict[str, Any], expected: list[str]
) -> None:
    """By nested values, by names in any script, by values that no header can hold."""
    metadata: list[dict[str, Any]] = [
        {"odd": {1, 2}, "parents": {}},
        {"größe": "ü", "user": {"id": 7}, "parents": {}},
        {"user": {"id": 7, "name": "n"}, "a.b": "dot", "parents": {}},
    ]
    for number, each in enumerate(metadata, 1):
        await saver.aput(thread("t"), checkpoint(Step(), id=str(number)), each, {})  # type: ignore[arg-type]

    assert expected == await _listed(saver, thread("t"), filter=wanted)


async def test_a_wrong_filter_is_refused(saver: RopewalkSaver) -> None:
    """Before anything is read."""
    with pytest.raises(Invalid, match="filter"):
        await _listed(saver, None, filter=[("source", "loop")])


async def test_iterators_may_be_left_in_the_middle(saver: RopewalkSaver) -> None:
    """Whoever stops looking holds nothing up: others write meanwhile, from this loop or not."""
    await grow(saver, [Step({"n": n}) for n in range(20)], parent=thread("t"))

    left = saver.list(thread("t"))
    next(left)
    waiting = saver.alist(thread("t"))
    await anext(waiting)
    [new] = await grow(saver, [Step()], parent=thread("t"))
    assert id_of(new) == id_of((await found_at(saver, thread("t"))).config)
    await saver.adelete_thread("t")

    assert len([each for each in left]) < 20  # noqa: C416 (it has begun)
    assert len([each async for each in waiting]) < 20
    assert [] == await ids(saver, thread("t"))


def test_a_program_may_end_in_the_middle_of_a_list() -> None:
    """An iterator that is still there when a program ends does not keep it from ending."""
    program = """
        from langgraph.checkpoint.base import empty_checkpoint
        from ropewalk.frontends.langgraph import RopewalkSaver, opened

        with opened("memory://") as storage:
            saver = RopewalkSaver(storage)
            for _ in range(3):
                config = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
                saver.put(config, empty_checkpoint(), {}, {})
            left = saver.list(None)
            print(len(next(left).config))
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert ("1\n", "", 0) == (done.stdout, done.stderr, done.returncode)


async def _listed(
    saver: RopewalkSaver,
    config: RunnableConfig | None,
    **options: Any,  # noqa: ANN401
) -> list[str]:
    return [id_of(found.config) async for found in saver.alist(config, **options)]
