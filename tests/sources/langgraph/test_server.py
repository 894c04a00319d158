"""Who cannot be read is told plainly, and no password is ever said."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from ropewalk.domain.errors import Denied, Invalid, NotFound, RopewalkError, Unavailable
from ropewalk.factory import open

from ...frontends.cli.typing_it import typed
from ...frontends.langgraph import graphs
from . import runs
from .cluster import PASSWORD, QUOTED, Cluster
from .moved import move, original, source, told

WRONG = "n0ne%2Fof%20it"

SAID: dict[str, tuple[str, type[RopewalkError], str]] = {
    "no such database": ("{good}/none?host={folder}", NotFound, "no such database"),
    "another password": ("{bad}/postgres?host={folder}", Denied, "password authentication failed"),
    "no server": ("{good}/postgres?host={folder}/none", Unavailable, "cannot be read now"),
    "no tables": ("{good}/postgres?host={folder}", NotFound, "missing: checkpoints"),
    "a slash in the password": ("postgres:n0ne/of it@localhost/x", Invalid, "percent-encode"),
    "an at sign in the password": ("postgres:n0ne@of it@localhost/x", Invalid, "percent-encode"),
    "no such option": ("{good}/postgres?secrett=n0ne", Invalid, "cannot be understood"),
}


@pytest.mark.parametrize("case", SAID)
async def test_what_is_wrong_is_told_without_the_password(case: str, cluster: Cluster) -> None:
    """Each trouble has its class, and neither the message nor what lies behind it tells secrets."""
    form, kind, words = SAID[case]
    good, bad = (f"postgres:{password}@" for password in (QUOTED, WRONG))
    url = "postgresql://" + form.format(good=good, bad=bad, folder=cluster.folder)
    for ask in (source(url).scan, partial(told, url)):
        with pytest.raises(kind, match=words) as caught:
            await ask()
        whole = "".join(traceback.format_exception(caught.value, chain=True, limit=0))
        assert not [part for part in _secrets() if part in whole + str(caught.value.facts)]


def _secrets() -> Iterator[str]:
    yield from (PASSWORD, QUOTED, WRONG, "n0ne", "s3cret")


@pytest.mark.seed("7.2")
async def test_a_password_that_was_left_out_comes_from_the_environment(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal has three stars for it; with these, and `PGPASSWORD`, a run is done again."""
    url = cluster.make("starred")
    async with original(url):
        starred = cluster.url("starred", password="***")  # noqa: S106 (none is the point)
        with pytest.raises(Denied, match="PGPASSWORD"):
            await told(starred)
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
        assert [] == await told(starred) == await told(url)
        async with open("memory://") as storage:
            report = await move(starred, storage)
            assert report.is_complete


async def test_other_servers_are_refused_by_name() -> None:
    """What cannot be read this way is told at once, with the way that there is."""
    with pytest.raises(Invalid, match=r"mysql://u:\*\*\*@h/d: .*bring") as caught:
        source("mysql://u:n0ne@h/d")
    assert "unsupported" == caught.value.code


@pytest.mark.seed("7.1")
async def test_the_command_line_writes_no_password_down(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planned with a password in the URL, run with one in the environment; the store has none."""
    url = cluster.make("planned")
    async with original(url) as saver:
        await runs.steps(graphs.steps(saver))
    plan, target = tmp_path / "plan.toml", f"sqlite:///{tmp_path / 'new.db'}"
    planned = await _typed("migrate", "plan", "--from", "langgraph", url, target, "-o", str(plan))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    said = [planned, await _typed("migrate", "run", str(plan), "--apply")]
    said += [
        await _typed("migrate", "verify", str(plan)),
        await _typed("migrate", "status", "-u", target),
    ]
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    whole = "".join(said).encode() + kept
    assert "***" in plan.read_text()
    assert not [part for part in _secrets() if part.encode() in whole]


async def _typed(*words: str) -> str:
    """Run a command, which must succeed; return all that it says."""
    done = await asyncio.to_thread(typed, *words)
    assert 0 == done.code, done.err
    return done.out + done.err
