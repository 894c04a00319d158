"""Fixtures that tests of several rooms need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ropewalk.factory import BACKENDS, LAYERS


@pytest.fixture
def names() -> Iterator[None]:
    """Let a test, or the examples of a page, register names, and forget them afterwards."""
    added = [registry._added for registry in (BACKENDS, LAYERS)]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    yield
    for table in added:
        table.clear()
