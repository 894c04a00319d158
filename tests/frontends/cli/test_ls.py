"""`ropewalk ls`: every kind of list, page by page, with figures that add up."""

from __future__ import annotations

import pytest

from .typing_it import typed


def test_the_overview_has_sessions_then_threads(store: str) -> None:
    """Without a noun, both tables are written, newest first, with their figures."""
    lines = typed("ls", "-u", store).lines
    assert "sessions" == lines[0]
    assert "threads" == lines[lines.index("") + 1]
    [trip] = [line for line in lines if line.startswith("trip ")]
    assert ["5", "23", "3", "9087", "0.0182842", "USD"] == trip.split()[7:13]
    [cheaper] = [line for line in lines if line.startswith("rome-cheaper ")]
    assert ["active", "rome", "4", "1", "1035", "0.000198"] == cheaper.split()[3:9]


def test_the_figures_of_a_session_are_those_of_its_threads(store: str) -> None:
    """What is added up for a session is the sum over its threads: forks pay once."""
    whole = typed("ls", "--json", "-u", store).json
    for session in whole["sessions"]:
        own = [t for t in whole["threads"] if t["session_id"] == session["id"]]
        assert session["thread_count"] == len(own)
        for figure in ("turns", "forks", "total_tokens"):
            assert session[figure] == sum(thread[figure] for thread in own)


def test_lists_go_on_behind_a_cursor(store: str) -> None:
    """Pages of two threads, one after the other, make the whole list without a gap."""
    expected = [t["id"] for t in typed("ls", "threads", "--json", "-u", store).json["items"]]
    found: list[str] = []
    more: list[str] = []
    while True:
        page = typed("ls", "threads", "--limit", "2", "--json", "-u", store, *more).json
        found += [thread["id"] for thread in page["items"]]
        if page["cursor"] is None:
            break
        more = ["--cursor", page["cursor"]]
    assert expected == found
    told = typed("ls", "threads", "--limit", "2", "-u", store)
    assert "--cursor" in told.err
    assert "--cursor" not in told.out


def test_checkpoints_are_listed_over_all_threads(store: str) -> None:
    """Checkpoints come newest first without their states, of one session where it is named."""
    items = typed("ls", "checkpoints", "--json", "-u", store).json["items"]
    assert 11 == len(items)
    assert sorted((item["created_at"] for item in items), reverse=True) == [
        item["created_at"] for item in items
    ]
    assert all("state" not in item for item in items)
    own = typed("ls", "checkpoints", "--session", "help", "--json", "-u", store).json["items"]
    assert {"refund", "refund-kinder"} == {item["thread_id"] for item in own}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--user", "ada"), ["trip"]),
        (("--status", "closed"), ["help"]),
        (("--session", "trip"), ["trip"]),
        (("--user", "nobody"), []),
    ],
)
def test_sessions_can_be_chosen(store: str, options: tuple[str, ...], expected: list[str]) -> None:
    """By user, by status, or one by its name."""
    items = typed("ls", "sessions", *options, "--json", "-u", store).json["items"]
    assert expected == [session["id"] for session in items]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("threads", "--user", "ada"), 2, "--user does not go with threads"),
        (("--status", "active"), 2, "--status does not go with the overview"),
        (("kinds", "--cursor", "x"), 2, "--cursor does not go with kinds"),
        (("sessions", "--status", "sleepy"), 2, "active"),
        (("sessions", "--cursor", "rubbish"), 2, "cursor"),
        (("sessions", "--limit", "0"), 2, "--limit"),
        (("threads", "--session", "nobody"), 4, "nobody"),
    ],
)
def test_what_cannot_be_listed_is_said(
    store: str, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """An option that does not apply, or a value that is none, ends with its code and a sentence."""
    answer = typed("ls", *arguments, "-u", store)
    assert (code, "") == (answer.code, answer.out)
    assert said in answer.err


def test_spaces_and_kinds_are_counted(store: str) -> None:
    """Spaces and kinds are listed with their numbers of records."""
    kinds = {
        i["kind"]: i["records"] for i in typed("ls", "kinds", "--json", "-u", store).json["items"]
    }
    spaces = typed("ls", "spaces", "--json", "-u", store).json["items"]
    assert 60 == kinds["message"]
    assert [{"space": "default", "records": sum(kinds.values())}] == spaces


@pytest.mark.seed("5.3")
def test_another_space_is_another_world(store: str) -> None:
    """With --space, nothing of the default space is seen."""
    answer = typed("ls", "--json", "--space", "elsewhere", "-u", store)
    assert {"sessions": [], "threads": []} == answer.json
    assert 4 == typed("show", "rome", "--space", "elsewhere", "-u", store).code
