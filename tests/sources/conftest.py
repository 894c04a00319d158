"""A legacy folder to write into."""

from __future__ import annotations

from pathlib import Path

import pytest

from .legacy.writing import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return an empty folder to write into."""
    return Tree(tmp_path / "legacy")
