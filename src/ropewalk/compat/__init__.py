"""The interfaces of the legacy program and of the specification, over a Ropewalk store."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .adapters.checkpoints import CheckpointStorageAdapter
    from .adapters.history import HistoryStorageAdapter
    from .adapters.sessions import SessionStorageAdapter
    from .adapters.threads import (
        ThreadBranchRepository,
        ThreadMetadataStore,
        ThreadRepository,
        ThreadSnapshotRepository,
        ThreadUnifiedAdapter,
    )
    from .checkpoints import (
        CheckpointManager,
        CheckpointRepository,
        MemoryCheckpointStore,
        SQLiteCheckpointStore,
    )
    from .entities.checkpoints import CheckpointConfig, CheckpointMetadata
    from .entities.data import StorageData
    from .entities.history import (
        CostRecord,
        HistoryQuery,
        HistoryResult,
        LLMRequestRecord,
        LLMResponseRecord,
        MessageRecord,
        MessageType,
        TokenUsageRecord,
        ToolCallRecord,
    )
    from .entities.threads import Thread, ThreadBranch, ThreadSnapshot
    from .errors import (
        CheckpointError,
        CheckpointNotFoundError,
        CheckpointStorageError,
        CheckpointValidationError,
        StorageConnectionError,
        StorageError,
        StorageNotFoundError,
        StorageTransactionError,
        StorageValidationError,
    )
    from .factories import (
        CheckpointFactory,
        CheckpointManagerFactory,
        CheckpointStoreFactory,
        StorageFactory,
    )
    from .history import HistoryManager
    from .interfaces.checkpoints import (
        ICheckpointManager,
        ICheckpointPolicy,
        ICheckpointRepository,
        ICheckpointStore,
    )
    from .interfaces.history import IHistoryManager
    from .interfaces.sessions import ISessionStore
    from .interfaces.threads import (
        IThreadBranchRepository,
        IThreadMetadataStore,
        IThreadRepository,
        IThreadSnapshotRepository,
    )
    from .interfaces.unified import IStorageFactory, IUnifiedStorage
    from .migration import MigrationService
    from .policies import DefaultCheckpointPolicy
    from .sessions import FileSessionStore, MemorySessionStore, SessionStore, SessionStoreFactory
    from .settings import ConfigService
    from .storage import UnifiedStorage
    from .threads import FileThreadMetadataStore, MemoryThreadMetadataStore

__all__ = [
    "CheckpointConfig",
    "CheckpointError",
    "CheckpointFactory",
    "CheckpointManager",
    "CheckpointManagerFactory",
    "CheckpointMetadata",
    "CheckpointNotFoundError",
    "CheckpointRepository",
    "CheckpointStorageAdapter",
    "CheckpointStorageError",
    "CheckpointStoreFactory",
    "CheckpointValidationError",
    "ConfigService",
    "CostRecord",
    "DefaultCheckpointPolicy",
    "FileSessionStore",
    "FileThreadMetadataStore",
    "HistoryManager",
    "HistoryQuery",
    "HistoryResult",
    "HistoryStorageAdapter",
    "ICheckpointManager",
    "ICheckpointPolicy",
    "ICheckpointRepository",
    "ICheckpointStore",
    "IHistoryManager",
    "ISessionStore",
    "IStorageFactory",
    "IThreadBranchRepository",
    "IThreadMetadataStore",
    "IThreadRepository",
    "IThreadSnapshotRepository",
    "IUnifiedStorage",
    "LLMRequestRecord",
    "LLMResponseRecord",
    "MemoryCheckpointStore",
    "MemorySessionStore",
    "MemoryThreadMetadataStore",
    "MessageRecord",
    "MessageType",
    "MigrationService",
    "SQLiteCheckpointStore",
    "SessionStorageAdapter",
    "SessionStore",
    "SessionStoreFactory",
    "StorageConnectionError",
    "StorageData",
    "StorageError",
    "StorageFactory",
    "StorageNotFoundError",
    "StorageTransactionError",
    "StorageValidationError",
    "Thread",
    "ThreadBranch",
    "ThreadBranchRepository",
    "ThreadMetadataStore",
    "ThreadRepository",
    "ThreadSnapshot",
    "ThreadSnapshotRepository",
    "ThreadUnifiedAdapter",
    "TokenUsageRecord",
    "ToolCallRecord",
    "UnifiedStorage",
]

_HOMES: Final = {
    "adapters.checkpoints": ("CheckpointStorageAdapter",),
    "adapters.history": ("HistoryStorageAdapter",),
    "adapters.sessions": ("SessionStorageAdapter",),
    "adapters.threads": (
        "ThreadBranchRepository",
        "ThreadMetadataStore",
        "ThreadRepository",
        "ThreadSnapshotRepository",
        "ThreadUnifiedAdapter",
    ),
    "checkpoints": (
        "CheckpointManager",
        "CheckpointRepository",
        "MemoryCheckpointStore",
        "SQLiteCheckpointStore",
    ),
    "entities.checkpoints": (
        "CheckpointConfig",
        "CheckpointMetadata",
    ),
    "entities.data": ("StorageData",),
    "entities.history": (
        "CostRecord",
        "HistoryQuery",
        "HistoryResult",
        "LLMRequestRecord",
        "LLMResponseRecord",
        "MessageRecord",
        "MessageType",
        "TokenUsageRecord",
        "ToolCallRecord",
    ),
    "entities.threads": (
        "Thread",
        "ThreadBranch",
        "ThreadSnapshot",
    ),
    "errors": (
        "CheckpointError",
        "CheckpointNotFoundError",
        "CheckpointStorageError",
        "CheckpointValidationError",
        "StorageConnectionError",
        "StorageError",
        "StorageNotFoundError",
        "StorageTransactionError",
        "StorageValidationError",
    ),
    "factories": (
        "CheckpointFactory",
        "CheckpointManagerFactory",
        "CheckpointStoreFactory",
        "StorageFactory",
    ),
    "history": ("HistoryManager",),
    "interfaces.checkpoints": (
        "ICheckpointManager",
        "ICheckpointPolicy",
        "ICheckpointRepository",
        "ICheckpointStore",
    ),
    "interfaces.history": ("IHistoryManager",),
    "interfaces.sessions": ("ISessionStore",),
    "interfaces.threads": (
        "IThreadBranchRepository",
        "IThreadMetadataStore",
        "IThreadRepository",
        "IThreadSnapshotRepository",
    ),
    "interfaces.unified": (
        "IStorageFactory",
        "IUnifiedStorage",
    ),
    "migration": ("MigrationService",),
    "policies": ("DefaultCheckpointPolicy",),
    "sessions": (
        "FileSessionStore",
        "MemorySessionStore",
        "SessionStore",
        "SessionStoreFactory",
    ),
    "settings": ("ConfigService",),
    "storage": ("UnifiedStorage",),
    "threads": (
        "FileThreadMetadataStore",
        "MemoryThreadMetadataStore",
    ),
}
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import what is asked for, and nothing else: pydantic is needed for `StorageData` alone."""
    home = _HOME_OF.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what there is, whether it was asked for or not."""
    return sorted({*globals(), *__all__})
