"""The one error tree: six classes by what the caller would do, codes for what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable


class RopewalkError(Exception):
    """Anything that Ropewalk raises on purpose.

    `code` is stable and may be matched on; `facts` names the key, the field or the limit
    concerned; the message is a sentence for people. `retryable` says whether the same call may
    succeed later without any change.
    """

    default_code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, /, *, code: str | None = None, **facts: object) -> None:
        """Carry a sentence, a stable code and the facts behind it."""
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.facts: dict[str, object] = facts

    def __reduce__(self) -> tuple[Callable[..., RopewalkError], tuple[Any, ...]]:
        """Survive copying and a trip to another process with code and facts."""
        return _rebuild, (type(self), self.message, self.code, self.facts)


def _rebuild(
    cls: type[RopewalkError], message: str, code: str, facts: dict[str, object]
) -> RopewalkError:
    return cls(message, code=code, **facts)


class NotFound(RopewalkError, LookupError):
    """What was asked for is not there: create it, or tell the user."""

    default_code = "not_found"


class Conflict(RopewalkError):
    """Somebody else changed it first: read again, decide, try again."""

    default_code = "conflict"


class Denied(RopewalkError, PermissionError):
    """The caller may not do this: ask somebody who may."""

    default_code = "denied"


class Invalid(RopewalkError, ValueError):
    """The call itself is wrong: fix the call; nothing was changed."""

    default_code = "invalid"


class Corrupt(RopewalkError):
    """What is stored is damaged: restore it from a backup."""

    default_code = "corrupt"


class Unavailable(RopewalkError):
    """The store cannot answer now: wait and try again."""

    default_code = "unavailable"
    retryable = True


# The names of the unified storage specification, for programs written against it.
StorageError = RopewalkError
StorageConnectionError = Unavailable
StorageTransactionError = Conflict
StorageValidationError = Invalid
StorageNotFoundError = NotFound
