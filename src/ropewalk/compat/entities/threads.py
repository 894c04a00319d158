"""`Thread`, `ThreadBranch` and `ThreadSnapshot`, mutable as they were, and with `to_dict`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .moments import as_datetime, as_text, local_now


@dataclass
class Thread:
    """One line of work."""

    thread_id: str
    graph_id: str
    status: str = "active"
    created_at: datetime = field(default_factory=local_now)
    updated_at: datetime = field(default_factory=local_now)
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Read times that came as texts."""
        self.created_at = as_datetime(self.created_at)
        self.updated_at = as_datetime(self.updated_at)

    def update_status(self, new_status: str) -> None:
        """Set the status and the time of the last change."""
        self.status = new_status
        self.updated_at = local_now()

    def update_metadata(self, updates: dict[str, Any]) -> None:
        """Replace the values of some keys, and set the time of the last change."""
        self.metadata.update(updates)
        self.updated_at = local_now()

    def is_active(self) -> bool:
        """Tell whether work goes on."""
        return self.status == "active"

    def is_error(self) -> bool:
        """Tell whether it ended in an error."""
        return self.status == "error"

    def to_dict(self) -> dict[str, Any]:
        """Return the thread as JSON."""
        return {
            "thread_id": self.thread_id,
            "graph_id": self.graph_id,
            "status": self.status,
            "created_at": as_text(self.created_at),
            "updated_at": as_text(self.updated_at),
            "metadata": self.metadata,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Thread:
        """Return the thread of its JSON; what has a place of its own is no metadata."""
        created = as_datetime(data["created_at"])
        return cls(
            thread_id=data["thread_id"],
            graph_id=data.get("graph_id") or "",
            status=data.get("status") or "active",
            created_at=created,
            updated_at=as_datetime(data.get("updated_at") or created),
            metadata=dict(data.get("metadata") or {}),
        )


@dataclass
class ThreadBranch:
    """A fork of a thread at a checkpoint, by name."""

    branch_id: str
    source_thread_id: str
    source_checkpoint_id: str
    branch_name: str
    created_at: datetime = field(default_factory=local_now)
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    status: str = "active"

    def __post_init__(self) -> None:
        """Read a time that came as a text."""
        self.created_at = as_datetime(self.created_at)

    def to_dict(self) -> dict[str, Any]:
        """Return the branch as JSON."""
        return {
            "branch_id": self.branch_id,
            "source_thread_id": self.source_thread_id,
            "source_checkpoint_id": self.source_checkpoint_id,
            "branch_name": self.branch_name,
            "created_at": as_text(self.created_at),
            "metadata": self.metadata,
            "status": self.status,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ThreadBranch:
        """Return the branch of its JSON."""
        return cls(
            branch_id=data["branch_id"],
            source_thread_id=data["source_thread_id"],
            source_checkpoint_id=data["source_checkpoint_id"],
            branch_name=data["branch_name"],
            created_at=as_datetime(data["created_at"]),
            metadata=dict(data.get("metadata") or {}),
            status=data.get("status") or "active",
        )


@dataclass
class ThreadSnapshot:
    """A named point of a thread."""

    snapshot_id: str
    thread_id: str
    snapshot_name: str
    description: str | None = None
    checkpoint_ids: list[str] = field(default_factory=list[str])
    created_at: datetime = field(default_factory=local_now)
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Read a time that came as a text."""
        self.created_at = as_datetime(self.created_at)

    def to_dict(self) -> dict[str, Any]:
        """Return the snapshot as JSON."""
        return {
            "snapshot_id": self.snapshot_id,
            "thread_id": self.thread_id,
            "snapshot_name": self.snapshot_name,
            "description": self.description,
            "checkpoint_ids": self.checkpoint_ids,
            "created_at": as_text(self.created_at),
            "metadata": self.metadata,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ThreadSnapshot:
        """Return the snapshot of its JSON."""
        return cls(
            snapshot_id=data["snapshot_id"],
            thread_id=data["thread_id"],
            snapshot_name=data["snapshot_name"],
            description=data.get("description"),
            checkpoint_ids=list(data.get("checkpoint_ids") or ()),
            created_at=as_datetime(data["created_at"]),
            metadata=dict(data.get("metadata") or {}),
        )
