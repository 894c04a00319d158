"""A legacy folder with everything in it, and one to write into."""

from __future__ import annotations

from pathlib import Path

import pytest

from .whole import write_whole
from .writing import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return an empty folder to write into."""
    return Tree(tmp_path / "legacy")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return the folder with everything in it; to be left as it is."""
    return write_whole(tmp_path_factory.mktemp("whole"))
