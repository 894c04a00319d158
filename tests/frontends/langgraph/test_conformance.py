"""LangGraph's own conformance kit, and what it does not ask for, on every back end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import (  # pyright: ignore[reportMissingTypeStubs]
    checkpointer_test,
    validate,
)
from langgraph.checkpoint.conformance.capabilities import (  # pyright: ignore[reportMissingTypeStubs]
    Capability,
)

import ropewalk
from ropewalk.frontends.langgraph import RopewalkSaver

pytestmark = pytest.mark.seed("3.4")

TESTS = {
    "put": 17,
    "put_writes": 10,
    "get_tuple": 10,
    "list": 16,
    "delete_thread": 5,
    "delete_for_runs": 7,
    "copy_thread": 8,
    "prune": 8,
}


@pytest.mark.parametrize("scheme", ["memory", "sqlite", "file"])
async def test_every_capability_is_found_and_passes(scheme: str, tmp_path: Path) -> None:
    """All eight capabilities of the kit are there, and all of its 81 tests pass."""
    made = 0

    @checkpointer_test(name=f"Ropewalk over {scheme}")
    async def saver() -> AsyncGenerator[BaseCheckpointSaver[str], None]:
        nonlocal made
        made += 1
        url = "memory://" if scheme == "memory" else f"{scheme}:///{tmp_path / str(made)}"
        async with ropewalk.open(url) as storage:
            yield RopewalkSaver(storage)

    report = await validate(saver)

    assert {capability.value for capability in Capability} == set(TESTS)
    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert {} == failures
    assert TESTS == {name: result.tests_passed for name, result in report.results.items()}
    assert report.passed_all()
