"""`PlainRecord`: a record of a kind that no module keeps rules for, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRecord:
    """What `storage.records` keeps: `data`, and `metadata` by whose values it is found.

    `kind` is its type there. `session_id` and `thread_id` say where it belongs, if anywhere.
    """

    id: str
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    session_id: str | None = None
    thread_id: str | None = None
    created_at: datetime
    updated_at: datetime
    version: int = 1
