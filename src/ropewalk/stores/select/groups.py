"""What a query with functions of many rows may say, checked before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .limits import refused
from .tree import Aggregate, Constant, Parameter, Path, children, has_aggregate, walk, words

if TYPE_CHECKING:
    from .tree import Expression, Select


def check_groups(select: Select) -> None:
    """Raise `Invalid` where a row of the answer would have no one value.

    SQLite would pick any record of a group; others refuse: so does the language.
    """
    for clause, value in (("WHERE", select.where), *(("GROUP BY", one) for one in select.group)):
        if value is not None and has_aggregate(value):
            message = f"{clause} looks at single records: put functions of many into HAVING"
            raise refused(message)
    if select.having is not None and not select.group:
        message = "HAVING needs GROUP BY; WHERE chooses single records"
        raise refused(message)
    for value in select.answered:
        _check_nesting(value)
        if select.aggregated:
            _check_one_value(value, select.group)
    if select.distinct:
        _check_distinct(select)


def _check_nesting(value: Expression) -> None:
    for part in walk(value):
        if isinstance(part, Aggregate) and part.argument and has_aggregate(part.argument):
            message = f"{part.name}() cannot be taken of another function of many rows"
            raise refused(message)


def _check_one_value(value: Expression, group: tuple[Expression, ...]) -> None:
    if value in group or isinstance(value, Aggregate | Constant | Parameter):
        return
    inner = children(value)
    if not inner:
        message = f"{words(value)} differs from record to record: add it to GROUP BY, or sum it up"
        raise refused(message)
    for child in inner:
        _check_one_value(child, group)


def _check_distinct(select: Select) -> None:
    values = [item.value for item in select.items]
    for value in values:
        if isinstance(value, Path) and value.type is None:
            name = words(value)
            message = f"DISTINCT needs to know what {name} is: write num({name}) or text({name})"
            raise refused(message)
    for sort in select.order:
        if sort.value not in values:
            message = "SELECT DISTINCT can be ordered only by columns of its answer"
            raise refused(message)
