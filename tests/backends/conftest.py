"""A store whose connections note what they are told, and by which thread."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from ropewalk.backends.sqlite import engine
from ropewalk.backends.sqlite.connection import Connection, Row, Value


class Watched(Connection):
    """A connection that notes what it was told, and in which thread."""

    said: list[tuple[str, int]]

    def run(self, statement: str, values: Sequence[Value] = ()) -> None:
        """Note a statement and run it."""
        self.said.append((statement, threading.get_ident()))
        super().run(statement, values)

    def rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Note a statement and return its rows."""
        self.said.append((statement, threading.get_ident()))
        return super().rows(statement, values)

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Note a checkpoint and do it."""
        self.said.append(("checkpoint", threading.get_ident()))
        super().checkpoint(truncate=truncate)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Collect what the connections of a store are told, and by which thread."""
    said: list[tuple[str, int]] = []
    monkeypatch.setattr(Watched, "said", said, raising=False)
    monkeypatch.setattr(engine, "Connection", Watched)
    return said
