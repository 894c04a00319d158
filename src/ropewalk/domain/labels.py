"""The header's small index: flat, searchable scalars, and how metadata becomes labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias, cast

from .errors import Invalid
from .limits import (
    MAX_INT64,
    MAX_LABEL_BYTES,
    MAX_LABEL_NAME_BYTES,
    MAX_LABELS,
    MIN_INT64,
    SHORT,
    check_int64,
    check_text,
)

Label: TypeAlias = str | int | float | bool
"""What a label may hold: text, a 64-bit integer, a finite float, or a bool."""

Labels: TypeAlias = Mapping[str, Label]

PARTIAL: Final = "metadata~partial"
"""Set to True on a record some of whose metadata does not fit into labels (nested lists, long
texts, integers beyond 64 bits ...). A filter on metadata must then look into the body."""

_PREFIX: Final = "metadata."


def check_labels(labels: Mapping[str, object]) -> None:
    """Raise `Invalid`, naming the label, unless every label is a small searchable scalar."""
    if len(labels) > MAX_LABELS:
        message = f"a record holds at most {MAX_LABELS} labels (max_labels), not {len(labels)}"
        raise Invalid(message, code="too_many", field="labels", limit="max_labels")
    for name, value in labels.items():
        if not (type(name) is str and 0 < len(name) <= SHORT and name.isascii()):
            check_text(
                name,
                field="label name",
                limit=MAX_LABEL_NAME_BYTES,
                limit_name="max_label_name_bytes",
            )
        # Nearly every label is a short text or a number that fits.
        if type(value) is str:
            if len(value) <= SHORT and value.isascii():
                continue
        elif type(value) is int and MIN_INT64 <= value <= MAX_INT64:
            continue
        check_label(value, field=f"labels.{name}")


def check_label(value: object, *, field: str) -> None:
    """Raise `Invalid`, naming `field`, unless `value` may be a label."""
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        if value:
            check_text(value, field=field, limit=MAX_LABEL_BYTES, limit_name="max_label_bytes")
    elif isinstance(value, int):
        check_int64(value, field=field)
    elif isinstance(value, float):
        if not math.isfinite(value):
            message = f"{field} is {value}; labels hold finite numbers only, keep it in the body"
            raise Invalid(message, code="not_finite", field=field)
    else:
        message = f"{field} must be text, int, float or bool, not {type(value).__name__}"
        raise Invalid(message, code="bad_type", field=field)


def metadata_labels(metadata: Mapping[str, object], *, room: int = 128) -> dict[str, Label]:
    """Turn metadata into labels named `metadata.<path>`, nested dictionaries flattened with dots.

    Promises that a filter on `metadata.*` stays right: whatever cannot be a label sets `PARTIAL`,
    and then only the body knows. `None` is left out, as an absent label equals `None`.
    At most `room` labels are made.
    """
    labels: dict[str, Label] = {}
    if metadata and _flatten(metadata.items(), _PREFIX, labels, room):
        labels[PARTIAL] = True
    return labels


def _flatten(
    items: Iterable[tuple[object, object]], prefix: str, labels: dict[str, Label], room: int
) -> bool:
    if len(prefix) > MAX_LABEL_NAME_BYTES:  # too deep for a label, and an end to any cycle
        return True
    partial = False
    for name, item in items:
        # A dot inside a name could be read as nesting: such names are left to the body.
        if not isinstance(name, str) or not name or "." in name:
            partial = True
        elif isinstance(item, dict):
            inner = cast("dict[object, object]", item)
            partial |= not inner or _flatten(inner.items(), f"{prefix}{name}.", labels, room)
        elif item is not None:
            partial |= not _add(labels, prefix + name, item, room)
    return partial


def _add(labels: dict[str, Label], name: str, item: object, room: int) -> bool:
    # Subclasses (StrEnum, IntEnum, numpy scalars) are revived by the body only.
    if len(labels) >= room or type(item) not in (str, int, float, bool):
        return False
    is_plain = type(item) is str and len(item) <= SHORT and item.isascii()
    if not (is_plain and len(name) <= SHORT and name.isascii()):
        try:
            check_labels({name: item})
        except Invalid:  # not an error here: the caller is told by PARTIAL
            return False
    labels[name] = item  # type: ignore[assignment]
    return True
