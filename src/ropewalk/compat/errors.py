"""The errors of both specifications, as members of the one error tree."""

from __future__ import annotations

from ..domain.errors import (
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

__all__ = [
    "CheckpointError",
    "CheckpointNotFoundError",
    "CheckpointStorageError",
    "CheckpointValidationError",
    "StorageConnectionError",
    "StorageError",
    "StorageNotFoundError",
    "StorageTransactionError",
    "StorageValidationError",
    "as_checkpoint_error",
]


class CheckpointError(RopewalkError):
    """Anything that goes wrong with a checkpoint."""

    default_code = "checkpoint"


class CheckpointNotFoundError(CheckpointError, NotFound, ValueError):
    """The checkpoint that is to be copied or handed out is not there."""

    default_code = "not_found"


class CheckpointValidationError(CheckpointError, Invalid):
    """The checkpoint cannot be kept as it is: mend it; nothing was changed."""

    default_code = "invalid"


class CheckpointStorageError(CheckpointError):
    """The checkpoint could not be written; the cause says why."""

    default_code = "storage"


def as_checkpoint_error(error: RopewalkError) -> CheckpointError:
    """Return the member of the checkpoint family that says the same as `error`."""
    if isinstance(error, CheckpointError):
        return error
    match error:
        case NotFound():
            kind: type[CheckpointError] = CheckpointNotFoundError
        case Invalid():
            kind = CheckpointValidationError
        case Conflict() | Corrupt() | Denied() | Unavailable() | _:
            kind = CheckpointStorageError
    return kind(error.message, code=error.code, **error.facts)
