"""Reducers: how two changes of one value become one, by name or by a function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeAlias, cast

from .errors import Invalid
from .sameness import same
from .spelling import did_you_mean


class Missing(Enum):
    """What stands where there is no value."""

    ABSENT = "absent"
    """The key is not there."""
    UNDECIDED = "undecided"
    """A reducer has no answer for values like these."""

    def __str__(self) -> str:
        """Say it for people."""
        return f"({self.value})"


ABSENT: Final = Missing.ABSENT
UNDECIDED: Final = Missing.UNDECIDED

_PLAIN: Final = (str, int, float, bytes)

Reducer: TypeAlias = Callable[[Any, Any, Any], Any]
"""Takes `base`, `present` and `coming` and returns the value that both changes make.

`base` is what both grew from, `present` what stands there now, `coming` what is to be written; each
may be `ABSENT`. A reducer is asked only where both differ from `base`.
"""


def append(base: Any, present: Any, coming: Any) -> Any:  # noqa: ANN401 (a user's values)
    """Put what `coming` has added behind what `present` has; both must begin with `base`."""
    old, own, new = _row(base), _row(present), _row(coming)
    if old is None or own is None or new is None:
        return UNDECIDED
    if not same([*own[: len(old)]], [*old]) or not same([*new[: len(old)]], [*old]):
        return UNDECIDED
    return _like(present, [*own, *new[len(old) :]])


def union(base: Any, present: Any, coming: Any) -> Any:  # noqa: ANN401 (a user's values)
    """Keep what both have and what either has added; what either has removed is gone."""
    old, own, new = _bag(base), _bag(present), _bag(coming)
    if old is None or own is None or new is None:
        return UNDECIDED
    kept = [item for item in own.items if new.has(item) or not old.has(item)]
    added = [item for item in new.items if not own.has(item) and not old.has(item)]
    return _like(present, [*kept, *added])


def greatest(base: Any, present: Any, coming: Any) -> Any:  # noqa: ANN401, ARG001 (a user's values)
    """Take the greater of both."""
    return _chosen(present, coming, greater=True)


def least(base: Any, present: Any, coming: Any) -> Any:  # noqa: ANN401, ARG001 (a user's values)
    """Take the lesser of both."""
    return _chosen(present, coming, greater=False)


def add(base: Any, present: Any, coming: Any) -> Any:  # noqa: ANN401 (a user's values)
    """Add what both have added: a counter that two raise by one has risen by two."""
    whole = [0 if side is ABSENT or side is None else side for side in (base, present, coming)]
    if any(isinstance(n, bool) or not isinstance(n, int | float | Decimal) for n in whole):
        return UNDECIDED
    if len({isinstance(n, Decimal) for n in whole if n != 0}) > 1:
        return UNDECIDED
    return whole[1] + whole[2] - whole[0]


def first(base: Any, present: Any, coming: Any) -> Any:  # noqa: ANN401, ARG001 (a user's values)
    """Keep what stands there."""
    return present


def last(base: Any, present: Any, coming: Any) -> Any:  # noqa: ANN401, ARG001 (a user's values)
    """Take what is to be written."""
    return coming


REDUCERS: Final[Mapping[str, Reducer]] = MappingProxyType(
    {
        "append": append,
        "union": union,
        "max": greatest,
        "min": least,
        "sum": add,
        "first": first,
        "last": last,
    }
)


def reducer_of(how: str | Reducer, *, field: str) -> Reducer:
    """Return a reducer by its name, or the user's own; raise `Invalid` naming the known ones."""
    if callable(how):
        return how
    if how not in REDUCERS:
        message = f"{field}: there is no reducer {how!r}; {did_you_mean(str(how), REDUCERS)}"
        raise Invalid(message, code="unknown_name", field=field)
    return REDUCERS[how]


def name_of(how: str | Reducer) -> str:
    """Return how a reducer is called in reports."""
    return how if isinstance(how, str) else getattr(how, "__name__", type(how).__name__)


def _row(value: object) -> Sequence[Any] | None:
    if value is ABSENT or value is None:
        return ()
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else None


class _Bag:
    """Distinct items in order: most are found by their hash, such as dictionaries one by one."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items: list[Any] = []
        self._marks: set[object] = set()
        self._others: list[Any] = []
        for item in items:
            if not self.has(item):
                self.items.append(item)
                if isinstance(item, _PLAIN):
                    self._marks.add((type(item), item))
                else:
                    self._others.append(item)

    def has(self, item: Any) -> bool:  # noqa: ANN401 (a user's value)
        if isinstance(item, _PLAIN):
            return (type(item), item) in self._marks
        return any(same(item, other) for other in self._others)


def _bag(value: object) -> _Bag | None:
    if value is ABSENT or value is None:
        return _Bag(())
    if not isinstance(value, list | tuple | set | frozenset):
        return None
    return _Bag(cast("Iterable[Any]", value))


def _like(present: object, items: list[Any]) -> Any:  # noqa: ANN401 (a user's values)
    """Return items in the kind of collection that stands there."""
    if isinstance(present, tuple):
        return tuple(items)
    if isinstance(present, set | frozenset):
        return frozenset(items) if isinstance(present, frozenset) else set(items)
    return items


def _chosen(present: Any, coming: Any, *, greater: bool) -> Any:  # noqa: ANN401 (a user's values)
    for one, other in ((present, coming), (coming, present)):
        if one is ABSENT or one is None:
            return other
    try:
        return present if (present >= coming if greater else present <= coming) else coming
    except TypeError:  # they do not compare: somebody else has to decide
        return UNDECIDED
