"""Where records are kept: each module here answers the five verbs and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILTIN: Final[Mapping[str, str]] = {
    "file": "backends.file:FileBackend",
    "memory": "backends.memory:MemoryBackend",
    "sqlite": "backends.sqlite:SqliteBackend",
}
"""URL schemes and the classes behind them, named from the package and loaded when asked for."""
