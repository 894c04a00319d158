"""Files are told apart by what they hold, and nothing that is found goes untold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ropewalk.domain.legacy.values import JsonObject
from ropewalk.domain.source import Inventory, Problem
from ropewalk.sources.legacy.reader import LegacySource
from ropewalk.sources.legacy.survey import READ, REASONS, Found, document_format, survey

from .reading import read
from .writing import ZONE, Tree, interaction


async def scan(tree: Tree) -> Inventory:
    """Take the inventory of a folder."""
    return await LegacySource(tree.root, tz=ZONE).scan()


@pytest.mark.seed("7.1")
async def test_every_format_is_recognised_and_counted(whole: Tree) -> None:
    """Formats that are not read are told with their place, their number and a reason."""
    told = await read(whole)
    skipped = {(each.format, each.place): each.items for each in told.skipped()}
    assert {
        ("graph-checkpoints", "storage/graphs.db:checkpoints"): 1,
        ("leftover", "sessions/session_torn.tmp"): 1,
        ("pickle", "data/history/old.pkl"): 1,
        ("unknown", "ground_truth.jsonl"): 1,
        ("unknown", "manifest.json"): 1,
        ("unknown", "storage/other.db"): 1,
    } == skipped
    assert all(each.reason for each in told.skipped())
    counted = {each.format: each.items for each in (await scan(whole)).formats if not each.read}
    assert {"unknown": 3, "pickle": 1}.items() <= counted.items()
    assert {format for format, _ in skipped} == counted.keys()


async def test_the_inventory_tells_sizes_and_what_is_read(whole: Tree) -> None:
    """Files and bytes are those on disk, by format."""
    inventory = await scan(whole)
    formats = {each.format: each for each in inventory.formats}
    read_ones = {each.format: each.items for each in inventory.formats if each.read}
    assert READ == read_ones.keys()
    adjacent = (
        *("api-sessions", "api-history", "tui-events"),
        *("state-history", "state-snapshots", "recovery-log"),
    )
    assert (1, 2, 2, 1, 1, 2) == tuple(read_ones[format] for format in adjacent)
    files = list(whole.root.glob("history/sessions/*/*.jsonl"))
    size = sum(file.stat().st_size for file in files)
    history = formats["history"]
    assert (len(files), size, 10) == (history.files, history.size, history.items)
    assert 4 == formats["checkpoints"].items
    assert 2 == inventory.problem_count == len(inventory.problems)


@pytest.mark.parametrize(
    ("document", "format"),
    [
        ({"context": {"session_id": "s"}, "interactions": []}, "session"),
        ({"context": {}, "interactions": None}, "session"),
        ({"thread_id": "t"}, "thread"),
        ({"thread_id": "t", "metadata": {"session_id": "s"}, "state": {}}, "thread"),
        ({"session_id": "s", "events": []}, "tui-events"),
        ({"metadata": {"session_id": "s"}, "state": {}, "workflow_config": None}, "session-g1"),
        ({"metadata": {"session_id": "s"}, "state": {}}, "session-g2"),
        ({"metadata": {"session_id": "s", "workflow_configs": {}}, "state": {}}, "session-g3"),
        ({"metadata": {"session_id": "s"}}, "unknown"),
        ({"context": "words", "interactions": []}, "unknown"),
        ({"name": "package", "version": "1"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_documents_are_told_apart_by_their_keys(document: JsonObject, format: str) -> None:
    """The name and the folder of a document do not count."""
    assert format == document_format(document)
    assert format in REASONS or format in READ


@pytest.mark.parametrize(
    ("place", "format"),
    [
        ("history/sessions/202511/a.jsonl", "history"),
        ("history_data/sessions/202401/会话-测试 1.jsonl", "history"),
        ("sessions/202511/a.jsonl", "history"),
        ("data/history/202511/a.jsonl", "api-history"),
        ("history/sessions/now/a.jsonl", "unknown"),
        ("202511/a.jsonl", "unknown"),
        ("sessions/recovery_logs/s_recovery.log", "recovery-log"),
        ("readme.md", "unknown"),
    ],
)
def test_lines_are_told_apart_by_their_folders(tree: Tree, place: str, format: str) -> None:
    """The folders above a file of lines are all that its two kinds differ in."""
    tree.path(place).write_bytes(b"{}\n")
    [found] = filter(None, survey(tree.root))
    assert isinstance(found, Found)
    assert (format, place) == (found.format, found.place)


@pytest.mark.parametrize("inside", ["history", "history/sessions", "history/sessions/202511"])
async def test_any_folder_inside_can_be_read_alone(tree: Tree, inside: str) -> None:
    """A source may begin at a part of the tree: what the folders above say is not forgotten."""
    tree.record({"record_id": "a", "session_id": "s", "record_type": "message"})
    part = Tree(tree.root / inside)
    assert ["a"] == (await read(part)).ids("message")


async def test_what_was_left_behind_is_told_with_what_it_is(tree: Tree) -> None:
    """A leftover may be the only copy there is: whole or not, and with or without its file."""
    tree.session("kept", interaction("i", "kept"))
    tree.path("sessions/kept.tmp").write_bytes(b"{")
    whole = json.dumps({"context": {"session_id": "lost"}, "interactions": []})
    tree.path("sessions/lost.tmp").write_text(whole)
    tree.path("sessions/torn.tmp").write_bytes(b'{"con')
    reasons = {each.place: each.reason for each in (await read(tree)).skipped()}
    assert "kept.json is there" in reasons["sessions/kept.tmp"]
    assert "a whole session: rename it to read it" in reasons["sessions/lost.tmp"]
    assert "there is no torn.json (cut off" in reasons["sessions/torn.tmp"]


async def test_nothing_outside_the_folder_is_read(tree: Tree, tmp_path: Path) -> None:
    """Symbolic links are told and not followed; folders of other tools are not entered."""
    outside = Tree(tmp_path / "outside")
    outside.session("secret")
    tree.session("session_1")
    (tree.root / "sessions" / "link.json").symlink_to(outside.root / "sessions" / "secret.json")
    (tree.root / "folder").symlink_to(outside.root)
    for folder in (".git", "node_modules", ".venv"):
        tree.session("hidden", place=f"{folder}/hidden.json")
    told = await read(tree)
    assert ["session_1"] == told.ids("session")
    assert {("symlink", "folder"), ("symlink", "sessions/link.json")} == {
        (each.format, each.place) for each in told.skipped()
    }


def test_what_is_no_file_is_never_opened(tree: Tree) -> None:
    """A pipe that nobody writes to would block for ever."""
    os.mkfifo(tree.path("sessions/pipe.json"))
    [found] = filter(None, survey(tree.root))
    assert isinstance(found, Found)
    assert ("unknown", "not a file") == (found.format, found.reason)


def test_names_that_are_no_unicode_can_be_told(tree: Tree) -> None:
    """A place can be printed and written to a report, whatever the file is called."""
    folder = tree.path("sessions/x").parent
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.json")).write_bytes(b"{")
    [problem] = filter(None, survey(tree.root))
    assert isinstance(problem, Problem)
    assert "sessions/\\xff.json:1" == problem.place
