"""`spaces` and `grant`: what they list, make, give and take, and how they end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ropewalk.frontends.cli.exits import Exit

from .typing_it import typed

pytestmark = [pytest.mark.seed("5.3"), pytest.mark.seed("5.4")]


@pytest.fixture
def own(demo: str, tmp_path: Path) -> str:
    """Return the URL of a store with the story in it, to be changed."""
    path = tmp_path / "own.db"
    shutil.copy(demo.removeprefix("sqlite:///"), path)
    return f"sqlite:///{path}"


def test_spaces_come_and_go(own: str) -> None:
    """A space is made once, listed, deleted after a dry run, and then gone."""
    made = typed("spaces", "create", "lab", "--for", "trying", "--member", "team", "--json",
                 "-u", own)  # fmt: skip
    assert ("lab", "trying", ["team"]) == tuple(
        made.json[name] for name in ("space", "description", "members")
    )
    assert Exit.CONFLICT == typed("spaces", "create", "lab", "-u", own).code
    listed = typed("spaces", "list", "--json", "-u", own).json["items"]
    assert {"default", "lab"} == {item["space"] for item in listed}

    dry = typed("spaces", "delete", "default", "--json", "-u", own).json
    assert listed == typed("spaces", "list", "--json", "-u", own).json["items"]
    done = typed("spaces", "delete", "default", "--apply", "--json", "-u", own).json

    assert dry | {"applied": True} == done
    assert {"default": dry["total"]} == {
        item["space"]: item["records"] for item in listed if item["space"] == "default"
    }
    assert "lab" in typed("spaces", "list", "-u", own).out
    assert "default" not in typed("spaces", "list", "-u", own).out
    assert Exit.NOT_FOUND == typed("spaces", "delete", "default", "--apply", "-u", own).code


def test_grants_are_given_and_taken(own: str) -> None:
    """What is given is listed on both sides, until it is revoked."""
    first = typed("grant", "give", "lab", "--session", "trip", "--write", "--until", "1h",
                  "--note", "try", "--json", "-u", own).json  # fmt: skip
    assert ("default", "lab", "trip", "write") == tuple(
        first[name] for name in ("space", "to", "session_id", "mode")
    )
    assert first["expires_at"] > first["created_at"]
    assert (
        "records of kind 'memory'"
        in typed("grant", "give", "lab", "--kind", "memory", "-u", own).out
    )

    given = typed("grant", "list", "--json", "-u", own).json
    received = typed("grant", "list", "--json", "-s", "lab", "-u", own).json
    assert (2, []) == (len(given["given"]), given["received"])
    assert ([], given["given"]) == (received["given"], received["received"])
    assert "session 'trip'" in typed("grant", "list", "-u", own).out

    assert 0 == typed("grant", "revoke", first["grant"], "-u", own).code
    assert Exit.NOT_FOUND == typed("grant", "revoke", first["grant"], "-u", own).code
    assert 1 == len(typed("grant", "revoke", "--from", "lab", "--json", "-u", own).json["revoked"])
    assert "nothing is shared" in typed("grant", "list", "-u", own).err
    assert "nothing was given" in typed("grant", "revoke", "--from", "lab", "-u", own).err


@pytest.mark.parametrize(
    "words",
    [
        ["grant", "give", "lab"],
        ["grant", "give", "lab", "--whole", "--kind", "memory"],
        ["grant", "give", "default", "--whole"],
        ["grant", "give", "lab", "--kind", "secret"],
        ["grant", "give", "lab", "--whole", "--until", "soon"],
        ["grant", "revoke"],
        ["grant", "revoke", "x", "--from", "lab"],
        ["spaces", "create", ""],
    ],
)
def test_what_says_nothing_is_refused(own: str, words: list[str]) -> None:
    """A wrong command ends as one, with a sentence, and changes nothing."""
    answer = typed(*words, "-u", own)
    assert Exit.USAGE == answer.code
    assert answer.err.startswith("error: ")
    assert {"given": [], "received": []} == typed("grant", "list", "--json", "-u", own).json
