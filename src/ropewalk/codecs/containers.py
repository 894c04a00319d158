"""Containers beside list and dict: what lies in them, and in which order."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from . import format as code
from .format import Value
from .refusal import Refused
from .scalars import WRITERS

Items: TypeAlias = list[Value]

# What a defaultdict may make: names that stand for code, so the list is closed.
_FACTORIES: Final[Mapping[str, type]] = {
    cls.__name__: cls for cls in (bool, bytes, dict, float, frozenset, int, list, set, str, tuple)
}

# Of a key that is a text, so many characters are shown in a path.
_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class Layout:
    """The code of a container, its items in a row, and how a path names the one at an index."""

    code: int
    items: Callable[[Value], Items]
    step: Callable[[Sequence[Value], int], str]


def in_list(items: Sequence[Value], index: int) -> str:  # noqa: ARG001 (one signature for all)
    """Name an item by its place."""
    return f"[{index}]"


def in_dict(key: Value) -> str:
    """Name a value by its key: plainly where the key is an identifier."""
    kind = key.__class__
    if kind is str and len(key) <= _SHOWN and key.isidentifier():
        return f".{key}"
    if kind in (str, bytes) and len(key) > _SHOWN:
        return f"[{key[:_SHOWN]!r}...]"
    # Not by the repr of just anything: it may be endless, or fail.
    if kind in (str, bytes, bool, float, type(None)) or (kind is int and abs(key) < 2**64):
        return f"[{key!r}]"
    return f"[<{kind.__name__}>]"


def _in_pairs(items: Sequence[Value], index: int) -> str:
    if index % 2:
        return in_dict(items[index - 1])
    return f"{in_dict(items[index])}<key>"


def _in_pairs_behind_one(items: Sequence[Value], index: int) -> str:
    return _in_pairs(items[1:], index - 1)


def _behind_one(items: Sequence[Value], index: int) -> str:
    return in_list(items, index - 1)


def _in_set(items: Sequence[Value], index: int) -> str:  # noqa: ARG001
    return "{...}"


def _pairs(value: Mapping[Value, Value]) -> Items:
    return [part for pair in value.items() for part in pair]


def _default_pairs(value: defaultdict[Value, Value]) -> Items:
    factory = value.default_factory
    name = getattr(factory, "__name__", "")
    if factory is not None and _FACTORIES.get(name) is not factory:
        reason = (
            f"holds a defaultdict whose values are made by {factory!r}; "
            f"only {', '.join(sorted(_FACTORIES))} can be kept: make it a dict"
        )
        raise Refused(reason, code="bad_factory", kind=defaultdict)
    return [None if factory is None else name, *_pairs(value)]


def _ringed(value: deque[Value]) -> Items:
    return [value.maxlen, *value]


LAYOUTS: Final[Mapping[type, Layout]] = {
    tuple: Layout(code.TUPLE, list, in_list),
    # Reached only where a key is no plain text: other dictionaries are plain.
    dict: Layout(code.MAP, _pairs, _in_pairs),
    set: Layout(code.SET, list, _in_set),
    frozenset: Layout(code.FROZENSET, list, _in_set),
    deque: Layout(code.DEQUE, _ringed, _behind_one),
    OrderedDict: Layout(code.ORDERED, _pairs, _in_pairs),
    defaultdict: Layout(code.DEFAULTS, _default_pairs, _in_pairs_behind_one),
    Counter: Layout(code.COUNTER, _pairs, _in_pairs),
}
"""Exact types and how each is laid out."""

UNORDERED: Final = frozenset({code.SET, code.FROZENSET})
"""Containers whose items are written in the order of their bytes, so that equal sets are equal."""

NATIVE: Final = frozenset({type(None), bool, int, float, str, bytes, list, *WRITERS, *LAYOUTS})
"""The types of the standard library that need no registration, and take none."""


def _paired(items: Items) -> dict[Value, Value]:
    found = dict(zip(items[::2], items[1::2], strict=True))
    if len(found) * 2 != len(items):
        message = "a key occurs twice"
        raise ValueError(message)
    return found


def _distinct(items: Items) -> Items:
    if len(set(items)) != len(items):
        message = "an element occurs twice"
        raise ValueError(message)
    return items


def _counted(items: Items) -> Counter[Value]:
    counter: Counter[Value] = Counter()
    # One by one: counts may be anything, and nothing is added up.
    for name, count in _paired(items).items():
        counter[name] = count
    return counter


def _defaulted(items: Items) -> defaultdict[Value, Value]:
    name, *pairs = items
    return defaultdict(None if name is None else _FACTORIES[str(name)], _paired(pairs))


def _queue(items: Items) -> deque[Value]:
    maxlen, *rest = items
    if maxlen is not None and (not isinstance(maxlen, int) or len(rest) > maxlen):
        raise ValueError(maxlen)
    return deque(rest, maxlen)


READERS: Final[Mapping[int, Callable[[Items], object]]] = {
    code.TUPLE: tuple,
    code.MAP: _paired,
    code.SET: lambda items: set(_distinct(items)),
    code.FROZENSET: lambda items: frozenset(_distinct(items)),
    code.DEQUE: _queue,
    code.ORDERED: lambda items: OrderedDict(_paired(items)),
    code.DEFAULTS: _defaulted,
    code.COUNTER: _counted,
}
"""Extension codes and what is made of the items."""
