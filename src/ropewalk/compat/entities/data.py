"""`StorageData`: one record of the unified storage, checked by pydantic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel


class StorageData(BaseModel):
    """A record of any type: `data` is what it holds; the rest is for finding it.

    `type` is `session`, `thread`, `thread_branch`, `thread_snapshot`, one of the six records of
    the history, `checkpoint`, or a name of your own.
    """

    id: str
    type: str
    data: dict[str, Any]
    session_id: str | None = None
    thread_id: str | None = None
    metadata: dict[str, Any] | None = None
    created_at: datetime
    updated_at: datetime
