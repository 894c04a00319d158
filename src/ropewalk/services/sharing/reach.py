"""`Reach`: how far a handle can see, and what it may manage."""

from __future__ import annotations

from enum import StrEnum


class Reach(StrEnum):
    """Who holds a handle; there is no way from one of them to the one before."""

    STORE = "store"
    """The opener of the store: its own space, and the management of all."""
    SPACE = "space"
    """A workflow: one space, and what others have granted to it."""
    GRANTS = "grants"
    """A guest: what one space has granted to another."""
