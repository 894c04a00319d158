"""Whatever a key holds, its file lies in its own place, and never outside the folder."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.backends.file.layout import LONGEST, encode, path_of
from ropewalk.domain.limits import MAX_ID_BYTES
from ropewalk.domain.record import Key

# What Windows keeps for devices, with any ending.
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)

TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("./\\%+=:~\0 aAäÄßſKkİıé"),
    min_size=1,
    max_size=200,
)

HOSTILE = (
    ".",
    "..",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows\\system32",
    "a/../../b",
    "\0",
    "a\0b",
    "\n---\n",
    "~root",
    "-rf",
    "$(reboot)",
    "con",
    "NUL",
    "aux.txt",
    "com1",
    "trailing.",
    "trailing ",
    ".hidden",
    "..rec",
    "%2e%2e",
    "+a",
    "=",
    "é",
    "e\u0301",
    "ß",
    "ẞ",
    "İ",
    "\u202egnp.exe",
    "x" * MAX_ID_BYTES,
    "." * MAX_ID_BYTES,
    "🪢" * (MAX_ID_BYTES // 4),
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("019a3f2b7c", "019a3f2b7c"),
        ("thread-1_b", "thread-1_b"),
        ("v1.2", "v1.2"),
        ("Rome", "+rome"),
        ("a b", "a%20b"),
        ("..", "%2e%2e"),
        (".git", "%2egit"),
        ("a.", "a%2e"),
        ("ö", "%c3%b6"),
        ("\0", "%00"),
        ("a/b", "a%2fb"),
        ("%", "%25"),
        ("+", "%2b"),
        ("=", "%3d"),
        ("con", "%63on"),
        ("nul.tar.gz", "%6eul.tar.gz"),
        ("CON", "+c+o+n"),
        ("console", "console"),
    ],
)
def test_names_stay_as_they_are(text: str, name: str) -> None:
    """The encoding is part of the format: it is the same in every version."""
    assert name == encode(text)


def test_a_long_name_is_cut_and_hashed() -> None:
    """What would be too long for a file system begins readably and ends with its SHA-256."""
    name = encode("x" * 500)
    assert "x" * 48 + "=" == name[:49]
    assert len(name) == 48 + 1 + 64
    assert encode("x" * 499) != name
    assert encode("x" * LONGEST) == "x" * LONGEST


def test_a_record_lies_under_its_space_and_kind() -> None:
    """A path names space, kind and id, and ends in the suffix."""
    assert path_of(Key("Team A", "message", "m.1")) == "spaces/+team%20+a/message/m.1.rec"


@pytest.mark.seed("10.4")
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_hostile_name_is_one_harmless_name(text: str) -> None:
    """Nothing in a name means anything to a file system, be it that of another machine."""
    name = encode(text)
    _assert_harmless(name)


@pytest.mark.seed("10.4")
@given(text=TEXT)
def test_any_name_is_harmless(text: str) -> None:
    """Every text becomes one plain part of a path, short enough everywhere."""
    _assert_harmless(encode(text))


@pytest.mark.seed("5.3", "10.4")
@given(texts=st.lists(TEXT, min_size=2, max_size=2, unique=True))
def test_two_names_never_meet(texts: list[str]) -> None:
    """Different texts have different names, also where case and normal forms do not count."""
    assert len({_folded(encode(text)) for text in texts}) == 2


@pytest.mark.seed("5.3")
def test_hostile_names_never_meet() -> None:
    """The same for all the hostile ones, which were chosen to look alike."""
    assert len({_folded(encode(text)) for text in HOSTILE}) == len(HOSTILE)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def _assert_harmless(name: str) -> None:
    assert name.isascii()
    assert name.isprintable()
    assert (name,) == PurePosixPath(name).parts == PureWindowsPath(name).parts
    assert not RESERVED.fullmatch(name)
    assert name not in {".", ".."}
    assert not name.startswith((".", "~", " "))
    assert not name.endswith((".", " "))
    assert 0 < len(name) <= LONGEST
