"""`watch`, `consumers` and `trim`: what they tell, acknowledge and forget, and how they end."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

import ropewalk
from ropewalk.frontends.cli.exits import Exit

from ...forked import PIPE, Forked
from .typing_it import typed

pytestmark = pytest.mark.seed("8.3")


@pytest.fixture
def own(demo: str, tmp_path: Path) -> str:
    """Return the URL of a store with the story in it, to be changed."""
    path = tmp_path / "own.db"
    shutil.copy(demo.removeprefix("sqlite:///"), path)
    return f"sqlite:///{path}"


def _watched(*arguments: str) -> list[dict[str, Any]]:
    answer = typed("watch", *arguments, "--json")
    assert answer.code == Exit.DONE, answer.err
    return [json.loads(line) for line in answer.lines]


def test_commits_are_told_a_line_each(own: str) -> None:
    """From a number on, in order, narrowed by kind, for people and for programs."""
    first = _watched("--after", "0", "--limit", "6", "-u", own)
    assert [1, 2, 3, 4, 5, 6] == [line["seq"] for line in first]
    assert first[4:] == _watched("--after", "4", "--limit", "2", "-u", own)
    said = _watched("--after", "0", "--kind", "message", "--limit", "3", "-u", own)
    kinds = {change["kind"] for line in said for change in line["changes"]}
    assert {"message"} == kinds
    text = typed("watch", "--after", "0", "--limit", "6", "-u", own)
    assert [str(line["seq"]) for line in first] == [line.split()[0] for line in text.lines]
    assert "+session/" in text.lines[0]


def test_a_consumer_goes_on_where_it_was(own: str) -> None:
    """What was written out is acknowledged, listed, set back and forgotten."""
    first = _watched("--consumer", "c", "--limit", "3", "-u", own)
    second = _watched("--consumer", "c", "--limit", "2", "-u", own)
    assert [1, 2, 3, 4, 5] == [line["seq"] for line in first + second]
    (item,) = typed("consumers", "--json", "-u", own).json["items"]
    assert ("c", 5) == (item["consumer"], item["seq"])
    assert item["behind"] > 0
    assert "c" in typed("consumers", "c", "-u", own).out
    assert 2 == typed("consumers", "c", "--reset", "2", "--json", "-u", own).json["seq"]
    assert 3 == _watched("--consumer", "c", "--limit", "1", "-u", own)[0]["seq"]
    assert "forgot c\n" == typed("consumers", "c", "--delete", "-u", own).out
    assert Exit.NOT_FOUND == typed("consumers", "c", "-u", own).code


def test_old_commits_are_forgotten_after_a_dry_run(own: str) -> None:
    """Nothing goes without --apply, nor what a consumer needs; then who is behind is told."""
    _watched("--consumer", "c", "--limit", "4", "-u", own)
    rule = ("--keep-commits", "3", "-u", own)
    dry = typed("trim", *rule, "--json").json
    assert (4, False, ["default/c"]) == (dry["commits"], dry["applied"], dry["held_by"])
    assert "more are kept for default/c" in typed("trim", *rule).out
    assert 1 == _watched("--after", "0", "--limit", "1", "-u", own)[0]["seq"]
    assert 4 == typed("trim", *rule, "--apply", "--json").json["commits"]
    assert 5 == _watched("--after", "0", "--limit", "1", "-u", own)[0]["seq"]
    behind = typed("watch", "--after", "2", "--limit", "1", "-u", own)
    assert Exit.NOT_FOUND == behind.code
    assert "forgotten" in behind.err
    typed("trim", *rule, "--apply", "--force")
    assert "forgotten" in typed("consumers", "-u", own).out


@pytest.mark.parametrize(
    "words",
    [
        ("watch", "--after", "1", "--consumer", "c"),
        ("consumers", "--delete"),
        ("consumers", "c", "--delete", "--reset", "1"),
        ("trim",),
        ("trim", "--keep", "soon"),
    ],
)
def test_what_makes_no_sense_is_refused(own: str, words: tuple[str, ...]) -> None:
    """Options that exclude each other, or lack something, are errors of usage."""
    assert Exit.USAGE == typed(*words, "-u", own).code


@pytest.mark.seed("5.1")
def test_it_waits_for_other_processes_until_it_is_interrupted(own: str) -> None:
    """A commit of another process is written out at once, and an interrupt ends it."""
    newest = asyncio.run(_told(own, 0))[-1]
    command = ["-m", "ropewalk", "watch", "--consumer", "c", "--json", "-u", own]
    with Forked(command, stdout=PIPE) as watcher:
        try:
            assert watcher.stdout is not None
            while json.loads(watcher.stdout.readline())["seq"] < newest:
                continue
            assert typed("spaces", "create", "lab", "-u", own).code == Exit.DONE
            assert typed("tag", "rome", "arrived", "-u", own).code == Exit.DONE
            expected = asyncio.run(_told(own, newest))
            assert expected
            assert expected == [json.loads(watcher.stdout.readline())["seq"] for _ in expected]
            watcher.send_signal(signal.SIGINT)
            assert watcher.wait(60) == Exit.INTERRUPTED
        finally:
            watcher.kill()


async def _told(url: str, after: int) -> list[int]:
    """Return the numbers of what is to be told: not where consumers stand."""
    async with ropewalk.open(url) as storage:
        return [
            commit.seq
            async for commit in storage.feed(after)
            if {"consumer"} != {change.key.kind for change in commit.changes}
        ]
