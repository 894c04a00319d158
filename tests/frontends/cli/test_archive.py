"""`export`, `import` and `erase`: what they write, what they refuse, and how they end."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from ropewalk.factory import open

from .typing_it import typed

pytestmark = pytest.mark.seed("7.3")


def test_a_store_goes_out_and_comes_back(store: str, folder: Path) -> None:
    """The same content comes out of the copy; the word `archive` may be left out."""
    first = typed("export", "a.jsonl.zst", "--json", "-u", store).json
    into = f"sqlite:///{folder / 'copy.db'}"
    assert 0 == typed("import", "a.jsonl.zst", into, "--dry-run").code
    assert not (folder / "copy.db").exists()
    [space] = typed("import", "a.jsonl.zst", into, "--json").json["spaces"]
    assert space["complete"]
    again = typed("export", "b.jsonl.zst", "--json", "-u", into).json
    assert (first["content"], first["counts"]) == (again["content"], again["counts"])
    answer = typed("import", "archive", "a.jsonl.zst", into)
    assert "0 changes" in answer.out
    taken = space["rollback"].split()[1:]
    assert 0 == typed(*taken).code
    assert 0 == sum(typed("export", "c.jsonl", "--json", "-u", into).json["counts"].values())


@pytest.mark.seed("7.3")
def test_what_an_archive_brought_is_compared_with_it(store: str, folder: Path) -> None:
    """Every record of it, states as they load; what was changed or lost since is named."""
    typed("export", "a.jsonl.zst", "-u", store)
    into = f"sqlite:///{folder / 'copy.db'}"
    typed("import", "a.jsonl.zst", into)
    sound = typed("migrate", "verify", "last", "-u", into, "--json")
    assert (0, True) == (sound.code, sound.json["sound"])
    assert {"family", "head"} == set(sound.json["items"]) - set(sound.json["compared"])
    asyncio.run(_rename_a_session(into))
    assert 7 == typed("migrate", "verify", "last", "-u", into).code
    (folder / "a.jsonl.zst").unlink()
    assert 4 == typed("migrate", "verify", "last", "-u", into).code


async def _rename_a_session(url: str) -> None:
    async with open(url) as storage:
        [session, *_] = [each async for each in storage.sessions.stream()]
        await storage.sessions.update(session.id, title="another")


def test_a_part_of_a_store_is_readable_lines(demo: str, folder: Path) -> None:
    """A thread in a plain file is JSON in every line, and says what it is."""
    assert 0 == typed("export", "rome.jsonl", "--thread", "rome", "-u", demo).code
    lines = [json.loads(line) for line in (folder / "rome.jsonl").read_text().splitlines()]
    assert "ropewalk-archive" == lines[0]["format"]
    assert {"thread_id"} == set(lines[0]["what"])
    assert len(lines) - 2 == lines[-1]["records"]
    assert 4 == typed("export", "no.jsonl", "--thread", "nowhere", "-u", demo).code
    assert 2 == typed("export", "no.jsonl", "--thread", "a", "--user", "b", "-u", demo).code


def test_a_damaged_archive_is_not_brought(demo: str, folder: Path) -> None:
    """It says what is wrong and writes nothing; an allowed loss is partly done."""
    typed("export", "a.jsonl", "-u", demo)
    whole = (folder / "a.jsonl").read_bytes()
    (folder / "a.jsonl").write_bytes(whole[: len(whole) // 2])
    answer = typed("import", "a.jsonl", "sqlite:///copy.db")
    assert (2, True) == (answer.code, "torn" in answer.err)
    assert 0 == typed("import", "a.jsonl", "sqlite:///copy.db", "--allow-loss", "*").code


@pytest.mark.seed("3.5")
def test_a_person_is_erased_with_a_receipt(demo: str, folder: Path) -> None:
    """The dry run removes nothing; the receipt says who, what, when and what remains."""
    typed("export", "a.jsonl", "-u", demo)
    own = f"sqlite:///{folder / 'own.db'}"
    typed("import", "a.jsonl", own)
    users = [row["user_id"] for row in typed("ls", "sessions", "--json", "-u", own).json["items"]]
    user = next(user for user in users if user)
    before = typed("erase", "--user", user, "--json", "-u", own).json
    assert (True, before["records"]["session"]) == (before["dry_run"], users.count(user))
    assert 2 == typed("erase", "--user", user, "--receipt", "r.md", "-u", own).code
    done = typed("erase", "--user", user, "--yes", "--receipt", "r.md", "-u", own)
    assert 0 == done.code
    text = (folder / "r.md").read_text()
    assert text.startswith(f"# Receipt of an erasure: user {user}")
    assert before["digest"] in text
    assert "## What remains" in text
    assert 0 == typed("erase", "--user", user, "--json", "-u", own).json["total"]
    assert 4 == typed("export", "x.jsonl", "--user", user, "-u", own).code
