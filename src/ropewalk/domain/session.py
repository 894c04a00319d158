"""`Session` and `Interaction`: who is here, since when, and what they asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class SessionStatus(StrEnum):
    """Where a session stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"
    ERROR = "error"
    CLOSED = "closed"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One visit of one user: a title, an owner, tags and free metadata.

    Times are aware UTC datetimes. `version` rises with each change.
    """

    id: str
    title: str = ""
    user_id: str | None = None
    status: SessionStatus = SessionStatus.ACTIVE
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """Something that happened in a session outside any conversation: a request, a start, an error.

    `type` is an open set of names, such as `user_request` or `workflow_execution_start`.
    """

    id: str
    session_id: str
    thread_id: str | None = None
    type: str
    content: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    created_at: datetime
    version: int = 1
