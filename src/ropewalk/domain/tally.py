"""Counting and summing without opening a body: the answer's form and its meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from .cursor import Ranked, rank
from .query import LABEL, check_field, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .labels import Label
    from .record import Record

MICROSECONDS_PER_DAY: Final = 86_400_000_000

DAY: Final = "created_day"
"""Groups by whole days since 1970-01-01 UTC, as an integer (floor)."""

_SMALLEST_EXPONENT: Final = 1074

_TOGETHER: Final = 256
"""Records that are added up at once."""

_INTEGERS: Final = frozenset({int})

_Column: TypeAlias = "Sequence[Label | None]"

GROUP_FIELDS: Final = frozenset({"space", "kind", "session_id", "thread_id", DAY})


@dataclass(frozen=True, slots=True)
class Tally:
    """One group of a tally: its values, how many records, and a sum for each label asked for.

    A sum of integers is an exact `int` of any size; it is a `float` as soon as one float is in
    it. Records without the label, or with a text or bool there, add nothing. In `group` a whole
    float is given as `int`.
    """

    group: tuple[Label | None, ...]
    count: int
    sums: tuple[int | float, ...]


def check_tally(sums: Sequence[str], group_by: Sequence[str]) -> None:
    """Raise `Invalid`, naming it, for a sum that is no label or a group that is no field."""
    for name in sums:
        check_field(LABEL + name, allowed=(), what="sum")
    for name in group_by:
        check_field(name, allowed=GROUP_FIELDS, what="group_by")


def tally_records(
    records: Iterable[Record], sums: Sequence[str], group_by: Sequence[str]
) -> list[Tally]:
    """Group and add up `records`, sorted by group: the meaning of every back end's `tally`.

    Without `group_by` there is exactly one group, also of no records.
    """
    totals = Totals(sums, group_by)
    rest = iter(records)
    while part := tuple(islice(rest, _TOGETHER)):
        totals.add(part)
    return totals.result()


class Totals:
    """A tally under way, for those who do not have all of its records at once."""

    def __init__(self, sums: Sequence[str], group_by: Sequence[str]) -> None:
        """Begin with no record, to add up the labels `sums` by `group_by`."""
        self._names = tuple(sums)
        self._group_by = tuple(group_by)
        self._groups: dict[tuple[Ranked, ...], tuple[list[Label | None], _Sums]] = {}
        self._only = None if self._group_by else _Sums(len(self._names))
        if self._only is not None:
            self._groups[()] = [], self._only

    def add(self, records: Sequence[Record]) -> None:
        """Count some more records."""
        if self._only is not None:
            self._only.add(records, self._names)
            return
        parts: dict[tuple[Ranked, ...], list[Record]] = {}
        for record in records:
            values = [_group_value(record, name) for name in self._group_by]
            key = tuple([rank(value) for value in values])
            if key not in self._groups:
                self._groups[key] = values, _Sums(len(self._names))
            parts.setdefault(key, []).append(record)
        for key, part in parts.items():
            self._groups[key][1].add(part, self._names)

    def result(self) -> list[Tally]:
        """Return what was added up so far, sorted by group."""
        return [
            Tally(tuple(values), total.count, total.result())
            for _, (values, total) in sorted(self._groups.items(), key=lambda item: item[0])
        ]


def _group_value(record: Record, name: str) -> Label | None:
    if name == DAY:
        return record.created_at // MICROSECONDS_PER_DAY
    value = value_of(record, name)
    return int(value) if isinstance(value, float) and value.is_integer() else value


class FloatSum:
    """The exact sum of floats in constant memory, rounded once at the end.

    Answers as `math.fsum` does, in whatever order the floats come; a sum beyond the range of
    floats is infinite.
    """

    __slots__ = ("_total", "count")

    def __init__(self) -> None:
        self.count = 0
        self._total = 0

    def add(self, value: float) -> None:
        """Take one more finite float."""
        numerator, denominator = value.as_integer_ratio()
        self.count += 1
        # Every finite float is a whole multiple of 2**-1074, the smallest of all (IEEE 754).
        self._total += numerator << (_SMALLEST_EXPONENT - denominator.bit_length() + 1)

    def result(self) -> float:
        """Return the nearest float to the sum of all that were added."""
        try:
            return self._total / (1 << _SMALLEST_EXPONENT)
        except OverflowError:
            return math.inf if self._total > 0 else -math.inf


def _columns(records: Sequence[Record], names: Sequence[str]) -> Iterable[_Column]:
    """Return for each name what the records are labelled with, `None` where a label is absent."""
    if not records or not names:
        return ()
    labels = [record.labels for record in records]
    try:
        # Nearly always all are there, and then nothing is done for each in Python.
        picked = [*map(itemgetter(*names), labels)]
    except KeyError:
        return [[held.get(name) for held in labels] for name in names]
    return zip(*picked, strict=True) if len(names) > 1 else [picked]


class _Sums:
    """Running sums of one group, integers and floats apart."""

    __slots__ = ("_floats", "_ints", "count")

    def __init__(self, width: int) -> None:
        self.count = 0
        self._ints = [0] * width
        self._floats = [FloatSum() for _ in range(width)]

    def add(self, records: Sequence[Record], names: Sequence[str]) -> None:
        self.count += len(records)
        for index, values in enumerate(_columns(records, names)):
            # Most labels that are added up are whole numbers, and `sum` is quick.
            if _INTEGERS.issuperset(map(type, values)):
                self._ints[index] += sum(cast("Sequence[int]", values))
                continue
            for value in values:
                if isinstance(value, float):
                    self._floats[index].add(value)
                elif isinstance(value, int) and not isinstance(value, bool):
                    self._ints[index] += value

    def result(self) -> tuple[int | float, ...]:
        return tuple(
            whole + floats.result() if floats.count else whole
            for whole, floats in zip(self._ints, self._floats, strict=True)
        )
