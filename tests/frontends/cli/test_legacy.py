"""`ropewalk import legacy`: everything is brought or told, and a second run brings nothing."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ropewalk.domain.errors import Invalid
from ropewalk.frontends.cli import migrate_report
from ropewalk.frontends.cli.migrate_legacy import zone

from ...sources.legacy.whole import write_whole
from ...sources.legacy.writing import MORNING, Tree, interaction
from .typing_it import spawned, typed

URL = {"sqlite": "sqlite:///new.db", "file": "file:///new"}


@pytest.fixture
def old(folder: Path) -> Tree:
    """A small legacy folder with everything in it, damage included."""
    return write_whole(folder / "old")


@pytest.mark.seed("7.1")
@pytest.mark.parametrize("url", URL.values(), ids=URL)
def test_everything_is_brought_and_the_rest_is_told(old: Tree, url: str) -> None:
    """What is intact is in the store; each damaged place is named; the exit code says partly."""
    answer = typed("import", "legacy", "old", url, "--tz", "+08:00", "--json")
    assert (3, "") == (answer.code, answer.err)
    report = answer.json
    assert not report["complete"]
    assert {} == report["refused"]
    intact = Counter(str(item["kind"]) for item in old.truth)
    assert intact["session"] <= report["brought"]["session"]
    assert intact["thread"] <= report["brought"]["thread"]
    assert all(problem["place"] and problem["reason"] for problem in report["problems"])
    records = typed("stats", "--json", "-u", url).json["records"]
    assert report["brought"] == {kind: records[kind] for kind in report["brought"]}


def test_people_read_the_same(old: Tree) -> None:
    """The table, what to know by code, and every problem with file and line."""
    told = typed("import", "legacy", "old", URL["sqlite"], "--tz", "+08:00", "--json").json
    shown = typed("import", "legacy", str(old.root), "sqlite:///again.db", "--tz", "+08:00")
    assert 3 == shown.code
    for problem in told["problems"]:
        assert f"{problem['place']}: {problem['reason']} [{problem['code']}]" in shown.out
    for code, notes in told["notes"].items():
        assert f"{notes['count']} x {code}, for example:" in shown.out
    assert shown.lines[-1].startswith(f"{sum(told['brought'].values())} brought, 0 there before")


def test_a_second_run_brings_nothing(old: Tree) -> None:
    """What is there already is counted as such; after a break one may simply run it again."""
    arguments = ("import", "legacy", str(old.root), URL["sqlite"], "--tz", "+08:00", "--json")
    first, second = typed(*arguments).json, typed(*arguments).json
    assert ({}, first["brought"]) == (second["brought"], second["present"])


def test_a_rehearsal_writes_nothing(old: Tree, folder: Path) -> None:
    """--dry-run reports what would be brought, makes no store and needs none."""
    before = sorted(folder.iterdir())
    told = typed("import", "legacy", str(old.root), "--tz", "+08:00", "--dry-run", "--json")
    assert (3, before) == (told.code, sorted(folder.iterdir()))
    real = typed("import", "legacy", "old", URL["sqlite"], "--tz", "+08:00", "--json").json
    for part in ("brought", "notes", "skipped", "problems"):
        assert real[part] == told.json[part]
    assert told.json["dry_run"]


def test_a_sound_folder_ends_with_0(folder: Path) -> None:
    """Where nothing is wrong, the import is complete."""
    Tree(folder / "old").session("session_1", interaction("interaction_1", "session_1"))
    answer = typed("import", "legacy", "old", URL["sqlite"], "--tz", "+08:00")
    assert (0, "") == (answer.code, answer.err)
    assert "2 brought, 0 there before: complete" == answer.lines[-1]


@pytest.mark.parametrize(("tz", "hours"), [("+08:00", 8), ("-0530", -5.5), ("Asia/Tokyo", 9)])
def test_times_are_read_in_the_zone_that_is_given(folder: Path, tz: str, hours: float) -> None:
    """A time without a zone becomes the instant that it was on that machine."""
    Tree(folder / "old").session("session_1")
    assert 0 == typed("import", "legacy", "old", URL["sqlite"], "--tz", tz).code
    told = typed("show", "session_1", "--json", "-u", URL["sqlite"]).json
    written = datetime.fromisoformat(MORNING).replace(tzinfo=timezone(timedelta(hours=hours)))
    assert written == datetime.fromisoformat(told["created_at"]).astimezone(UTC)


def test_the_zone_is_not_guessed(old: Tree) -> None:
    """Without --tz the import does not begin: 2, and the option is named."""
    answer = typed("import", "legacy", str(old.root), URL["sqlite"])
    assert (2, "") == (answer.code, answer.out)
    assert "--tz" in answer.err


@pytest.mark.parametrize(
    "text", ["", "+8", "+25:00", "+08:75", "Nowhere", "../../etc/passwd", "/", "\0"]
)
def test_what_is_no_zone_is_refused(text: str) -> None:
    """Offsets need two digits each, names must be known; nothing is looked up elsewhere."""
    with pytest.raises(Invalid, match="is no time zone"):
        zone(text)


def test_zones_are_offsets_or_names() -> None:
    """Both forms are understood."""
    assert timezone(timedelta(hours=8)) == zone("+08:00")
    assert timezone(timedelta(hours=-3, minutes=-30)) == zone("-0330")
    assert ZoneInfo("Asia/Shanghai") == zone("Asia/Shanghai")


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [("nothing", 4, "no folder"), ("old.tar.gz", 2, "unpack"), ("notes.txt", 4, "no folder")],
)
def test_only_a_folder_is_read(folder: Path, place: str, code: int, said: str) -> None:
    """Nothing there is 4; an archive is refused with what to do."""
    (folder / "old.tar.gz").write_bytes(b"")
    (folder / "notes.txt").write_text("notes")
    answer = typed("import", "legacy", place, URL["sqlite"], "--tz", "+08:00")
    assert (code, "") == (answer.code, answer.out)
    assert said in answer.err
    assert not (folder / "new.db").exists()


def test_the_store_may_come_from_the_configuration(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without STORE, --url or the configuration says where to."""
    Tree(folder / "old").session("session_1")
    monkeypatch.setenv("ROPEWALK_URL", "sqlite:///configured.db")
    assert 0 == typed("import", "legacy", "old", "--tz", "+08:00").code
    assert (folder / "configured.db").exists()
    assert 0 == typed("import", "legacy", "old", "--tz", "+08:00", "-u", "sqlite:///given.db").code
    assert (folder / "given.db").exists()


def test_progress_is_told_on_stderr(old: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Now and then a line says how much was brought; none where JSON was asked for."""
    monkeypatch.setattr(migrate_report, "EVERY_SECONDS", 0.0)
    arguments = ("import", "legacy", str(old.root), "--tz", "+08:00", "--dry-run")
    told = typed(*arguments).err.splitlines()
    assert " session" in told[0]
    assert "message" in told[-1]
    assert "" == typed(*arguments, "--json").err


@pytest.mark.seed("1.5")
def test_a_store_that_refuses_stops_the_import(old: Tree) -> None:
    """Where nothing can be written, that is said once, with its code, and not for each item."""
    arguments = ("import", "legacy", str(old.root), URL["sqlite"], "--tz", "+08:00", "--json")
    answer = spawned(*arguments, ROPEWALK_LAYERS="readonly")
    assert (8, "") == (answer.code, answer.out)
    assert ("read_only", 8) == (answer.error["code"], answer.error["exit"])
