"""`ropewalk copy --follow`: real processes, one that writes and one that follows and is killed."""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from ropewalk.domain.migration import JOURNAL
from ropewalk.factory import open

from ...forked import PIPE, Forked
from .typing_it import typed

WRITER: Final = Path(__file__).with_name("committing.py")
LONG: Final = bool(os.environ.get("ROPEWALK_LONG"))
KILLS: Final = 40 if LONG else 5

SOURCE, TARGET = "sqlite:///source.db", "sqlite:///target.db"


@contextmanager
def _spawned(*command: str) -> Generator[Forked, None, None]:
    """Start a process for the block, which ends it if it has not come to its end."""
    with Forked(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def _following() -> Any:  # noqa: ANN401 (a context of a process)
    return _spawned("-m", "ropewalk", "copy", SOURCE, TARGET, "--follow", "--json")


def _said(process: Forked) -> Any:  # noqa: ANN401 (what JSON says)
    """Return the next line of a process, read as JSON."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr and process.stderr.read()
    return json.loads(line)


async def _newest(url: str) -> int:
    async with open(url) as storage:
        return await storage.migrations.backend.changed(-1)


@pytest.mark.slow
@pytest.mark.seed("7.4", "8.3")
@pytest.mark.usefixtures("folder")
@pytest.mark.timeout(1_200 if LONG else 120)
async def test_killed_again_and_again_it_ends_as_its_source_is() -> None:
    """Each process goes on where the one before was; every change reached the target once."""
    chance = random.Random("followed")
    with _spawned(str(WRITER), SOURCE) as writer:
        assert writer.stdout is not None
        assert "begun\n" == writer.stdout.readline()
        positions = [0]
        for _ in range(KILLS):
            with _following() as process:
                for _ in range(chance.randint(2, 4)):
                    step = _said(process)
                    assert step["position"] >= positions[-1]
                    positions.append(step["position"])
                process.send_signal(signal.SIGKILL)
                assert -signal.SIGKILL == process.wait()
        writer.communicate()
        assert 0 == writer.returncode
    newest = await _newest(SOURCE)
    with _following() as process:
        while _said(process)["position"] < newest:
            pass
        process.send_signal(signal.SIGTERM)
        ended = _said(process)
        assert (0, newest, True) == (process.wait(), ended["position"], ended["ended"])

    async with open(SOURCE) as source, open(TARGET) as target:
        assert await source.migrations.content_hash() == await target.migrations.content_hash()
        commits = [commit async for commit in target.migrations.backend.feed(0)]
        assert [ended["run"]] == [report.run for report in await target.migrations.runs()]
        assert (await target.checkpoints.verify()).is_whole
    changes = Counter(
        (change.key, change.version)
        for commit in commits
        for change in commit.changes
        if change.key.kind not in JOURNAL
    )
    assert {1} == set(changes.values())
    assert len(set(positions)) > KILLS


def test_an_interrupt_ends_it_in_peace(demo: str, folder: Path) -> None:
    """^C says where it was, with exit code 0; a person reads lines."""
    command = ("-m", "ropewalk", "copy", demo, f"sqlite:///{folder / 'spare.db'}", "--follow")
    with _spawned(*command) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("commit ")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert (0, "") == (process.returncode, err)
    assert "the same command goes on there" in out
    assert 0 == typed("copy", demo, "sqlite:///spare.db").code


def test_what_cannot_be_followed_is_refused(demo: str) -> None:
    """How long to follow is said only of following."""
    assert 2 == typed("copy", demo, "sqlite:///other.db", "--for", "1").code
