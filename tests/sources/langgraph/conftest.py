"""One PostgreSQL server for the tests that read from one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .cluster import Cluster, running


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Return a server that runs as long as the tests do."""
    with running() as server:
        yield server
