"""`ropewalk migrate` and `ropewalk copy`: from a look at the source to a way back."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ropewalk.domain.errors import Invalid, NotFound
from ropewalk.domain.migration import Deletions, OnConflict, Plan
from ropewalk.frontends.cli.migrate_file import read_plan, write_plan

from ...sources.legacy.whole import write_whole
from ...sources.legacy.writing import Tree, interaction, message
from .typing_it import typed

URL = "sqlite:///new.db"
ENDS = "name = 'x'\n[source]\nformat = 'a'\nplace = 'b'\n[target]\nurl = ''\n"
PLANNED = ("migrate", "plan", "old", URL, "--tz", "+08:00", "-o", "move.toml")


@pytest.fixture
def old(folder: Path) -> Tree:
    """A small legacy folder in which nothing is wrong."""
    tree = Tree(folder / "old")
    tree.session("session_1", interaction("interaction_1", "session_1"))
    tree.record(message("record_1"), message("record_2", content="second"))
    return tree


@pytest.fixture
def damaged(folder: Path) -> Tree:
    """A legacy folder with damage and with formats that are not read."""
    return write_whole(folder / "old")


@pytest.mark.seed("7.1")
def test_a_plan_is_made_rehearsed_and_carried_out(old: Tree, folder: Path) -> None:
    """Nothing is written before --apply; then everything, and the report tells the way back."""
    assert 0 == typed(*PLANNED).code
    rehearsed = typed("migrate", "run", "move.toml", "--json").json
    assert (4, True, None) == (
        rehearsed["changes"],
        rehearsed["rehearsal"],
        rehearsed["rollback"],
    )
    assert not (folder / "new.db").exists()

    done = typed("migrate", "run", "move.toml", "--apply", "--report", "report.md")
    again = typed("migrate", "run", "move.toml", "--apply", "--since", "last", "--json").json

    assert (0, 0) == (done.code, again["changes"])
    first = (folder / "report.md").read_text().splitlines()[0]
    assert first.startswith("`ropewalk migrate rollback ")
    assert first.endswith(f" -u {URL}`")
    assert done.lines[0] == first
    words = first.strip("`").split()[1:]
    assert 0 == typed("migrate", "verify", "move.toml").code
    nothing = typed("migrate", "rollback", "last", "-u", URL)
    assert (0, words[2]) == (nothing.code, nothing.lines[-1].rpartition(" ")[2])
    assert 0 == typed(*words).code
    assert {"migration"} == set(typed("stats", "-u", URL, "--json").json["records"])
    assert old.root.exists()


@pytest.mark.seed("7.1")
def test_what_would_stay_behind_has_to_be_allowed(damaged: Tree, folder: Path) -> None:
    """Scan and plan name it; a run without leave writes nothing; the rejects have every item."""
    scanned = typed("migrate", "scan", "old", "--json")
    assert 3 == scanned.code
    assert 0 == typed(*PLANNED).code
    assert "# This would, and is not allowed yet:" in (folder / "move.toml").read_text()

    refused = typed("migrate", "run", "move.toml", "--apply")
    assert (2, "") == (refused.code, refused.out)
    assert "--allow-loss torn" in refused.err
    assert {} == typed("stats", "-u", URL, "--json").json["records"]

    done = typed("migrate", "run", "move.toml", "--apply", "--allow-loss", "*", "--json")
    assert 0 == done.code
    written = (folder / done.json["rejects"]).read_bytes()
    rejects = [json.loads(line) for line in written.split(b"\n") if line]
    lost = {reject["place"] for reject in rejects if reject["loss"]}
    problems = {problem["place"] for problem in scanned.json["problems"]}
    assert problems <= lost
    torn = [reject for reject in rejects if reject["code"] == "torn"]
    assert all(reject["raw"] and reject["reason"] for reject in torn)
    assert damaged.truth


@pytest.mark.seed("7.5")
def test_changes_since_stop_a_rollback(old: Tree) -> None:
    """They are named, the code is 5, and --force takes it back all the same."""
    typed(*PLANNED)
    typed("migrate", "run", "move.toml", "--apply")
    (old.root / "sessions" / "session_1.json").write_text(
        (old.root / "sessions" / "session_1.json").read_text().replace("active", "archived")
    )
    assert 0 == typed("migrate", "run", "move.toml", "--apply").code
    runs = typed("migrate", "status", "-u", URL, "--json").json
    first = runs[-1]["run"]

    refused = typed("migrate", "rollback", first, "-u", URL)
    assert (5, "") == (refused.code, refused.out)
    assert "default/session/session_1" in refused.err
    assert 0 == typed("migrate", "rollback", first, "-u", URL, "--force", "--json").code


def test_status_lists_runs_and_shows_one(old: Tree) -> None:
    """The newest comes first; one is named by the beginning of its id, or by its plan."""
    typed(*PLANNED)
    typed("migrate", "run", "move.toml", "--apply")
    listed = typed("migrate", "status", "-u", URL)
    run = listed.lines[1].split()[0]

    assert (
        typed("migrate", "status", run[:20], "-u", URL).out
        == typed("migrate", "status", "move.toml").out
    )
    assert "done" in listed.lines[1]
    assert 4 == typed("migrate", "status", "nothing", "-u", URL).code
    assert old.root.exists()


def test_a_sample_is_a_share(old: Tree) -> None:
    """5% and 0.05 are the same; what is neither, or two things at once, is refused."""
    typed(*PLANNED)
    typed("migrate", "run", "move.toml", "--apply")
    verified = ("migrate", "verify", "last", "-u", URL)

    assert typed(*verified, "--sample", "5%").out == typed(*verified, "--sample", "0.05").out
    assert [2, 2] == [
        typed(*verified, "--sample", "many").code,
        typed(*verified, "--sample", "5%", "--full").code,
    ]
    (old.root / "sessions" / "session_1.json").unlink()
    assert 7 == typed(*verified).code


def test_a_cutover_needs_a_frozen_source(old: Tree) -> None:
    """Without a terminal, --frozen or a command says so; a command that fails ends it."""
    typed(*PLANNED)
    assert 2 == typed("migrate", "cutover", "move.toml").code
    assert 12 == typed("migrate", "cutover", "move.toml", "--freeze", "false").code

    done = typed("migrate", "cutover", "move.toml", "--freeze", "true", "--json")

    assert (0, True) == (done.code, done.json["complete"])
    assert 0 == done.json["runs"][-1]["changes"]
    assert old.root.exists()


@pytest.mark.seed("7.1")
def test_a_store_is_copied(demo: str, folder: Path) -> None:
    """SQLite to a folder and back: equal sums; a second copy brings nothing."""
    there = typed("copy", demo, "file:///copied", "--json")
    back = typed("copy", "file:///copied", "sqlite:///back.db", "--json").json
    again = typed("copy", demo, "file:///copied", "--json").json

    assert (0, True) == (there.code, there.json["verified"]["sound"])
    assert there.json["content_hash"] == back["content_hash"]
    assert (0, there.json["content_hash"]) == (again["changes"], again["content_hash"])
    assert typed("log", "rome", "-u", demo).out == typed("log", "rome", "-u", "file:///copied").out
    assert 10 == typed("copy", "sqlite:///nothing.db", "file:///other").code
    assert not (folder / "other").exists()


def test_a_plan_survives_being_written() -> None:
    """Whatever stands in a plan, it is read as it was written."""
    plan = Plan(
        name='quotes " \\ and 会话 \x7f',
        format="legacy",
        place="a folder\nwith a line",
        options={"tz": "+08:00"},
        url="sqlite:///x.db",
        kinds=("session", "thread"),
        on_conflict=OnConflict.KEEP_NEWER,
        deletions=Deletions.APPLY,
        allow_loss=("torn", "*"),
        batch=7,
    )
    path = Path("plan.toml")
    path.write_text(write_plan(plan, lost=["g1"]), encoding="utf-8")
    assert plan == read_plan(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 1", "name must be text"),
        ("nmae = 'x'", "did you mean 'name'"),
        ("name = 'x'\nsource = 5", "source must be a table"),
        (
            f"{ENDS}[what]\nkinds = [1]",
            "kinds",
        ),
        (
            f"{ENDS}[what]\non_conflict = 'x'",
            "keep-newer",
        ),
        (ENDS.replace("'x'", "'a/b'"), "no slash"),
        ("= 5", "cannot be read"),
    ],
)
def test_a_wrong_plan_is_refused_by_name(folder: Path, text: str, said: str) -> None:
    """The key is named, with what may stand there."""
    (folder / "plan.toml").write_text(text)
    with pytest.raises(Invalid, match=said):
        read_plan(folder / "plan.toml")
    with pytest.raises(NotFound, match="there is no plan"):
        read_plan(folder / "no.toml")


def test_an_interrupt_leaves_a_run_to_go_on_with(folder: Path) -> None:
    """^C ends with 130; the same command goes on, under the same id."""
    tree = Tree(folder / "old")
    tree.session("session_1")
    tree.record(*(message(f"record_{n}", content="x" * 50) for n in range(1_000)))
    typed(*PLANNED)
    arguments = [sys.executable, "-c", _SLOW, "migrate", "run", "move.toml", "--apply"]
    with subprocess.Popen(
        [*arguments, "--batch", "20"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert "of 1001" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert "interrupted" in process.stderr.read()
        assert 130 == process.wait(timeout=60)
    [broken] = typed("migrate", "status", "-u", URL, "--json").json
    assert "running" == broken["status"]

    done = typed("migrate", "run", "move.toml", "--apply", "--json").json

    assert (broken["run"], 1_001) == (done["run"], done["changes"])
    assert tomllib.loads((folder / "move.toml").read_text())["name"] == done["plan"]


_SLOW = """
import sys
from ropewalk.frontends.cli import app, migrate_report

migrate_report.EVERY_SECONDS = 0.0
sys.exit(app.call(sys.argv[1:]))
"""
