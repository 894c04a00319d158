"""Arrays and scalars of numpy, where numpy is there: element type, shape and raw bytes."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from ormsgpack import Ext, packb, unpackb

from ..domain.errors import Invalid
from . import format as code
from .format import Value
from .refusal import Refused

# bool, signed, unsigned, float, complex, bytes, text, datetime, timedelta: no objects, no fields.
_KINDS: Final = frozenset("biufcSUMm")

# What numpy calls them. It would read other texts too, and some of them as code.
_NAME: Final = re.compile(r"[<>|][biufcSUMm][0-9]{1,9}(\[[0-9]{0,9}[A-Za-z]{1,2}\])?")


def is_numpy(kind: type) -> bool:
    """Tell whether `kind` is the array or a scalar type of numpy itself, not a subclass."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return False
    return kind is numpy.ndarray or (
        issubclass(kind, numpy.generic) and kind.__module__ == numpy.__name__
    )


def write(value: Value) -> Ext:
    """Return the form of an array or scalar; raise `Refused` for elements that are no numbers."""
    dtype = value.dtype
    if isinstance(value, str):
        # numpy drops trailing zeros of the texts and bytes that lie in an array: these lie beside.
        return Ext(code.SCALAR, packb([dtype.str, value.encode("utf-8", "surrogatepass")]))
    if isinstance(value, bytes):
        return Ext(code.SCALAR, packb([dtype.str, bytes(value)]))
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        reason = (
            f"holds numpy elements of {dtype!r}; numbers, texts, bytes, times and bools are kept: "
            "convert the others, or keep them in a registered type"
        )
        raise Refused(reason, code="bad_dtype", kind=value.__class__)
    if not hasattr(value, "__setitem__"):
        return Ext(code.SCALAR, packb([dtype.str, value.tobytes()]))
    by_columns = value.flags.f_contiguous and not value.flags.c_contiguous
    order = "F" if by_columns else "C"
    return Ext(code.ARRAY, packb([dtype.str, order, list(value.shape), value.tobytes(order)]))


def _read_array(data: bytes) -> Value:
    dtype, order, shape, raw = unpackb(data)
    if order not in ("C", "F"):
        raise ValueError(order)
    found = _dtype(dtype)
    # A copy: what was read must be the caller's own, and writable.
    return _numpy().frombuffer(raw, found).reshape(shape, order=order).copy(order=order)


def _read_scalar(data: bytes) -> Value:
    name, raw = unpackb(data)
    numpy, dtype = _numpy(), _dtype(name)
    if dtype.kind == "U":
        return numpy.str_(raw.decode("utf-8", "surrogatepass"))
    if dtype.kind == "S":
        return numpy.bytes_(raw)
    (scalar,) = numpy.frombuffer(raw, dtype)
    return scalar


def _dtype(name: str) -> Value:
    if not _NAME.fullmatch(name):
        raise ValueError(name)
    try:
        return _numpy().dtype(name)
    except TypeError as error:
        message = f"this machine has no numpy elements of {name!r}; read it where it was written"
        raise Invalid(message, code="bad_dtype", dtype=name) from error


def _numpy() -> Any:  # noqa: ANN401 (a module that may be absent, imported when first met)
    try:
        import numpy as np
    except ImportError as error:
        message = "the value holds numpy data, and numpy is not installed; install ropewalk[numpy]"
        raise Invalid(message, code="missing_package", package="numpy") from error
    return np


READERS: Final[Mapping[int, Callable[[bytes], object]]] = {
    code.ARRAY: _read_array,
    code.SCALAR: _read_scalar,
}
"""Extension codes and how each is read."""
