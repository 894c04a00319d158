"""The numbered migrations that this program brings along, each a file of SQL."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

NUMBER_BITS: Final = 8
_DIGEST_BITS: Final = 23
"""What `user_version`, an integer of 32 bits with a sign, has of the migrations applied."""

_COMMENT: Final = re.compile(r"--[^\n]*")
_ADDS: Final = re.compile(
    r"\s*(create\s+(unique\s+)?(table|index)|alter\s+table\s+\w+\s+add)\s", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: a script that is never changed once a version with it is out."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the script, in hexadecimal digits."""
        return hashlib.sha256(self.script.encode()).hexdigest()

    @property
    def rewrites(self) -> bool:
        """Whether it does anything but add empty tables, indexes and columns."""
        statements = _COMMENT.sub("", self.script).split(";")
        return any(text.strip() and not _ADDS.match(text) for text in statements)


@cache
def migrations() -> tuple[Migration, ...]:
    """Return the migrations of this program, in order."""
    folder = files(__name__.rpartition(".")[0]) / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple(
        Migration(int(name[:4]), name[5:-4], (folder / name).read_text("utf-8")) for name in names
    )


def mark(steps: Sequence[Migration]) -> int:
    """Return the `user_version` of a file with these migrations: their number and a digest."""
    if not steps:
        return 0
    scripts = "\0".join(step.script for step in steps)
    digest = int.from_bytes(hashlib.sha256(scripts.encode()).digest(), "big")
    return (digest % (1 << _DIGEST_BITS)) << NUMBER_BITS | steps[-1].number


def number_of(mark: int) -> int:
    """Return the number of the newest migration of a file with this `user_version`."""
    return mark % (1 << NUMBER_BITS)
