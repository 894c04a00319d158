"""`ThreadStore`, `BranchStore`, `SnapshotStore`: threads and their relations, as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..domain.moment import from_micros
from ..domain.thread import (
    Branch,
    BranchStatus,
    Fork,
    Gap,
    Position,
    Snapshot,
    Thread,
    ThreadStatus,
)
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from ..domain.labels import Label
    from ..domain.record import Record
    from .letter import Letter


_STATUSES: Final = {status.value: status for status in ThreadStatus}


def _position(value: Any) -> Position:  # noqa: ANN401 (out of a body)
    at, id_ = value
    return Position(at, id_)


def _origin(value: Any) -> Fork | None:  # noqa: ANN401 (out of a body)
    if value is None:
        return None
    return Fork(
        thread_id=value["thread_id"],
        until=_position(value["until"]),
        checkpoint_id=value["checkpoint_id"],
        message_id=value["message_id"],
    )


def _gaps(value: Any) -> tuple[Gap, ...]:  # noqa: ANN401 (out of a body)
    return tuple(
        Gap(Position(begin, begin_id), Position(end, end_id))
        for begin, begin_id, end, end_id in value
    )


class ThreadStore(EntityStore[Thread]):
    """Keep threads; `root` and `parent` labels make the family and the forks one query each."""

    kinds = ("thread",)

    def draft(self, entity: Thread) -> Draft:
        """Take a thread apart."""
        labels: dict[str, Label] = {"status": entity.status.value, "root": entity.root_id}
        origin = entity.origin
        if origin is not None:
            labels["parent"] = origin.thread_id
        if entity.graph_id is not None:
            labels["graph_id"] = entity.graph_id
        data: dict[str, Any] = {}
        if entity.title:
            data["title"] = entity.title
        if origin is not None:
            data["origin"] = {
                "thread_id": origin.thread_id,
                "until": [origin.until.at, origin.until.id],
                "checkpoint_id": origin.checkpoint_id,
                "message_id": origin.message_id,
            }
        if entity.gaps:
            data["gaps"] = [[g.begin.at, g.begin.id, g.end.at, g.end.id] for g in entity.gaps]
        return Draft(
            kind="thread",
            id=entity.id,
            data=data,
            metadata=entity.metadata,
            created_at=entity.created_at,
            updated_at=entity.updated_at,
            labels=labels,
            session_id=entity.session_id,
            thread_id=entity.id,
        )

    def build(self, record: Record, letter: Letter) -> Thread:
        """Put a thread together again."""
        data, labels = letter.data, record.labels
        status = str(labels["status"])
        graph_id = labels.get("graph_id")
        return Thread(
            id=record.key.id,
            session_id=record.session_id,
            title=data.get("title", ""),
            graph_id=None if graph_id is None else str(graph_id),
            status=_STATUSES.get(status) or ThreadStatus(status),
            root_id=str(labels["root"]),
            origin=_origin(data.get("origin")),
            gaps=_gaps(data["gaps"]) if "gaps" in data else (),
            metadata=letter.metadata,
            created_at=from_micros(record.created_at),
            updated_at=from_micros(record.updated_at),
            version=record.version,
        )


class BranchStore(EntityStore[Branch]):
    """Keep branches below the thread they were forked from."""

    kinds = ("branch",)

    def draft(self, entity: Branch) -> Draft:
        """Take a branch apart."""
        data = {
            "name": entity.name,
            "checkpoint_id": entity.checkpoint_id,
            "message_id": entity.message_id,
        }
        return Draft(
            kind="branch",
            id=entity.id,
            data={name: value for name, value in data.items() if value},
            metadata=entity.metadata,
            created_at=entity.created_at,
            updated_at=entity.updated_at,
            labels={"status": entity.status.value, "target": entity.thread_id},
            session_id=entity.session_id,
            thread_id=entity.source_thread_id,
        )

    def build(self, record: Record, letter: Letter) -> Branch:
        """Put a branch together again."""
        data = letter.data
        return Branch(
            id=record.key.id,
            name=data.get("name", ""),
            source_thread_id=record.thread_id or "",
            thread_id=str(record.labels["target"]),
            session_id=record.session_id,
            checkpoint_id=data.get("checkpoint_id"),
            message_id=data.get("message_id"),
            status=BranchStatus(str(record.labels["status"])),
            metadata=letter.metadata,
            created_at=from_micros(record.created_at),
            updated_at=from_micros(record.updated_at),
            version=record.version,
        )


class SnapshotStore(EntityStore[Snapshot]):
    """Keep snapshots below their thread."""

    kinds = ("snapshot",)

    def draft(self, entity: Snapshot) -> Draft:
        """Take a snapshot apart."""
        return Draft(
            kind="snapshot",
            id=entity.id,
            data={
                "name": entity.name,
                "description": entity.description,
                "until": [entity.until.at, entity.until.id],
                "checkpoint_id": entity.checkpoint_id,
            },
            metadata=entity.metadata,
            created_at=entity.created_at,
            session_id=entity.session_id,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> Snapshot:
        """Put a snapshot together again."""
        data = letter.data
        return Snapshot(
            id=record.key.id,
            thread_id=record.thread_id or "",
            session_id=record.session_id,
            name=data["name"],
            description=data["description"],
            until=_position(data["until"]),
            checkpoint_id=data["checkpoint_id"],
            metadata=letter.metadata,
            created_at=from_micros(record.created_at),
            version=record.version,
        )
