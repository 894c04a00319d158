"""What our SQL needs beyond SQLite's own: exact floats out of labels."""

from __future__ import annotations

from ...domain.errors import Corrupt
from ...domain.limits import MAX_INT64, MIN_INT64
from ...domain.tally import FloatSum
from .connection import Connection
from .labels import decode_value


def register(connection: Connection) -> None:
    """Teach a connection the functions below; SQL calls them for float labels only."""
    connection.define("label_float", _label_float)
    connection.define("label_group", _label_group)
    connection.define_sum("label_float_sum", _LabelFloatSum)


def _label_float(*codes: object) -> float:
    """Return the float behind a label's code, for comparing and sorting."""
    try:
        value = decode_value(codes[0])
    except ValueError as error:
        raise _no_float(codes[0]) from error
    if not isinstance(value, float):
        raise _no_float(codes[0])
    return value


def _label_group(*codes: object) -> int | str:
    """Return the int that a whole float equals, so that both fall into one group."""
    value = _label_float(*codes)
    whole = int(value) if value.is_integer() else None
    return whole if whole is not None and MIN_INT64 <= whole <= MAX_INT64 else str(codes[0])


class _LabelFloatSum:
    """Add up floats exactly, in constant memory."""

    def __init__(self) -> None:
        self._sum = FloatSum()

    def step(self, *codes: object) -> None:
        """Take one more float."""
        self._sum.add(_label_float(*codes))

    def final(self) -> float | None:
        """Return the sum, or `None` where there was no float."""
        return self._sum.result() if self._sum.count else None


def _no_float(code: object) -> Corrupt:
    message = f"a label holds {str(code)[:40]!r}, which is no float; restore it from a backup"
    return Corrupt(message, code="bad_labels")
