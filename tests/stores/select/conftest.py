"""Fixtures of the queries: a handful of notes over every back end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ropewalk.stores.records import RecordStore

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)

NOTES: list[dict[str, Any]] = [
    {"id": "a", "data": {"n": 3, "who": {"name": "Ada"}, "ok": True}, "metadata": {"lang": "it"}},
    {"id": "b", "data": {"n": 1.5, "at": NOON}, "metadata": {"lang": "de"}, "session_id": "s1"},
    {"id": "c", "data": {"n": "3", "tags": ["x", {"y": 7}]}, "metadata": {"lang": "It", "p": 2}},
    {"id": "d", "data": {"n": -4, "ok": False}, "metadata": {"long": "z" * 5_000, "p": 1}},
    {
        "id": "e",
        "data": {"odd key.x": 1, "big": 2**70},
        "metadata": {"deep": {"er": 1}},
        "session_id": "s1",
        "thread_id": "t1",
    },
]


@pytest.fixture
async def notes(records: RecordStore) -> RecordStore:
    """Five notes, a day and an hour from each to the next, and a todo."""
    for place, note in enumerate(NOTES):
        moment = NOON + place * timedelta(hours=25)
        await records.save({**note, "type": "note", "created_at": moment, "updated_at": moment})
    await records.save({"id": "z", "type": "my todo", "data": {"n": 9}})
    return records
