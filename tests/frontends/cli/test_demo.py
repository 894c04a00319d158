"""The demonstration: the same each time, read back from the store, and careful with files."""

from __future__ import annotations

import hashlib
import re
import shlex
import sqlite3
from pathlib import Path

import pytest

from .typing_it import spawned, typed

FILE = "ropewalk-demo.db"


def digest(path: Path) -> str:
    """Return what tells whether a file was touched."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_shows_everything_there_is() -> None:
    """A tree, a graph, a state, the cost of each model, and what to type next."""
    answer = typed("demo")
    assert (0, "") == (answer.code, answer.err)
    for part in ("├─ cheaper", "(rolled back)", "(snapshot: before booking)", "!decimal 80.20"):
        assert part in answer.out
    assert re.search(r"albatross-1 +4 +5460 +790 +6250 +0.02155 USD", answer.out)


def test_it_has_what_it_promises() -> None:
    """Three threads in two sessions, four forks, 60 messages, two models, and so on."""
    url = f"sqlite:///{FILE}"
    typed("demo")
    stats = typed("stats", "--json", "-u", url).json
    records = stats["records"]
    assert (2, 3 + 4, 4, 60) == tuple(
        records[kind] for kind in ("session", "thread", "branch", "message")
    )
    assert (6, 11, 1) == tuple(records[kind] for kind in ("tool_call", "checkpoint", "snapshot"))
    assert ["albatross-1", "sparrow-2"] == stats["llm"]["models"]
    graph = typed("log", "rome", "--graph", "--json", "-u", url).json
    assert ["cp-rome-03"] == [c["id"] for c in graph["checkpoints"] if c["rolled_back"]]


def test_every_hint_works() -> None:
    """Each command after `next:` runs as it stands."""
    hints = [line for line in typed("demo").lines if line.startswith("next: ")]
    assert 4 <= len(hints)
    for hint in hints:
        words = shlex.split(hint.removeprefix("next: "))
        assert "ropewalk" == words[0]
        answer = typed(*words[1:])
        assert (0, True) == (answer.code, bool(answer.out)), hint


def test_it_is_the_same_each_time() -> None:
    """Two demonstrations, made by two processes, are equal to the last id and time."""
    first = spawned("demo", "--json")
    second = spawned("demo", "--json", "--force")
    assert (0, 0) == (first.code, second.code)
    assert first.json == second.json


def test_json_says_the_same() -> None:
    """With --json, one document has the sessions, the graph, the state and the models."""
    told = typed("demo", "--json").json
    assert ["trip", "help"] == [session["id"] for session in told["sessions"]]
    assert {"$decimal": "80.20"} == told["state"]["budget"]
    assert {"USD": "0.021550000"} == told["models"][0]["cost"]
    assert "ropewalk ls -u sqlite:///ropewalk-demo.db" in told["next"]


def test_a_demonstration_is_replaced_only_with_force(folder: Path) -> None:
    """A second run ends with 5 and says how to go on; --force makes it anew."""
    assert 0 == typed("demo").code
    before = digest(folder / FILE)
    refused = typed("demo")
    assert (5, "") == (refused.code, refused.out)
    assert "--force" in refused.err
    assert before == digest(folder / FILE)
    assert 0 == typed("demo", "--force").code


def test_it_can_be_removed(folder: Path) -> None:
    """--rm leaves no file behind, and does nothing where there is none."""
    typed("demo")
    assert 0 == typed("demo", "--rm").code
    assert [] == list(folder.iterdir())
    assert 0 == typed("demo", "--rm").code


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        *(("text", "--force"), ("empty", "--force"), ("bare", "--force"), ("sqlite", "--rm")),
        *(("store", "--force"), ("store", "--rm"), ("store", None)),
    ],
)
def test_nothing_else_is_touched(folder: Path, kind: str, option: str | None) -> None:
    """A file that is no demonstration is refused and stays byte for byte, whatever it is."""
    path = folder / "mine.db"
    if kind in ("text", "empty"):
        path.write_text("my notes\n" * 100 if kind == "text" else "")
    elif kind == "bare":
        with sqlite3.connect(path) as mine:
            mine.execute("pragma user_version = 7")
        mine.close()
    elif kind == "sqlite":
        with sqlite3.connect(path) as mine:
            mine.execute("create table notes (text)")
        mine.close()
    else:
        typed("demo", "--path", "mine.db")
        with sqlite3.connect(path) as mine:
            sessions = "(select nr from name where text = 'session')"
            mine.execute(f"delete from record where kind in {sessions}")  # noqa: S608
        mine.close()
    before = digest(path)
    answer = typed("demo", "--path", "mine.db", *([option] if option else []))
    assert 2 == answer.code, answer.err
    assert "stays as it is" in answer.err
    assert (before, ["mine.db"]) == (digest(path), [each.name for each in folder.iterdir()])


def test_a_missing_folder_is_said() -> None:
    """The folder of --path must be there: 4."""
    assert 4 == typed("demo", "--path", "nowhere/demo.db").code


def test_settings_of_the_user_do_not_change_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configured space or layer has no part in the story."""
    expected = typed("demo", "--json").json
    (folder / "ropewalk.toml").write_text('space = "elsewhere"\n')
    monkeypatch.setenv("ROPEWALK_LAYERS", "readonly")
    assert expected == typed("demo", "--json", "--force").json
