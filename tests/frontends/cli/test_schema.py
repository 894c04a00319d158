"""`ropewalk schema`: what each verb shows, does and ends with, on every back end."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ropewalk.backends.sqlite.schema import APPLICATION_ID
from ropewalk.backends.sqlite.steps import mark, migrations

from .typing_it import typed

KNOWN = len(migrations())


@pytest.fixture
def old(folder: Path) -> str:
    """Return the URL of an empty store of the first schema."""
    with closing(sqlite3.connect(folder / "old.db")) as file:
        file.executescript(migrations()[0].script)
        file.execute(f"pragma user_version = {mark(migrations()[:1])}")
        file.execute(f"pragma application_id = {APPLICATION_ID}")
    return "sqlite:///old.db"


def test_status_tells_versions_and_steps(old: str) -> None:
    """Both versions, what is pending, what was applied when; and nothing is changed."""
    before = Path("old.db").read_bytes()
    answer = typed("schema", "status", "-u", old)
    assert 0 == answer.code, answer.err
    assert f"has schema 1, this program has schema {KNOWN}: {KNOWN - 1} pending" in answer.out
    rows = [line.split()[1:3] for line in answer.lines[1 : KNOWN + 1]]
    assert [["records", "not"], *([step.name, "pending"] for step in migrations()[1:])] == rows
    told = typed("schema", "status", "-u", old, "--json").json
    assert ("sqlite", 1, KNOWN) == (told["form"], told["schema"], told["known"])
    assert list(range(2, KNOWN + 1)) == told["pending"]
    assert [step.checksum for step in migrations()] == [s["checksum"] for s in told["steps"]]
    assert before == Path("old.db").read_bytes()


def test_upgrade_is_dry_until_it_is_applied(old: str, folder: Path) -> None:
    """First it shows; with --apply it copies, applies and tells where the copy lies."""
    before = Path("old.db").read_bytes()
    dry = typed("schema", "upgrade", "-u", old)
    assert (0, True) == (dry.code, "nothing was changed: do it with --apply" in dry.err)
    assert ["old.db"] == [path.name for path in folder.iterdir()]
    assert before == Path("old.db").read_bytes()
    applied = typed("schema", "upgrade", "--apply", "--backup", "kept.db", "-u", old)
    assert 0 == applied.code, applied.err
    assert f"what it was lies in {folder / 'kept.db'}" in applied.out
    status = typed("schema", "status", "-u", old, "--json").json
    assert [] == status["pending"]
    assert all(step["applied_at"] and step["program"] for step in status["steps"][1:])
    assert 1 == typed("schema", "status", "-u", "sqlite:///kept.db", "--json").json["schema"]
    again = typed("schema", "upgrade", "--apply", "-u", old, "--json").json
    assert (False, None) == (again["upgraded"], again["backup"])
    assert "there is nothing to do" in typed("schema", "upgrade", "--apply", "-u", old).out


def test_a_backup_that_is_there_is_refused(old: str) -> None:
    """A name that is taken is a mistake of the command, and the file under it stays."""
    Path("mine").write_text("mine")
    answer = typed("schema", "upgrade", "--apply", "--backup", "mine", "-u", old, "--json")
    assert (2, "backup_exists") == (answer.code, answer.error["code"])
    assert "mine" == Path("mine").read_text()


def test_sql_is_what_an_upgrade_runs(old: str) -> None:
    """It is told for the store, or in whole; another program that runs it makes the same store."""
    script = typed("schema", "sql", "-u", old)
    assert (0, True) == (script.code, "create table migration" in script.out)
    assert "create table record" not in script.out
    assert "create table record" in typed("schema", "sql", "--all", "-u", old).out
    with closing(sqlite3.connect("old.db")) as other:
        other.executescript(script.out)
    assert 0 == typed("schema", "check", "-u", old).code
    nothing = typed("schema", "sql", "-u", old)
    assert (0, "", True) == (nothing.code, nothing.out, "nothing is pending" in nothing.err)


def test_check_names_what_drifted(demo: str) -> None:
    """A sound store ends with 0; one whose tables somebody changed with 7, object by object."""
    shutil.copy(demo.removeprefix("sqlite:///"), "mine.db")
    url = "sqlite:///mine.db"
    assert (0, {"sound": True, "drifts": []}) == (
        typed("schema", "check", "-u", url).code,
        typed("schema", "check", "-u", url, "--json").json,
    )
    with closing(sqlite3.connect("mine.db")) as other:
        other.execute("drop index record_kind")
        other.execute("create table mine (n)")
    answer = typed("schema", "check", "-u", url)
    assert 7 == answer.code
    assert [["index", "record_kind", "missing"], ["table", "mine", "extra"]] == [
        line.split()[:3] for line in answer.lines[1:]
    ]
    drifts = typed("schema", "check", "-u", url, "--json").json["drifts"]
    assert ["index record_kind", "table mine"] == [drift["object"] for drift in drifts]


def test_a_newer_store_is_refused(old: str) -> None:
    """Each verb names both versions and ends with 11."""
    with closing(sqlite3.connect("old.db")) as other:
        other.execute("pragma user_version = 77")
    for verb in ("status", "upgrade", "check", "sql"):
        answer = typed("schema", verb, "-u", old)
        assert 11 == answer.code
        assert f"(schema 77, this one knows {KNOWN}): update the program" in answer.err


def test_a_folder_has_a_format(demo_folder: str) -> None:
    """Every verb answers for it; an earlier version is raised in the marker; there is no SQL."""
    shutil.copytree(demo_folder.removeprefix("file:///"), "mine")
    url = "file:///mine"
    marker = Path("mine/ropewalk.json")
    fields = json.loads(marker.read_text("utf-8"))
    marker.write_text(json.dumps(fields | {"version": 1}), "utf-8")
    status = typed("schema", "status", "-u", url)
    assert "has schema 1, this program has schema 2: 1 pending" in status.out
    assert 2 == typed("schema", "upgrade", "--apply", "--backup", "copy", "-u", url).code
    assert 1 == json.loads(marker.read_text("utf-8"))["version"]
    assert "from schema 1 to 2" in typed("schema", "upgrade", "--apply", "-u", url).out
    assert fields == json.loads(marker.read_text("utf-8"))
    assert "nothing to do" in typed("schema", "upgrade", "--apply", "-u", url).out
    assert 2 == typed("schema", "sql", "-u", url).code
    assert 0 == typed("schema", "check", "-u", url).code
    Path("mine/notes.txt").write_text("mine")
    Path("mine/commits.jsonl").unlink()
    answer = typed("schema", "check", "-u", url, "--json")
    assert 7 == answer.code
    assert [("commits.jsonl", "missing"), ("notes.txt", "extra")] == [
        (drift["object"], drift["kind"]) for drift in answer.json["drifts"]
    ]
    marker.write_text("{", "utf-8")
    answer = typed("schema", "check", "-u", url, "--json")
    assert ("ropewalk.json", "changed") == (
        answer.json["drifts"][0]["object"],
        answer.json["drifts"][0]["kind"],
    )
    marker.write_text(json.dumps(fields | {"version": 3}), "utf-8")
    for verb in ("status", "upgrade", "check"):
        answer = typed("schema", verb, "-u", url)
        assert 11 == answer.code
        assert "in version 3; this Ropewalk reads 'ropewalk folder' up to version 2" in answer.err


def test_memory_is_always_of_this_program() -> None:
    """Nothing is pending and nothing drifts; there is no SQL."""
    assert [] == typed("schema", "status", "-u", "memory://", "--json").json["pending"]
    assert 0 == typed("schema", "check", "-u", "memory://").code
    assert "nothing to do" in typed("schema", "upgrade", "--apply", "-u", "memory://").out
    assert 2 == typed("schema", "sql", "-u", "memory://").code


@pytest.mark.parametrize("url", ["sqlite:///none.db", "file:///none"])
@pytest.mark.parametrize("verb", ["status", "upgrade", "sql", "check"])
def test_no_store_is_made(folder: Path, verb: str, url: str) -> None:
    """Where there is no store every verb says so, and makes none."""
    assert 10 == typed("schema", verb, "-u", url).code
    assert [] == [path.name for path in folder.iterdir()]
