"""A legacy folder with everything in it."""

from __future__ import annotations

import pytest

from .whole import write_whole
from .writing import Tree


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return the folder with everything in it; to be left as it is."""
    return write_whole(tmp_path_factory.mktemp("whole"))
