"""Slow shapes as records, so that whoever looks into the store later learns of them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Final

from .change import Put
from .labels import Labels
from .limits import MAX_LABEL_BYTES
from .record import Key, Record
from .shape import Shape

SLOW_SHAPE: Final = "slow_shape"
"""The kind of these records."""

_BETWEEN: Final = "\n"


def key_of(shape: Shape) -> Key | None:
    """Return the key of a shape's record, `None` where it is not kept.

    What was asked of every space belongs to none, and what is too long for a label is left out.
    """
    texts = _texts(shape)
    if shape.space is None or any(len(text.encode()) > MAX_LABEL_BYTES for text in texts.values()):
        return None
    digest = hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:32]
    return Key(shape.space, SLOW_SHAPE, digest)


def put_of(shape: Shape, key: Key, present: Record | None) -> Put:
    """Return the change that adds what was counted of a shape to its record, as it is now."""
    known = None if present is None else shape_of(present)
    whole = shape if known is None else known.joined(shape)
    labels: Labels = {
        **_texts(shape),
        "count": whole.count,
        "seconds": float(whole.seconds),
        "longest": float(whole.longest),
    }
    return Put(key=key, labels=labels, expect=0 if present is None else present.version)


def shape_of(record: Record) -> Shape | None:
    """Return the shape that a record tells of, `None` where it tells of none."""
    held = record.labels
    count, seconds, longest = held.get("count"), held.get("seconds"), held.get("longest")
    texts = {name: held.get(name) for name in _texts(_EMPTY)}
    if not isinstance(count, int) or not isinstance(seconds, float | int):
        return None
    if not isinstance(longest, float | int):
        return None
    kinds, where, labels = (_split(texts[name]) for name in ("kinds", "where", "labels"))
    return replace(
        _EMPTY,
        verb=str(texts["verb"]),
        space=record.key.space,
        kinds=kinds,
        within=str(texts["within"]),
        where=where,
        order=str(texts["order"]),
        labels=labels,
        count=count,
        seconds=seconds,
        longest=longest,
    )


_EMPTY: Final = Shape(verb="scan", space=None)


def _texts(shape: Shape) -> dict[str, str]:
    return {
        "verb": shape.verb,
        "kinds": _BETWEEN.join(shape.kinds),
        "within": shape.within,
        "where": _BETWEEN.join(shape.where),
        "order": shape.order,
        "labels": _BETWEEN.join(shape.labels),
    }


def _split(text: object) -> tuple[str, ...]:
    return tuple(text.split(_BETWEEN)) if isinstance(text, str) and text else ()
