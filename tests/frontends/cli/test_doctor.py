"""`ropewalk doctor`: every check has a verdict, and a bad one a fix."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import ropewalk
from ropewalk.backends.sqlite.schema import APPLICATION_ID
from ropewalk.backends.sqlite.steps import mark, migrations

from .typing_it import typed

ALL = [
    "python",
    "sqlite",
    "config",
    "schema",
    "store",
    "health",
    "capabilities",
    "records",
    "shapes",
    "clock",
    "disk",
]


@pytest.mark.seed("2.5")
def test_a_sound_store_passes_every_check(store: str) -> None:
    """Eleven checks, all ok: 0; the same for people and for programs."""
    told = typed("doctor", "--json", "-u", store)
    assert (0, True) == (told.code, told.json["healthy"])
    checks = told.json["checks"]
    assert ALL == [check["name"] for check in checks]
    assert {"ok"} == {check["verdict"] for check in checks}
    lines = typed("doctor", "-u", store).lines
    assert "11 checks, 0 to look at, 0 failed" == lines[-1]


@pytest.mark.seed("9.4")
def test_it_says_where_each_value_comes_from(
    demo: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The origin of every setting is shown: argument, environment, file with its path, default."""
    (folder / "ropewalk.toml").write_text('codecs = ["crc32"]\n[layer.retry]\nattempts = 3\n')
    monkeypatch.setenv("ROPEWALK_ACTOR", "me")
    [config] = [
        check
        for check in typed("doctor", "--json", "-u", demo).json["checks"]
        if check["name"] == "config"
    ]
    facts = config["facts"]
    assert facts["url"].endswith("(argument)")
    assert "me  (environment ROPEWALK_ACTOR)" == facts["actor"]
    assert str(folder / "ropewalk.toml") in facts["codecs"]
    assert str(folder / "ropewalk.toml") in facts["layer.retry.attempts"]
    assert "default  (default)" == facts["space"]


def test_an_unknown_key_is_found(folder: Path) -> None:
    """A misspelt setting fails the check of the configuration, with what was meant."""
    (folder / "ropewalk.toml").write_text('ulr = "memory://"\n')
    told = typed("doctor", "--json")
    assert (1, False) == (told.code, told.json["healthy"])
    [config] = [check for check in told.json["checks"] if check["name"] == "config"]
    assert "fail" == config["verdict"]
    assert "did you mean 'url'" in config["message"]


def test_secrets_are_not_shown() -> None:
    """A password in a URL never reaches the terminal."""
    answer = typed("doctor", "-u", "sqlite:///agent.db?password=sesame")
    assert "backend.sqlite.password: ***" in answer.out
    assert "sesame" not in answer.out + answer.err


@pytest.mark.parametrize("url", ["sqlite:///nothing.db", "nothing://", "sqlite:///notes.txt"])
def test_a_store_that_does_not_open_fails(folder: Path, url: str) -> None:
    """No store, an unknown back end, a foreign file: 1, and nothing is made or changed."""
    (folder / "notes.txt").write_text("notes\n" * 50)
    told = typed("doctor", "--json", "-u", url)
    assert 1 == told.code
    assert "fail" in [check["verdict"] for check in told.json["checks"]]
    assert ["notes.txt"] == [path.name for path in folder.iterdir()]


def test_damage_is_found(demo: str, folder: Path) -> None:
    """A file whose pages are torn does not pass."""
    whole = Path(demo.removeprefix("sqlite:///")).read_bytes()
    torn = whole[:4096] + b"\xff" * (len(whole) - 4096)
    (folder / "torn.db").write_bytes(torn)
    told = typed("doctor", "--json", "-u", "sqlite:///torn.db")
    assert 1 == told.code


def test_a_store_of_an_earlier_version_is_left_as_it_is(folder: Path) -> None:
    """What is pending is named, with how to do it; the store is not opened, which would do it."""
    path = folder / "old.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(migrations()[0].script)
        old.execute(f"pragma user_version = {mark(migrations()[:1])}")
        old.execute(f"pragma application_id = {APPLICATION_ID}")
    before = path.read_bytes()
    told = typed("doctor", "--json", "-u", "sqlite:///old.db")
    checks = {check["name"]: check for check in told.json["checks"]}
    assert (0, "warn") == (told.code, checks["schema"]["verdict"])
    assert "ropewalk schema upgrade" in checks["schema"]["fix"]
    assert checks["schema"]["facts"]["pending"].startswith("ledger")
    assert {"python", "sqlite", "config", "schema", "disk"} == checks.keys()
    assert before == path.read_bytes()


@pytest.mark.parametrize(
    ("statement", "verdict", "code"),
    [("create table mine (n)", "warn", 0), ("drop index record_kind", "fail", 1)],
)
def test_tables_that_somebody_changed(
    demo: str, folder: Path, statement: str, verdict: str, code: int
) -> None:
    """What was added is worth a warning, what is missing or changed a failure."""
    shutil.copy(demo.removeprefix("sqlite:///"), folder / "mine.db")
    with closing(sqlite3.connect(folder / "mine.db")) as other:
        other.execute(statement)
    told = typed("doctor", "--json", "-u", "sqlite:///mine.db")
    [schema] = [check for check in told.json["checks"] if check["name"] == "schema"]
    assert (code, verdict) == (told.code, schema["verdict"])
    assert [" ".join(statement.split()[1:3])] == list(schema["facts"])


def test_memory_is_a_warning() -> None:
    """That nothing outlives the process is worth a warning, no failure."""
    told = typed("doctor", "--json", "-u", "memory://")
    [capabilities] = [c for c in told.json["checks"] if c["name"] == "capabilities"]
    assert (0, "warn") == (told.code, capabilities["verdict"])
    assert "sqlite:///" in capabilities["fix"]


def test_records_from_the_future_are_a_warning() -> None:
    """A clock that is wrong shows in what was written."""

    async def write() -> None:
        async with ropewalk.open("sqlite:///ahead.db") as storage:
            thread = await storage.threads.create()
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            await storage.history.add_message(thread_id=thread.id, role="user", created_at=tomorrow)

    asyncio.run(write())
    told = typed("doctor", "--json", "-u", "sqlite:///ahead.db")
    [clock] = [check for check in told.json["checks"] if check["name"] == "clock"]
    assert (0, "warn") == (told.code, clock["verdict"])
    assert "in 23 h" in clock["message"]
