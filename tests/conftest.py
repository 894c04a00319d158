"""Fixtures that tests of several rooms need."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ropewalk.factory import BACKENDS, LAYERS


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end: thousands of tests and their modules.

    Every full collection would walk through all of it, and some tests ask for one. The others make
    and drop so many objects that it would be at work for a twelfth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture
def names() -> Iterator[None]:
    """Let a test, or the examples of a page, register names, and forget them afterwards."""
    added = [registry._added for registry in (BACKENDS, LAYERS)]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    yield
    for table in added:
        table.clear()
