"""`ropewalk show`: one thing whole, or a part of a state."""

from __future__ import annotations

import pytest

from .typing_it import typed

STATE = """\
goal: a weekend in Rome
plan:
  - search
  - book
budget: !decimal 260.00
leaves_at: !datetime 2025-06-27T08:10:00+00:00
seats: !set
  - 12A
  - 12B
train: !tuple
  - FR
  - 9521
"""


def test_a_state_is_shown_with_its_types(store: str) -> None:
    """People see one line for each part, with the types that JSON does not have."""
    answer = typed("show", "rome~1", "--state", "-u", store)
    assert (0, STATE) == (answer.code, answer.out)
    assert "cp-rome-02" in answer.err


def test_json_keeps_the_types(store: str) -> None:
    """Programs get the same, each value without a JSON form under its tag."""
    told = typed("show", "cp-rome-02", "--state", "--json", "-u", store).json
    assert {
        "goal": "a weekend in Rome",
        "plan": ["search", "book"],
        "budget": {"$decimal": "260.00"},
        "leaves_at": {"$datetime": "2025-06-27T08:10:00+00:00"},
        "seats": {"$set": ["12A", "12B"]},
        "train": {"$tuple": ["FR", 9521]},
    } == told["state"]
    assert ("cp-rome-02", "rome") == (told["checkpoint_id"], told["thread_id"])


@pytest.mark.parametrize(
    ("path", "shown", "value"),
    [
        ("plan.0", "search\n", "search"),
        ("plan.-1", "travel\n", "travel"),
        ("plan[0]", "search\n", "search"),
        ("plan[-2:]", "- book\n- travel\n", ["book", "travel"]),
        ("train.1", "9521\n", 9521),
        ("budget", "!decimal 80.20\n", {"$decimal": "80.20"}),
        ("plan", "- search\n- book\n- travel\n", ["search", "book", "travel"]),
    ],
)
def test_a_part_of_a_state_can_be_asked_for(
    store: str, path: str, shown: str, value: object
) -> None:
    """--path leads to a key or an item, for people and for programs."""
    assert shown == typed("show", "rome", "--path", path, "-u", store).out
    assert value == typed("show", "rome", "--path", path, "--json", "-u", store).json["value"]


@pytest.mark.parametrize(
    ("path", "code", "said"),
    [
        ("plan.7", 4, "there are 3 items"),
        ("wishes", 4, "there are goal, plan, budget"),
        ("goal.0", 4, "it is a str, which has no parts"),
        ("seats.0", 4, "it is a set, which has no parts"),
        ("plan..0", 2, "is no path into a state"),
        ("plan[0", 2, "write it like plan.0.city"),
    ],
)
def test_a_path_that_leads_nowhere_is_said(store: str, path: str, code: int, said: str) -> None:
    """The error says what there is instead."""
    answer = typed("show", "rome", "--path", path, "-u", store)
    assert (code, "") == (answer.code, answer.out)
    assert said in answer.err


def test_messages_are_those_of_the_line(store: str) -> None:
    """--messages follows a fork into its parents, oldest first, up to the place that is named."""
    told = typed("show", "rome/reworded", "--messages", "--json", "-u", store).json["messages"]
    assert ["msg-rome-01", "msg-rome-02"] == [message["id"] for message in told[:2]]
    assert "in the evening, and a seat at the window" == told[2]["content"]
    upto = typed("show", "cp-rome-01", "--messages", "--json", "-u", store).json["messages"]
    assert "msg-rome-04" == upto[-1]["id"]
    out = typed("show", "rome", "--messages", "-u", store).out
    assert out.startswith("user  2025-06-15T09:00:20Z  msg-rome-01\n  find me a train")
    assert "Saturday" not in out


def test_a_session_is_shown_with_its_messages(store: str) -> None:
    """The messages of a session are those of all its threads."""
    told = typed("show", "session:help", "--messages", "--json", "-u", store).json["messages"]
    assert 14 == len(told)


@pytest.mark.parametrize(
    ("ref", "kind", "lines"),
    [
        ("trip", "session", ["title: A weekend in Rome", "  rome: trains to Rome", "forks: 3"]),
        ("rome", "thread", ["newest checkpoint: cp-rome-04", "  cheaper (active): rome-cheaper"]),
        ("cp-rome-01", "checkpoint", ["  budget: !decimal 260.00", "workflow_id: planner"]),
        ("rome/before booking", "snapshot", ["name: before booking", "checkpoint_id: cp-rome-02"]),
        ("msg-rome-03", "message", ["role: user", "thread_id: rome"]),
        ("tool-rome-02", "tool_call", ["error: the card was declined", "tool_name: book"]),
        ("call-rome-01-cost", "cost", ["total_cost: 0.000195 USD", "prompt_tokens: 820"]),
        ("rome/cheaper", "thread", ["  - rome", "  checkpoint_id: cp-rome-01"]),
    ],
)
def test_everything_with_an_id_can_be_shown(
    store: str, ref: str, kind: str, lines: list[str]
) -> None:
    """Sessions, threads, checkpoints, snapshots, branches and every kind of entry."""
    shown = typed("show", ref, "-u", store).lines
    assert f"kind: {kind}" == shown[0]
    for line in lines:
        assert line in shown
    assert kind == typed("show", ref, "--json", "-u", store).json["kind"]


def test_a_branch_has_an_id_too(store: str) -> None:
    """The branch that names a fork is found by its id."""
    branches = typed("show", "refund", "--json", "-u", store).json["branches"]
    told = typed("show", branches[0]["id"], "--json", "-u", store).json
    assert ("branch", "kinder", "merged") == (told["kind"], told["name"], told["status"])
    assert (
        "cp-refund-kinder-01"
        == typed("log", branches[0]["id"], "--json", "-u", store).json["items"][0]["id"]
    )


def test_messages_and_state_exclude_each_other(store: str) -> None:
    """Asking for both is a slip: 2."""
    assert 2 == typed("show", "rome", "--messages", "--state", "-u", store).code
