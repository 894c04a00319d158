"""`ropewalk config import`: old settings become ours, or are told with a reason."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ropewalk.config import Config

from .old_settings import write_configs
from .typing_it import typed

pytestmark = pytest.mark.seed("7.2")


@pytest.fixture
def configs(folder: Path) -> Path:
    """Return a folder of the old program's settings, all of them."""
    place = folder / "configs"
    write_configs(place)
    return place


def written(folder: Path) -> dict[str, object]:
    """Return what stands in our file."""
    return tomllib.loads((folder / "ropewalk.toml").read_text())


def test_the_store_stands_beside_the_old_database(configs: Path, folder: Path) -> None:
    """One file gives one setting; `ropewalk.open` finds it, and the old database is left alone."""
    answer = typed("config", "import", str(configs / "global.yaml"))
    assert (0, "") == (answer.code, answer.err)
    assert {"url": "sqlite:///storage/ropewalk.db"} == written(folder)
    assert str(folder / "storage" / "ropewalk.db") in (Config.load().url or "")


def test_everything_is_taken_over_or_told(configs: Path, folder: Path) -> None:
    """Of a whole folder, each value is either taken or named with a code and a reason."""
    told = typed("config", "import", str(configs), "--json").json
    assert "ropewalk.toml" == told["written"]
    assert {"checkpoint.storage_type", "checkpoint.db_path"} == set(told["taken"])
    codes = {each["key"]: each["code"] for each in told["not_taken"]}
    assert {
        "checkpoint.enabled": "policy",
        "checkpoint.auto_save": "policy",
        "checkpoint.save_interval": "policy",
        "checkpoint.trigger_conditions": "policy",
        "checkpoint.max_checkpoints": "retention",
        "checkpoint.retention_days": "retention",
        "checkpoint.compression": "always",
        "log_level": "unknown_key",
        "history.enabled": "policy",
        "history.storage": "unread",
        "history.pricing": "prices",
        "components.sessions.storage_type": "one_store",
        "components.sessions.storage_path": "data",
        "components.sessions.auto_save": "always",
        "thread_features": "unread",
        "graph.checkpointer": "saver",
        "checkpoints.default": "group",
        "checkpoints.production": "group",
    } == codes
    assert all(each["reason"] for each in told["not_taken"])
    assert {"url": "sqlite:///storage/ropewalk.db"} == written(folder)


def test_a_group_may_be_meant(configs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables count, with their defaults; one that is not there is refused."""
    group = ("config", "import", str(configs), "--force", "--group")
    assert 0 == typed(*group, "production").code
    assert {"url": "sqlite:///./data/ropewalk.db"} == written(folder)
    monkeypatch.setenv("CHECKPOINT_DB_PATH", "/srv/my data/c.db")
    assert 0 == typed(*group, "production").code
    assert {"url": "sqlite:////srv/my%20data/ropewalk.db"} == written(folder)
    assert 0 == typed(*group, "default").code
    assert {"url": "memory://"} == written(folder)
    refused = typed(*group, "prod")
    assert 2 == refused.code
    assert "production" in refused.err


def test_nothing_is_written_unasked(configs: Path, folder: Path) -> None:
    """Neither in a dry run nor over a file that is there."""
    shown = typed("config", "import", str(configs), "--dry-run")
    assert 0 == shown.code
    assert 'url = "sqlite:///storage/ropewalk.db"' in shown.out
    assert not (folder / "ropewalk.toml").exists()
    (folder / "ropewalk.toml").write_text("# mine\n")
    refused = typed("config", "import", str(configs))
    assert 5 == refused.code
    assert "--force" in refused.err
    assert "# mine\n" == (folder / "ropewalk.toml").read_text()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.yaml", "a: [", "cannot be read"),
        ("x.yaml", "history: {enabled: true}", "says where checkpoints are"),
        ("x.json", "{", "cannot be read"),
        ("x.yaml", "!!python/object/apply:os.getcwd []", "cannot be read"),
    ],
)
def test_what_is_no_configuration_is_refused(folder: Path, name: str, text: str, said: str) -> None:
    """With the file and what is wrong; nothing is run that a file says."""
    (folder / name).write_text(text)
    answer = typed("config", "import", name)
    assert 2 == answer.code
    assert said in answer.err
    assert not (folder / "ropewalk.toml").exists()


def test_a_place_without_settings_is_not_found(folder: Path) -> None:
    """Neither a folder without files nor a file that is not there."""
    (folder / "empty").mkdir()
    for place in ("empty", "nowhere.yaml"):
        assert 4 == typed("config", "import", place).code
