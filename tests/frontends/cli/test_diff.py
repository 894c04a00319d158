"""`ropewalk diff`: what differs between two states, for people and for programs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

import ropewalk
from ropewalk.frontends.langgraph import RopewalkSaver

from ...trees.test_differ import patched
from .test_terminal import ESCAPE, on_terminal
from .typing_it import Answer, spawned, typed

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

pytestmark = pytest.mark.seed("3.4")

OWN = "sqlite:///own.db"

LAST = """\
plan +1 (travel)
budget 260.00 → 80.20
ticket added: 6 bytes
"""


def saved(*states: object) -> None:
    """Keep states one after the other, on the thread `main` of a store of our own."""

    async def write() -> None:
        async with ropewalk.open(OWN) as storage:
            await storage.threads.create(id="main")
            for number, state in enumerate(states):
                await storage.checkpoints.save("main", state, id=f"step-{number}")

    asyncio.run(write())


@pytest.mark.parametrize(
    "refs", [("rome",), ("cp-rome-04",), ("rome~1", "rome"), ("rome~", "cp-rome-04")]
)
def test_one_line_for_each_part(store: str, refs: tuple[str, ...]) -> None:
    """Whatever names the two; one alone is compared with the checkpoint before it."""
    answer = typed("diff", *refs, "-u", store)
    assert (0, LAST) == (answer.code, answer.out)
    assert "from checkpoint cp-rome-02 of thread rome to checkpoint cp-rome-04" in answer.err


def test_two_threads_are_compared_at_their_ends(store: str) -> None:
    """Of one family and of two."""
    answer = typed("diff", "rome", "rome/cheaper", "-u", store)
    assert "ticket removed: 6 bytes" in answer.lines
    assert "cp-rome-cheaper-01 of thread rome-cheaper" in answer.err
    other = typed("diff", "rome", "hotel", "-u", store)
    assert 0 == other.code
    assert "hotel added: Pace" in other.lines


def test_equal_states_are_no_failure(store: str) -> None:
    """Nothing on stdout, a word on stderr, and 0 as for others."""
    answer = typed("diff", "rome", "cp-rome-04", "-u", store)
    assert (0, "") == (answer.code, answer.out)
    assert "the states are equal" in answer.err
    assert [] == typed("diff", "rome", "rome", "--json", "-u", store).json["differences"]
    assert [] == typed("diff", "rome", "rome", "--patch", "-u", store).json
    assert "" == typed("diff", "rome", "rome", "--stat", "-u", store).out


def test_programs_get_steps_and_values(store: str) -> None:
    """What stood there and what stands there, with types, and the steps that lead there."""
    told = typed("diff", "rome", "--json", "-u", store).json
    assert ("cp-rome-02", "cp-rome-04") == (told["old_id"], told["new_id"])
    assert [
        {"kind": "appended", "path": "plan[2]", "steps": ["plan", 2], "new": ["travel"]},
        {
            "kind": "changed",
            "path": "budget",
            "steps": ["budget"],
            "old": {"$decimal": "260.00"},
            "new": {"$decimal": "80.20"},
        },
        {
            "kind": "added",
            "path": "ticket",
            "steps": ["ticket"],
            "new": {"$bytes": "UVg3UDRN"},
        },
    ] == told["differences"]


def test_a_patch_makes_one_state_of_the_other(store: str) -> None:
    """JSON Patch for what `show --state --json` tells, forwards and back."""
    for old, new in (("rome~2", "rome"), ("rome", "rome~2"), ("rome", "hotel")):
        states = [
            typed("show", r, "--state", "--json", "-u", store).json["state"] for r in (old, new)
        ]
        assert states[1] == patched(states[0], typed("diff", old, new, "--patch", "-u", store).json)


def test_a_patch_fits_dictionaries_that_look_like_tagged_values() -> None:
    """A key that begins with a dollar sign is a key there as any other."""
    before: dict[str, Any] = {"schema": {"$ref": "#/a"}, "rows": [{"$x": 1}]}
    after: dict[str, Any] = {"schema": {"$ref": "#/b"}, "rows": [{"$x": 1}, {"$x": {"$y": 2}}]}
    saved(before, after)
    told = typed("diff", "main", "--patch", "-u", OWN).json
    assert after == patched(before, told)


def test_how_much_differs_in_each_part(store: str) -> None:
    """Keys and items that came, went and changed, for people and for programs."""
    told = typed("diff", "rome~2", "rome", "--stat", "--json", "-u", store).json
    figures = {
        part["part"]: (part["added"], part["removed"], part["changed"]) for part in told["parts"]
    }
    assert {
        "plan": (2, 0, 0),
        "budget": (0, 0, 1),
        "seats": (1, 0, 0),
        "train": (1, 0, 0),
        "ticket": (1, 0, 0),
    } == figures
    shown = typed("diff", "rome", "rome~2", "--stat", "-u", store).lines
    assert ["PART", "ADDED", "REMOVED", "CHANGED"] == shown[0].split()
    assert ["plan", "0", "2", "0"] == shown[1].split()


def test_a_state_that_is_no_dictionary_is_a_part_by_itself() -> None:
    """Where a whole state was replaced, the part has the empty path."""
    saved([1, 2], {"a": 1}, 5)
    told = typed("diff", "main~1", "main", "--stat", "--json", "-u", OWN).json
    assert [{"part": "", "added": 0, "removed": 0, "changed": 1}] == told["parts"]
    assert "state {1 key} → 5\n" == typed("diff", "main", "-u", OWN).out
    assert ["state", "0", "0", "1"] == typed("diff", "main", "--stat", "-u", OWN).lines[1].split()
    patch = typed("diff", "main~2", "main~1", "--patch", "-u", OWN).json
    assert [{"op": "replace", "path": "", "value": {"a": 1}}] == patch


def test_only_the_words_that_changed_are_shown() -> None:
    """A long text is told by what went and what came, however long it is."""
    long = "It was a long way to Rome, and nobody knew why. " * 40
    saved({"note": long}, {"note": long.replace("Rome", "Bari", 1)})
    [line] = typed("diff", "main", "-u", OWN).lines
    assert "[-Rome-] {+Bari+}" in line
    assert len(line) < 120


def test_nothing_in_a_state_moves_the_cursor() -> None:
    """Escapes in keys and values are written out."""
    saved({"a": 1}, {"a": "\x1b[2J", "k\x1b[1m": "x\x07"})
    out = typed("diff", "main", "-u", OWN).out
    assert ESCAPE not in out
    assert "\x07" not in out
    assert r"\x1b[2J" in out


def test_people_see_colours(demo: str) -> None:
    """Green for what came, red for what went, and in changed texts for the words."""
    out = on_terminal("diff", "rome", "-u", demo)
    assert "\x1b[32mticket added: 6 bytes" in out
    assert "\x1b[1mbudget\x1b[0m 260.00 → 80.20" in out
    assert "\x1b[31mticket removed: 6 bytes" in on_terminal("diff", "rome", "rome~", "-u", demo)
    assert "\x1b[32m" in on_terminal("diff", "rome", "--stat", "-u", demo)
    for refusal in ("--no-color", "--json", "--patch"):
        assert ESCAPE not in on_terminal("diff", "rome", refusal, "-u", demo)
    words = "one two three four five six seven eight nine ten eleven twelve "
    saved({"note": words + "old"}, {"note": words + "new"})
    assert "\x1b[31m[-old-]\x1b[0m \x1b[32m{+new+}" in on_terminal("diff", "main", "-u", OWN)


def test_arrows_become_ascii_where_there_are_none(demo: str) -> None:
    """A terminal without the arrow gets two signs for it, and no escape."""
    answer = spawned("diff", "rome", "-u", demo, PYTHONIOENCODING="ascii")
    assert "budget 260.00 -> 80.20" in answer.lines


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("cp-rome-01",), 4, "no checkpoint before 'cp-rome-01'"),
        (("rome~9", "rome"), 4, "checkpoints before"),
        (("rome", "nowhere"), 4, "'nowhere'"),
        (("trip", "rome"), 2, "has 5 threads"),
        (("rome", "--patch", "--stat"), 2, "not both"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_compared_is_said(
    store: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """As everywhere: 4 for what is not there, 2 for what is not clear."""
    answer = typed("diff", *arguments, "-u", store)
    assert (code, "") == (answer.code, answer.out)
    assert said in answer.err


def test_a_parent_that_was_deleted_is_passed_over() -> None:
    """One reference alone is compared with what is before it now."""
    saved({"n": 1}, {"n": 2}, {"n": 3})

    async def delete() -> None:
        async with ropewalk.open(OWN) as storage:
            await storage.checkpoints.delete("step-1")

    asyncio.run(delete())
    assert "n 1 → 3\n" == typed("diff", "main", "-u", OWN).out


def test_an_order_of_keys_is_told() -> None:
    """It is a difference for people and in JSON, and nothing for a patch."""
    saved({"d": {"a": 1, "b": 2}}, {"d": {"b": 2, "a": 1}})
    assert "d has its keys in another order\n" == typed("diff", "main", "-u", OWN).out
    [told] = typed("diff", "main", "--json", "-u", OWN).json["differences"]
    assert ("reordered", ["a", "b"], ["b", "a"]) == (told["kind"], told["old"], told["new"])
    assert [] == typed("diff", "main", "--patch", "-u", OWN).json
    answer: Answer = typed("diff", "main", "--stat", "-u", OWN)
    assert ["d", "0", "0", "1"] == answer.lines[1].split()


def test_messages_of_a_graph_are_told_by_who_speaks(tmp_path: Path) -> None:
    """What LangGraph kept is compared by the fields of its messages, without LangGraph."""
    config: RunnableConfig = {"configurable": {"thread_id": "desk", "checkpoint_ns": ""}}

    async def keep(storage: ropewalk.Storage, number: int, messages: list[object]) -> None:
        checkpoint: Any = {
            "v": 4,
            "id": f"1f1e6150-56bc-669b-8000-3c8d0f597b0{number}",
            "ts": "2026-01-01T00:00:00+00:00",
            "channel_values": {"messages": messages},
            "channel_versions": {"messages": str(number)},
            "versions_seen": {},
            "updated_channels": ["messages"],
        }
        metadata: Any = {"source": "loop", "step": number, "parents": {}}
        versions: Any = {"messages": str(number)}
        await RopewalkSaver(storage).aput(config, checkpoint, metadata, versions)

    async def write() -> None:
        async with ropewalk.open(OWN) as storage:
            first: list[object] = [HumanMessage("hi", id="1")]
            await keep(storage, 1, first)
            await keep(storage, 2, [*first, AIMessage("hello", id="2")])
            await keep(storage, 3, [*first, AIMessage("good day", id="2")])

    asyncio.run(write())
    assert (tmp_path / "own.db").exists()
    lines = typed("diff", "desk~2", "desk~1", "-u", OWN).lines
    assert ["messages +1 (ai)", "~checkpoint.channel_versions.messages 1 → 2"] == lines
    lines = typed("diff", "desk", "-u", OWN).lines
    assert "messages[1].content hello → good day" == lines[0]
