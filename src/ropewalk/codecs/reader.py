"""Read values from their stored form, without trusting it."""

from __future__ import annotations

from struct import error as StructError  # noqa: N812 (it is a class)
from typing import Final, NoReturn

from ..domain.errors import Corrupt, Invalid, RopewalkError
from . import arrays, containers, scalars
from . import format as code
from .allowlist import Opaque, TypeRegistry
from .depth import nesting
from .format import MAX_DEPTH, MAX_TYPED_DEPTH, OURS, Value
from .whole import unpack_whole

# What the decoder itself bears in one call; each level takes about half a kilobyte of stack.
_DECODER_DEPTH: Final = 1_022
_FREE: Final = 2 * _DECODER_DEPTH
_KEPT: Final = MAX_DEPTH + MAX_TYPED_DEPTH

_LEAVES: Final = {**scalars.READERS, **arrays.READERS}

# What ormsgpack says for every error that is raised in a hook.
_HOOK_FAILED: Final = "ext_hook failed"

# What the readers of damaged bytes stumble over.
_DAMAGE: Final = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, StructError)


class Reader:
    """Read one value; a new reader for each.

    The decoder calls `_typed` for every typed value, innermost last, and loses the errors that
    are raised there: so the reader remembers them.
    """

    __slots__ = ("_error", "_room", "_typed_depth", "_types")

    def __init__(self, types: TypeRegistry) -> None:
        """Make the classes that `types` knows."""
        self._types = types
        self._error: BaseException | None = None
        self._typed_depth = 0
        self._room = _FREE + _KEPT

    def read(self, data: bytes) -> object:
        """Return the value; raise `Corrupt` for bytes that are none.

        Raises `Invalid` where the bytes are sound but cannot be read here.
        """
        try:
            return self._unpack(data)
        except ValueError as error:
            cause = self._error or error
            if isinstance(cause, RopewalkError):
                raise cause from cause.__cause__
            # A hook that could not even be entered had no way to remember why.
            if isinstance(cause, RecursionError) or str(cause) == _HOOK_FAILED:
                message = "the value nests too deep for the stack that is left; read it elsewhere"
                raise Invalid(message, code="too_deep") from cause
            if isinstance(cause, _DAMAGE):
                message = f"the bytes are no value that was written here: {cause}"
                raise Corrupt(message, code="bad_value", size=len(data)) from cause
            raise cause from cause.__cause__

    def _unpack(self, data: bytes) -> Value:
        return unpack_whole(data, self._typed)

    def _typed(self, found: int, data: bytes) -> object:
        try:
            if found in _LEAVES:
                return _LEAVES[found](data)
            if found in containers.READERS:
                return containers.READERS[found](_row(self._nested(data)))
            return self._shaped(data) if found == code.TYPED else _unknown(found)
        except BaseException as error:
            self._error = self._error or error
            raise

    def _nested(self, data: bytes) -> Value:
        """Unpack what lies in a typed value, never deeper than the stack is known to bear."""
        if self._typed_depth == MAX_TYPED_DEPTH:
            message = f"more than {MAX_TYPED_DEPTH} typed values lie in one another"
            raise ValueError(message)
        need = min(len(data), _DECODER_DEPTH)
        if need > self._room - _KEPT:
            need = nesting(data, limit=MAX_DEPTH)
            if need > min(self._room, MAX_DEPTH):
                message = f"more than {MAX_DEPTH} containers lie in one another"
                raise ValueError(message)
        self._room -= need
        self._typed_depth += 1
        try:
            return self._unpack(data)
        finally:
            self._room += need
            self._typed_depth -= 1

    def _shaped(self, data: bytes) -> object:
        size = data[0] + 1
        tag, payload = data[1:size].decode(), data[size:]
        if not tag or len(data) < size:
            message = "the tag of a type is cut or empty"
            raise ValueError(message)
        make = self._types.reader(tag)
        if make is None:
            return Opaque(tag, payload)
        plain = self._nested(payload)
        try:
            return make(plain)
        except Exception as error:
            message = (
                f"a stored {tag!r} cannot be made again ({type(error).__name__}: {error}); "
                "register a from_plain that reads this form too"
            )
            raise Invalid(message, code="rebuild_failed", tag=tag) from error


def _row(items: Value) -> list[Value]:
    if items.__class__ is not list:
        message = f"the items of a container are a {items.__class__.__name__}"
        raise TypeError(message)
    return items


def _unknown(form: int) -> NoReturn:
    if form not in OURS:
        message = f"{form} is no form of a value"
        raise ValueError(message)
    message = (
        f"the value holds a form {form} that this version of Ropewalk does not know; "
        "read it with the version that wrote it, or a later one"
    )
    raise Invalid(message, code="unknown_form", form=form)
