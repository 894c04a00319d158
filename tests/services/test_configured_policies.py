"""Policies that stand in a configuration file hold on every handle that is opened by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ropewalk.config import Config
from ropewalk.domain.errors import Invalid
from ropewalk.domain.policy import FirstWins, LastWins, Merge
from ropewalk.factory import open

pytestmark = pytest.mark.seed("5.2")

TEXT = """
url = "memory://"

[policy]
note = "first_wins"
"*" = "last_wins"

[policy.session]
policy = "merge"
fields = { tags = "union", "metadata.seen" = "sum" }
default = "last"
"""


async def test_a_file_says_what_decides(tmp_path: Path) -> None:
    """The policies of the file are those of the handle, and of its handles to other spaces."""
    path = tmp_path / "ropewalk.toml"
    path.write_text(TEXT, "utf-8")
    config = Config.load(file=path, environ={})

    async with open(config) as storage:
        base = await storage.sessions.create(tags=["a"])
        await storage.sessions.update(base.id, tags=["a", "b"])
        merged = await storage.sessions.update(base.id, tags=["a", "c"], base=base)
        other = storage.space("other")

        assert ("a", "b", "c") == merged.tags
        assert FirstWins() == await other.policies.of("note")
        assert LastWins() == await other.policies.of("thread")
    merge = Merge(fields={"tags": "union", "metadata.seen": "sum"}, default="last")
    assert merge == config.policies["session"]
    assert f"project file {path}" == config.origin("policy.session")


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({"note": "last_win"}, r"policy\.note.*last_wins"),
        ({"note": 7}, "note"),
        ("reject", "table"),
    ],
)
def test_a_wrong_policy_is_refused_with_its_place(policy: object, told: str) -> None:
    """The error names the key and where it stands."""
    with pytest.raises(Invalid, match=told):
        Config.from_mapping({"policy": policy})
