"""`ropewalk log`: one line from its end back, or the family with its branches."""

from __future__ import annotations

import pytest

from .typing_it import typed

GRAPH = """\
●        cp-rome-04          (rome) planner step=booked (155 B)
│ ○      cp-rome-03          planner step=wrong day (97 B) (rolled back)
│ │ ●    cp-rome-reworded-01 (reworded) planner step=understood (103 B)
│ │   ●  cp-rome-by-night-01 (by-night) planner step=declined (96 B)
│ │   ●  cp-rome-cheaper-01  (cheaper) planner step=found (97 B)
├─╯   │
●     │  cp-rome-02          (snapshot: before booking) planner step=chosen (132 B)
├─────╯
●        cp-rome-01          planner step=understood (89 B)
"""


def ids(*arguments: str) -> list[str]:
    """Return the ids that a log shows, newest first."""
    return [item["id"] for item in typed("log", *arguments, "--json").json["items"]]


def test_the_graph_shows_the_whole_family(store: str) -> None:
    """Branches, a snapshot and what was rolled back, drawn as git draws."""
    answer = typed("log", "rome", "--graph", "-u", store)
    assert (0, GRAPH, "") == (answer.code, answer.out, answer.err)
    for member in ("rome-by-night", "rome/reworded", "cp-rome-02"):
        assert GRAPH == typed("log", member, "--graph", "-u", store).out


def test_a_merge_has_two_parents(store: str) -> None:
    """What was merged is drawn into its target and told as a parent."""
    graph = typed("log", "refund", "--graph", "--json", "-u", store).json
    [newest, *_] = graph["checkpoints"]
    assert ["cp-refund-01", "cp-refund-kinder-01"] == newest["parents"]
    assert ["refund"] == newest["tip_of"]
    assert [("refund", None), ("refund-kinder", "merged")] == [
        (thread["thread_id"], thread["status"]) for thread in graph["threads"]
    ]
    leads = [line[:3] for line in typed("log", "refund", "--graph", "-u", store).lines]
    assert ["●  ", "├─╮", "│ ●", "├─╯", "●  "] == leads


def test_a_graph_can_be_cut(store: str) -> None:
    """--limit shows the newest, and says that there are older ones."""
    answer = typed("log", "rome", "--graph", "--limit", "2", "-u", store)
    assert [["●", "cp-rome-04"], ["│", "○"]] == [line.split()[:2] for line in answer.lines]
    assert "older" in answer.err
    graph = typed("log", "rome", "--graph", "--limit", "2", "--json", "-u", store).json
    assert graph["cut"]


def test_a_line_goes_on_where_it_was_forked(store: str) -> None:
    """The log of a fork ends in what its parents had before, and nothing that came later."""
    seen = ids("rome/by-night", "-u", store)
    assert "call-rome-by-night-01-cost" in seen[:2]
    assert seen.index("msg-rome-by-night-01") < seen.index("msg-rome-cheaper-08")
    assert "cp-rome-01" in seen
    assert "msg-rome-05" not in seen
    assert "msg-rome-01" == seen[-1]


def test_entries_and_checkpoints_are_in_one_order(store: str) -> None:
    """Newest first by time, whatever kind it is."""
    items = typed("log", "rome", "--json", "-u", store).json["items"]
    times = [item["created_at"] for item in items]
    assert sorted(times, reverse=True) == times
    assert {"message", "tool_call", "llm_request", "llm_response"} <= {i["kind"] for i in items}
    assert {"token_usage", "cost", "checkpoint"} <= {item["kind"] for item in items}


def test_what_was_rolled_back_is_not_on_the_line(store: str) -> None:
    """The booking for the wrong day is in the store, can be shown, and is not in the log."""
    assert "cp-rome-03" not in ids("rome", "-u", store)
    assert 0 == typed("show", "cp-rome-03", "-u", store).code
    answer = typed("log", "cp-rome-03", "-u", store)
    assert "cp-rome-03 was rolled back" in answer.err
    assert "cp-rome-02" in answer.lines[1]
    for ref, expected in (("cp-rome-03~0", "cp-rome-03"), ("cp-rome-03~1", "cp-rome-02")):
        assert expected == typed("show", ref, "--json", "-u", store).json["id"]


def test_a_log_may_begin_in_the_middle(store: str) -> None:
    """From a checkpoint, an entry, a snapshot or so many steps back, the line ends right there."""
    assert "cp-rome-02" == ids("rome~1", "-u", store)[0]
    assert "cp-rome-01" == ids("rome~2", "-u", store)[0]
    assert "msg-rome-02" == ids("msg-rome-02", "-u", store)[0]
    assert "cp-rome-02" == ids("rome/before booking", "-u", store)[0]
    assert (
        ids("rome~1", "-u", store)
        == ids("rome", "--limit", "1000", "-u", store)[
            ids("rome", "-u", store).index("cp-rome-02") :
        ]
    )


def test_the_number_of_lines_is_limited(store: str) -> None:
    """--limit counts things; that there are more is talk, not data."""
    answer = typed("log", "rome", "--limit", "3", "-u", store)
    assert 1 + 3 == len(answer.lines)
    assert "there is more" in answer.err
    assert typed("log", "rome", "--limit", "3", "--json", "-u", store).json["more"]
    assert not typed("log", "rome", "--limit", "1000", "--json", "-u", store).json["more"]


def test_a_session_stands_for_its_only_thread(store: str) -> None:
    """A session with several threads is refused with their names."""
    answer = typed("log", "trip", "-u", store)
    assert 2 == answer.code
    assert "rome-by-night" in answer.err


@pytest.mark.parametrize(
    ("ref", "code", "said"),
    [
        ("rom", 4, "called 'rom'"),
        ("rome-", 2, "thread:rome-cheaper"),
        ("rome/nobody", 4, "rome/nobody"),
        ("rome~9", 4, "only 2 checkpoints before"),
        ("rome~99999999", 2, "too far back"),
        ("hotel~1", 4, "only 0 checkpoints before"),
        ("", 4, "called ''"),
        ("x" * 5000, 2, "max_id_bytes"),
    ],
)
def test_a_name_for_nothing_or_for_too_much_is_said(
    store: str, ref: str, code: int, said: str
) -> None:
    """Unknown ends with 4, ambiguous with 2 and the candidates."""
    answer = typed("log", ref, "-u", store)
    assert (code, "") == (answer.code, answer.out)
    assert said in answer.err
