"""Fixtures that tests of several rooms need."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator, Iterator
from typing import Final

import pytest

from ropewalk.factory import BACKENDS, LAYERS

_OF_A_STORE: Final = tuple(f"ropewalk-{part}" for part in ("writer", "points", "walks", "watch"))
"""Threads that a store ends before its `close` returns."""

_there: set[threading.Thread] = set()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end: thousands of tests and their modules.

    Every full collection would walk through all of it, and some tests ask for one. The others make
    and drop so many objects that it would be at work for a twelfth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Note the threads of stores before a test with its fixtures begins."""
    _there.update(_of_stores())
    try:
        return (yield)
    finally:
        _there.clear()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None]:
    """Fail the test that leaves a store open, and not a later one that wonders about threads."""
    yield
    left = [thread.name for thread in _of_stores() - _there]
    assert not left, f"a store was left open: {left}"


def _of_stores() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name in _OF_A_STORE}


@pytest.fixture
def names() -> Iterator[None]:
    """Let a test, or the examples of a page, register names, and forget them afterwards."""
    added = [registry._added for registry in (BACKENDS, LAYERS)]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    yield
    for table in added:
        table.clear()
