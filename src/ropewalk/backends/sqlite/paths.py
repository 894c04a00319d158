"""Which index leads to the answer of a query: chosen here and named in the SQL.

The planner would choose by statistics that a young store has not got and an old one has
outgrown; without any it follows a thread's messages through all messages of the space.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ...domain.query import Condition, Query
from .conditions import condition_sql

_PAST: Final = frozenset({"eq", "lt", "le"})


def index_for(query: Query, *, ordered: bool) -> str | None:
    """Return the index to search, `None` where the planner may choose.

    `ordered` says that records are wanted in the query's order, which the index then gives
    without sorting where it can; otherwise they are wanted in whatever order.
    """
    if query.space is not None and any(map(_names_ids, _conditions(query))):
        return "record_key"
    if query.thread_id is not None or query.session_id is not None:
        return "record_session" if query.thread_id is None else "record_thread"
    if any(map(_names_expiry, _conditions(query))):
        return "record_expiry"
    if query.space is None:
        return None
    return "record_key" if ordered and query.order.field == "id" else "record_kind"


def is_walked(query: Query) -> bool:
    """Tell whether a scan goes from page to page along an index, in the query's order.

    It does not where the order is no index's, or is one that a rewrite of a record changes.
    """
    if query.space is None:
        return False
    index = index_for(query, ordered=True)
    if query.order.field == "id":
        return index == "record_key"
    return query.order.field == "created_at" and index in (
        "record_thread",
        "record_session",
        "record_kind",
    )


def spreads(query: Query) -> bool:
    """Tell whether the answer is a merger of several kinds' records, each kind sorted by itself."""
    return len(query.kinds) != 1 and index_for(query, ordered=True) == "record_kind"


def _conditions(query: Query) -> Iterator[Condition]:
    return (part for part in query.where if isinstance(part, Condition))


def _names_ids(condition: Condition) -> bool:
    wanted = condition.op in ("eq", "in") or (condition.op == "prefix" and condition.value != "")
    return condition.field == "id" and wanted


def _names_expiry(condition: Condition) -> bool:
    if condition.field != "expires_at" or condition.op not in _PAST or condition.value is None:
        return False
    # A value that no row can have is answered without a look at the column, and then SQLite
    # refuses an index that has only rows with one.
    return condition.field in condition_sql(condition).text
