"""What `open` refuses, it refuses at the call, in a sentence that says what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ropewalk
from ropewalk.config import Config, LayerConfig
from ropewalk.domain.errors import Invalid
from ropewalk.factory import open_source

WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "no store is named: pass a URL"),
    ({"target": "agent.db"}, "write sqlite:///agent.db"),
    ({"target": "sqlite:/agent.db"}, "write sqlite:///agent.db"),
    ({"target": "sqlit:///agent.db"}, "there is no back end 'sqlit'; did you mean 'sqlite'?"),
    ({"target": "postgresql://me:hunter2@host/db"}, "no PostgreSQL back end yet"),
    ({"target": "sqlite:///a.db?reader=2"}, "did you mean 'readers'?"),
    ({"target": "sqlite:///a.db", "options": {"readers": "two"}}, "readers must be"),
    ({"target": "memory://?size=3"}, "takes no path and no options"),
    ({"target": "memory://", "layers": ["log"]}, "no layer 'log'; did you mean 'logs'?"),
    ({"target": "memory://", "layers": ["logs", "logs"]}, "twice"),
    (
        {"target": "memory://", "layers": [LayerConfig("retry", {"attemptz": 3})]},
        "the layer 'retry' has no option 'attemptz'; did you mean 'attempts'?",
    ),
    (
        {"target": "memory://", "layers": [LayerConfig("retry", {"attempts": 0})]},
        "layer.retry.attempts must be 1 or more",
    ),
    (
        {"target": "memory://", "layers": [LayerConfig("switch", {"patience": -1})]},
        "layer.switch.patience must be 0 seconds or more",
    ),
    ({"target": "memory://", "codecs": ["zst"]}, "did you mean 'zstd'?"),
    ({"target": "memory://", "space": ""}, "space must not be empty"),
    ({"target": Config.from_mapping({"url": "memory://", "layer": {"rety": {"n": 1}}})}, "'retry'"),
    (
        {"target": Config.from_mapping({"url": "memory://", "backend": {"sqlit": {"n": 1}}})},
        "no back end 'sqlit'; did you mean 'sqlite'?",
    ),
]


@pytest.mark.seed("2.4", "1.5")
@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_what_is_wrong_is_said_before_anything_happens(
    arguments: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong URL, name or option is `Invalid` at the call, with what to write instead."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ROPEWALK_URL", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user"))
    with pytest.raises(Invalid) as caught:
        ropewalk.open(**arguments)
    assert said in caught.value.message
    assert "hunter2" not in caught.value.message
    assert [] == list(tmp_path.iterdir())


@pytest.mark.seed("2.4")
def test_sources_by_name(tmp_path: Path) -> None:
    """A foreign format has a name and options of its own, checked before anything is read."""
    with pytest.raises(Invalid, match="no source 'legcy'; did you mean 'legacy'"):
        open_source("legcy", tmp_path)
    with pytest.raises(Invalid, match="has no option 'zone'"):
        open_source("legacy", tmp_path, zone="UTC")
