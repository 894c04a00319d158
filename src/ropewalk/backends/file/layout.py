"""Where a record lies: a key becomes a path that is safe on every file system.

A record is `spaces/<space>/<kind>/<id>.rec`. In each part, `a-z`, `0-9`, `_`, `-` and inner dots
stand for themselves, `+x` stands for the capital `X` (the scheme of Go's module cache, with another
sign), and every other byte of the UTF-8 text is `%` with two hexadecimal digits. So two keys never
share a file where case or Unicode normal forms do not count, no part begins or ends with a dot, and
none holds a separator. Names that Windows keeps for devices get their first letter encoded. A part
that would become longer than `LONGEST` characters is cut and continued with `=` and the SHA-256 of
the text; the header in the file has it whole.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from typing import Final

from ...domain.record import Key

MARKER: Final = "ropewalk.json"
"""Says that the folder is a store, and in which format."""

COMMITS: Final = "commits.jsonl"
"""The feed, one line a commit; it is also the memory of batch ids."""

SPACES: Final = "spaces"

SUFFIX: Final = ".rec"

LOCAL: Final = ".ropewalk"
"""What belongs to this machine alone, and in no version control."""

LOCK: Final = f"{LOCAL}/lock"
TURN: Final = f"{LOCAL}/turn"
JOURNAL: Final = f"{LOCAL}/journal"
STAGED: Final = f"{LOCAL}/staged"
SHORTENED: Final = f"{LOCAL}/commits.jsonl"
"""What `commits.jsonl` is to be after its oldest rows were forgotten."""

LONGEST: Final = 120
"""Longest encoded part, in bytes: with the suffix it fits even where names have 143 at most."""

_KEPT_OF_LONG: Final = 48

_PLAIN: Final = re.compile(rb"[a-z0-9_-]([a-z0-9_.-]*[a-z0-9_-])?")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.DOTALL)


def path_of(key: Key) -> str:
    """Return the path of a record's file, relative to the root, with `/` between its parts."""
    return f"{SPACES}/{_cached(key.space)}/{_cached(key.kind)}/{encode(key.id)}{SUFFIX}"


def encode(text: str) -> str:
    """Return the file name that stands for `text` alone."""
    data = text.encode()
    if _PLAIN.fullmatch(data):
        name = text
    else:
        last = len(data) - 1
        name = "".join(
            f"%{byte:02x}" if byte == ord(".") and place in (0, last) else _NAMES[byte]
            for place, byte in enumerate(data)
        )
    if _RESERVED.fullmatch(name):
        name = f"%{ord(name[0]):02x}{name[1:]}"
    if len(name) > LONGEST:
        name = f"{name[:_KEPT_OF_LONG]}={sha256(data).hexdigest()}"
    return name


def _name_of(byte: int) -> str:
    letter = chr(byte)
    if letter in "abcdefghijklmnopqrstuvwxyz0123456789_-.":
        return letter
    if letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        return f"+{letter.lower()}"
    return f"%{byte:02x}"


_NAMES: Final = tuple(map(_name_of, range(256)))

# Spaces and kinds are few and come back with every record.
_cached: Final = lru_cache(maxsize=1_024)(encode)
