"""One asynchronous store for everything an LLM-agent application must remember."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import Config
    from .domain.checkpoint import Checkpoint, CheckpointHeader, CleanupPolicy
    from .domain.errors import (
        Conflict,
        Corrupt,
        Denied,
        Invalid,
        NotFound,
        RopewalkError,
        StorageConnectionError,
        StorageError,
        StorageNotFoundError,
        StorageTransactionError,
        StorageValidationError,
        Unavailable,
    )
    from .domain.history import Cost, LLMRequest, LLMResponse, Message, TokenUsage, ToolCall
    from .domain.interest import Interest
    from .domain.money import Money
    from .domain.page import Page
    from .domain.policy import FirstWins, LastWins, Merge, Reject, Retry
    from .domain.session import Interaction, Session, SessionStatus
    from .domain.thread import Branch, BranchStatus, Snapshot, Thread, ThreadStatus
    from .factory import available_backends, open, register_backend, register_layer, register_type
    from .services.storage import Storage
    from .services.unit import Unit

__version__ = "0.1.0"

# Where each name comes from. A module is loaded when its first name is asked for, so that
# importing the package costs next to nothing.
_HOMES = {
    "config": ("Config",),
    "domain.checkpoint": ("Checkpoint", "CheckpointHeader", "CleanupPolicy"),
    "domain.errors": (
        "Conflict",
        "Corrupt",
        "Denied",
        "Invalid",
        "NotFound",
        "RopewalkError",
        "StorageConnectionError",
        "StorageError",
        "StorageNotFoundError",
        "StorageTransactionError",
        "StorageValidationError",
        "Unavailable",
    ),
    "domain.history": ("Cost", "LLMRequest", "LLMResponse", "Message", "TokenUsage", "ToolCall"),
    "domain.interest": ("Interest",),
    "domain.money": ("Money",),
    "domain.page": ("Page",),
    "domain.policy": ("FirstWins", "LastWins", "Merge", "Reject", "Retry"),
    "domain.session": ("Interaction", "Session", "SessionStatus"),
    "domain.thread": ("Branch", "BranchStatus", "Snapshot", "Thread", "ThreadStatus"),
    "factory": (
        "available_backends",
        "open",
        "register_backend",
        "register_layer",
        "register_type",
    ),
    "services.storage": ("Storage",),
    "services.unit": ("Unit",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Branch",
    "BranchStatus",
    "Checkpoint",
    "CheckpointHeader",
    "CleanupPolicy",
    "Config",
    "Conflict",
    "Corrupt",
    "Cost",
    "Denied",
    "FirstWins",
    "Interaction",
    "Interest",
    "Invalid",
    "LLMRequest",
    "LLMResponse",
    "LastWins",
    "Merge",
    "Message",
    "Money",
    "NotFound",
    "Page",
    "Reject",
    "Retry",
    "RopewalkError",
    "Session",
    "SessionStatus",
    "Snapshot",
    "Storage",
    "StorageConnectionError",
    "StorageError",
    "StorageNotFoundError",
    "StorageTransactionError",
    "StorageValidationError",
    "Thread",
    "ThreadStatus",
    "TokenUsage",
    "ToolCall",
    "Unavailable",
    "Unit",
    "available_backends",
    "open",
    "register_backend",
    "register_layer",
    "register_type",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first asked for."""
    home = _HOME_OF.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*__all__, *globals()})
