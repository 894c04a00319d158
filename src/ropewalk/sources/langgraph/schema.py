"""How the tables of LangGraph's SQLite savers were laid out, generation by generation.

The first (until summer 2024) had one line of checkpoints a thread, named by their times, and no
form beside the bytes. Then came namespaces, ids and the form; in 2026 the path of a task. What a
generation lacks is read as if it stood there empty.
Source: the statements that make the tables in langgraph-checkpoint-sqlite, and in langgraph before
savers had packages of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from ...domain.errors import NotFound

CHECKPOINTS: Final = "checkpoints"
WRITES: Final = "writes"
STORE: Final = "store"

ABSENT: Final = "''"
"""What stands for a column that a generation has not: the empty text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The columns of one file as SQL; `has_writes` where there is a table of them."""

    generation: str
    namespace: str
    id: str
    parent: str
    form: str
    metadata: str
    has_writes: bool
    has_store: bool
    write_namespace: str
    write_id: str
    write_form: str
    path: str


def layout_of(tables: Mapping[str, AbstractSet[str]], place: str) -> Layout:
    """Tell how the tables are laid out; raise `NotFound` where they are not LangGraph's."""
    own = tables.get(CHECKPOINTS, frozenset[str]())
    if not {"thread_id", "checkpoint"} <= own or not own & {"checkpoint_id", "thread_ts"}:
        message = f"{place} has no checkpoints of LangGraph: name the database of its saver"
        raise NotFound(message, code="no_source", place=place)
    writes = tables.get(WRITES, frozenset[str]())
    if {"checkpoint_ns", "type"} <= own:
        generation = "task-path" if "task_path" in writes else "namespaces"
    else:
        generation = "times" if "thread_ts" in own else "early"
    return Layout(
        generation=generation,
        namespace=_one_of(own, "checkpoint_ns", missing=ABSENT),
        id=_one_of(own, "checkpoint_id", "thread_ts", missing=ABSENT),
        parent=_one_of(own, "parent_checkpoint_id", "parent_ts"),
        form=_one_of(own, "type"),
        metadata=_one_of(own, "metadata"),
        has_writes={"thread_id", "task_id", "channel", "value"} <= writes,
        has_store={"prefix", "key", "value"} <= tables.get(STORE, frozenset[str]()),
        write_namespace=_one_of(writes, "checkpoint_ns", missing=ABSENT),
        write_id=_one_of(writes, "checkpoint_id", "thread_ts", missing=ABSENT),
        write_form=_one_of(writes, "type"),
        path=_one_of(writes, "task_path", missing=ABSENT),
    )


def _one_of(columns: AbstractSet[str], *names: str, missing: str = "NULL") -> str:
    return next((name for name in names if name in columns), missing)
