"""The values handed in with a query: checked, bound by name, never written into a text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isnan
from typing import TYPE_CHECKING

from ...domain.errors import Invalid
from ...domain.limits import check_int64
from ...domain.moment import to_micros
from ...domain.spelling import did_you_mean
from ..shapes import is_mapping
from .limits import beyond, refused
from .tree import Like, Parameter, walk

if TYPE_CHECKING:
    from .limits import SelectLimits
    from .settle import Value
    from .tree import Select


def read_params(raw: object) -> dict[str, Value]:
    """Check the values of a query; aware datetimes become microseconds.

    Raises `Invalid` naming the parameter for anything else than text, an integer of 64 bits, a
    float, a bool, an aware datetime or `None`.
    """
    if raw is None:
        return {}
    if not is_mapping(raw):
        message = f"params must be a dict such as {{'id': 'x'}}, not {type(raw).__name__}"
        raise Invalid(message, code="bad_type", field="params")
    return {str(name): _read(str(name), value) for name, value in raw.items()}


def _read(name: str, value: object) -> Value:
    field = f":{name}"
    if isinstance(value, datetime):
        return to_micros(value, field=field)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(check_int64(value, field=field))
    if isinstance(value, float):
        if isnan(value):
            message = f"{field} is nan, which nothing equals"
            raise Invalid(message, code="not_finite", field=field)
        return float(value)
    if isinstance(value, str):
        return _unicode(str.__str__(value), field)
    message = (
        f"{field} must be text, a number, a bool, an aware datetime or None, not "
        f"{type(value).__name__}; for several values write IN (:a, :b)"
    )
    raise Invalid(message, code="bad_type", field=field)


def _unicode(value: str, field: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        message = f"{field} holds a lone surrogate at character {error.start}"
        raise Invalid(message, code="bad_text", field=field) from error
    return value


def check_params(select: Select, params: Mapping[str, Value], limits: SelectLimits) -> None:
    """Raise `Invalid` unless exactly the parameters of the query have values, of bearable size."""
    parts = [part for value in select.expressions for part in walk(value)]
    used = {part.name for part in parts if isinstance(part, Parameter)}
    for name in sorted(used - params.keys()):
        message = f"the parameter :{name} has no value: hand it in, {{{name!r}: ...}}"
        raise refused(message, name=name)
    for name in sorted(params.keys() - used):
        message = f"the query has no parameter :{name}: {did_you_mean(name, used)}"
        raise refused(message, name=name)
    for part in parts:
        pattern = part.pattern if isinstance(part, Like) else None
        value = params[pattern.name] if isinstance(pattern, Parameter) else None
        if isinstance(value, str) and len(value) > limits.max_query_characters:
            message = f"a pattern of LIKE has {len(value)} characters"
            raise beyond("max_query_characters", message)
