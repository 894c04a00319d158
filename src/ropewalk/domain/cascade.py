"""What happens to what depends on something that is deleted."""

from __future__ import annotations

from enum import StrEnum


class Cascade(StrEnum):
    """Chosen by the caller of every delete that could take more with it."""

    RESTRICT = "restrict"
    """Refuse, with `Conflict`, while anything depends on it."""
    DETACH = "detach"
    """Keep what depends on it, without the link."""
    ALL = "all"
    """Delete what depends on it as well."""
