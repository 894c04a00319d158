"""Stores whose small bodies lean on dictionaries, which is off unless it is asked for."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _leaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for it as a program's environment does."""
    monkeypatch.setenv("ROPEWALK_DICTIONARY", "true")
