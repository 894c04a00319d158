"""The kinds of records that states consist of where they are kept as trees of nodes."""

from __future__ import annotations

from typing import Final

NODE: Final = "node"
FAMILY: Final = "family"
HEAD: Final = "head"
SECRET: Final = "secret"  # noqa: S105 (a kind of records, and no secret)
DICTIONARY: Final = "dictionary"

TREES: Final = "trees"
