"""`prune`, `gc`, `verify`, `tag`, `fork`: what they say, what they change, how they end."""

# The type stubs of apsw name a class that Python has from 3.12 on only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import apsw
import pytest

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.cli.span import moment, span

from .typing_it import Answer, typed

pytestmark = pytest.mark.seed("3.4")


@pytest.fixture
def own(demo: str, tmp_path: Path) -> str:
    """Return the URL of a store with the story in it, to be changed."""
    path = tmp_path / "own.db"
    shutil.copy(demo.removeprefix("sqlite:///"), path)
    return f"sqlite:///{path}"


def checkpoints(url: str) -> list[str]:
    """Return the ids of all checkpoints."""
    items = typed("ls", "checkpoints", "--json", "-u", url).json["items"]
    return sorted(item["id"] for item in items)


def test_nothing_is_pruned_without_apply(own: str) -> None:
    """The dry run tells what would go, why the rest stays, and what comes back."""
    before = checkpoints(own)
    dry = typed("prune", "rome", "--keep-last", "1", "--json", "-u", own).json
    assert before == checkpoints(own)
    assert not dry["applied"]
    assert dry["removed"]
    assert dry["freed_bytes"] > 0
    assert "newest" in dry["kept"].values()
    done = typed("prune", "rome", "--keep-last", "1", "--apply", "--json", "-u", own).json
    assert dry | {"applied": True} == done
    assert sorted(set(before) - set(dry["removed"])) == checkpoints(own)
    gone = typed("gc", "--json", "-u", own).json
    assert done["nodes"] == gone["removed"]
    assert 0 == typed("verify", "-u", own).code


def test_people_read_reasons_and_bytes(own: str) -> None:
    """A table of what stays, and a sentence of what goes."""
    answer = typed("prune", "--keep-last", "1", "-u", own)
    assert "STAYS BECAUSE" in answer.out
    assert "come back with: ropewalk gc" in answer.out
    assert "nothing was removed" in answer.err
    assert "are needed" in typed("gc", "-u", own).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "needs keep_last"),
        (("--keep-for", "soon"), "no span of time"),
        (("--keep-last", "0"), "keep-last"),
    ],
)
def test_a_policy_that_says_nothing_is_refused(own: str, words: tuple[str, ...], said: str) -> None:
    """Exit 2, and nothing is removed."""
    before = checkpoints(own)
    answer = typed("prune", "rome", *words, "--apply", "-u", own)
    assert (2, before) == (answer.code, checkpoints(own))
    assert said in answer.err


def damage_newest(path: Path) -> str:
    """Flip a bit in the newest checkpoint of a file, and return its id."""
    connection = apsw.Connection(str(path))
    rows = connection.execute(
        "select id, row, body from record where kind = (select nr from name where "
        "text = 'checkpoint' and space = 0) order by created_at desc limit 1"
    )
    [(id_, row, body)] = cast("list[tuple[str, int, bytes]]", rows.fetchall())
    damaged = bytes([body[0] ^ 1]) + body[1:]
    connection.execute("update record set body = ? where row = ?", (damaged, row))
    connection.close()
    return id_


def test_damage_is_named_and_ends_with_seven(own: str) -> None:
    """Thread, checkpoint and reason of what is damaged; the rest can still be shown."""
    assert typed("verify", "--json", "-u", own).json["whole"]
    id_ = damage_newest(Path(own.removeprefix("sqlite:///")))
    answer = typed("verify", "--json", "-u", own)
    assert 7 == answer.code
    assert [id_] == [damage["checkpoint_id"] for damage in answer.json["damages"]]
    shown = typed("verify", "-u", own)
    assert (7, True) == (shown.code, str(id_) in shown.out)


def test_a_tag_is_a_name_from_then_on(own: str) -> None:
    """It can be shown by it, gone back from, listed, and taken off again."""
    assert 0 == typed("tag", "rome~1", "before-booking", "-u", own).code
    tagged = typed("show", "before-booking", "--json", "-u", own).json
    assert tagged["id"] == typed("show", "rome~1", "--json", "-u", own).json["id"]
    back = typed("show", "before-booking~1", "--json", "-u", own).json
    assert back["id"] == typed("show", "rome~2", "--json", "-u", own).json["id"]
    [item] = typed("tag", "--json", "-u", own).json["items"]
    assert (["before-booking"], tagged["id"]) == (item["tags"], item["checkpoint_id"])
    kept = typed("prune", "--keep-tagged", "--json", "-u", own).json["kept"]
    assert tagged["id"] in kept
    assert (
        [] == typed("tag", "rome~1", "before-booking", "--remove", "--json", "-u", own).json["tags"]
    )
    assert 4 == typed("show", "before-booking", "-u", own).code
    assert 2 == typed("tag", "rome", "-u", own).code


def forked(answer: Answer) -> str:
    """Return the id of the thread that was made."""
    assert 0 == answer.code, answer.err
    id_: str = answer.json["thread"]["id"]
    return id_


def test_a_fork_goes_on_from_there(own: str) -> None:
    """From a checkpoint back, from the end of a line, and from a message."""
    one = forked(typed("fork", "rome~1", "--name", "slower", "--json", "-u", own))
    then = typed("show", one, "--state", "--json", "-u", own).json
    assert then["state"] == typed("show", "rome~1", "--state", "--json", "-u", own).json["state"]
    two = forked(typed("fork", "rome", "--name", "now", "--id", "mine", "--json", "-u", own))
    assert "mine" == two
    named = typed("show", "rome/now", "--json", "-u", own).json
    assert "mine" == named["id"]
    assert 5 == typed("fork", "rome", "--name", "again", "--id", "mine", "-u", own).code
    plain = typed("fork", "rome~2", "--name", "plain", "-u", own)
    assert plain.out.strip() in typed("ls", "threads", "-u", own).out


def test_a_moment_leads_to_what_was_newest_then(own: str) -> None:
    """`rome@{time}` is the newest checkpoint on the line at that time."""
    items = typed("log", "rome", "--json", "--limit", "500", "-u", own).json["items"]
    line = [item for item in items if item["kind"] == "checkpoint"]
    for at, item in enumerate(line):
        then = typed("show", f"rome@{{{item['created_at']}}}", "--json", "-u", own).json
        assert item["id"] == then["id"]
        if at + 1 < len(line):
            before = typed("show", f"rome@{{{item['created_at']}}}~1", "--json", "-u", own)
            assert line[at + 1]["id"] == before.json["id"]
    assert line[0]["id"] == typed("show", "rome@{1min}", "--json", "-u", own).json["id"]
    assert 4 == typed("show", "rome@{1999-12-31}", "-u", own).code
    assert 2 == typed("show", "rome@{soon}", "-u", own).code


def test_stats_tell_what_trees_share(store: str) -> None:
    """By thread and by kind, in figures that agree."""
    stats = typed("stats", "--trees", "--json", "-u", store).json
    assert 11 == sum(thread["checkpoints"] for thread in stats["threads"])
    parts = ("header_bytes", "node_bytes", "write_bytes", "dictionary_bytes", "garbage_bytes")
    assert stats["stored_bytes"] == sum(stats[part] for part in parts)
    assert stats["ratio"] == pytest.approx(stats["whole_bytes"] / stats["stored_bytes"])
    assert "whole states" in typed("stats", "--trees", "-u", store).out
    assert 2 == typed("stats", "--trees", "--by", "day", "-u", store).code


def test_spans_and_moments_are_read() -> None:
    """As people type them; what says nothing is refused."""
    now = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert [timedelta(days=14), timedelta(minutes=90)] == [span("2w"), span("90min")]
    assert now - timedelta(hours=2) == moment("2h ago", now)
    assert datetime(2025, 6, 15, tzinfo=UTC) == moment("2025-06-15", now)
    assert datetime(2025, 6, 15, 13, tzinfo=UTC) == moment("2025-06-15T15:00+02:00", now)
    for text in ("", "7", "0d", "d", "7 parsecs", "999999999w"):
        with pytest.raises(Invalid, match=r"span|days"):
            span(text)
    with pytest.raises(Invalid, match="no moment"):
        moment("999999999w", now)
