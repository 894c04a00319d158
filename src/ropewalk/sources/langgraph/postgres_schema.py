"""How the tables of LangGraph's PostgreSQL savers are laid out, and the statements that read them.

`checkpoint_migrations` counts the changes to them: since version 4 a blob may be empty, since 9 a
write has the path of its task; the others make indexes. `ShallowPostgresSaver` uses the same names
for tables of its own, with the newest checkpoint of each namespace and no history.
Source: the migrations in langgraph-checkpoint-postgres, `base.py` and `shallow.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from ...domain.errors import NotFound
from .schema import CHECKPOINTS, STORE

BLOBS: Final = "checkpoint_blobs"
WRITES: Final = "checkpoint_writes"
MIGRATIONS: Final = "checkpoint_migrations"
TABLES: Final = (CHECKPOINTS, BLOBS, WRITES, MIGRATIONS, STORE)

COLUMNS: Final = """
    SELECT t.name, a.attname, pg_catalog.format_type(a.atttypid, NULL)
    FROM unnest(%s::text[]) AS t(name)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = to_regclass(t.name)
    WHERE a.attnum > 0 AND NOT a.attisdropped
"""
VERSION: Final = f"SELECT max(v) FROM {MIGRATIONS}"  # noqa: S608 (ours)
SIZE: Final = """
    SELECT COALESCE(sum(pg_total_relation_size(to_regclass(name))), 0)::bigint
    FROM unnest(%s::text[]) AS t(name)
"""

_SENDS: Final = "'__pregel_tasks'"
_NEEDED: Final[Mapping[str, AbstractSet[str]]] = {
    CHECKPOINTS: frozenset({"thread_id", "checkpoint_ns", "checkpoint", "metadata"}),
    BLOBS: frozenset({"thread_id", "checkpoint_ns", "channel", "type", "blob"}),
    WRITES: frozenset(
        {
            *("thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx"),
            *("channel", "type", "blob"),
        }
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A way through a table by its key: what to select behind the key, and from what.

    The first columns of every row are the key: its `names`, and its types in `key`. They sort as
    Python does, which no index of the table may; `exact` are the same as the table has them.
    """

    table: str
    key: tuple[str, ...]
    names: tuple[str, ...]
    source: str
    columns: str
    more: str = ""
    exact: tuple[str, ...] = ()

    def rows(self, *, after: bool) -> str:
        """Return the statement for all rows, or with `after` for those behind a key."""
        inner = f"SELECT * FROM ({self.source}) AS plain {self._bounds(after=after)} OFFSET 0"  # noqa: S608 (ours)
        keys = ", ".join(f"c.{name}" for name in self.names)
        # Sorted are short rows: values come behind that, row by row.
        return f"SELECT {keys}, {self.columns} FROM ({inner}) AS c {self.more} ORDER BY {keys}"  # noqa: S608 (ours)

    def next(self, *, after: bool) -> str:
        """Return the statement for the key of the next row."""
        keys = ", ".join(self.names)
        return f"SELECT {keys} FROM ({self.source}) AS plain {self._bounds(after=after)} LIMIT 1"  # noqa: S608 (ours)

    def one(self) -> str:
        """Return the statement for the row of one key, which an index finds."""
        same = " AND ".join(f"c.{name} = %s::text" for name in self.exact)
        keys = ", ".join(f"c.{name}" for name in self.names)
        return f"SELECT {keys}, {self.columns} FROM ({self.source}) AS c {self.more} WHERE {same}"  # noqa: S608 (ours)

    def _bounds(self, *, after: bool) -> str:
        keys = ", ".join(self.names)
        values = ", ".join(f"%s::{kind}" for kind in self.key)
        where = f"WHERE ({keys}) > ({values})" if after else ""
        return f"{where} ORDER BY {keys}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What one database has: which generation, whether without history, and which tables."""

    generation: str
    is_shallow: bool
    has_path: bool
    has_store: bool

    def checkpoints(self) -> Walk:
        """Return the way through the checkpoints, with the values that stand apart from them.

        Older versions of a checkpoint have what the step before sent only in its writes.
        """
        id_ = "checkpoint ->> 'id'" if self.is_shallow else "checkpoint_id"
        parent = "NULL::text" if self.is_shallow else "parent_checkpoint_id"
        version = "" if self.is_shallow else "AND b.version = v.value"
        before = "w.checkpoint_id <> c.id" if self.is_shallow else "w.checkpoint_id = c.parent"
        return Walk(
            table=CHECKPOINTS,
            key=("text", "text", "text"),
            names=("t", "n", "i"),
            exact=("thread_id", "checkpoint_ns", "id"),
            source=(
                f'SELECT thread_id COLLATE "C" AS t, checkpoint_ns COLLATE "C" AS n, '  # noqa: S608 (ours)
                f"COALESCE({id_}, '') COLLATE \"C\" AS i, thread_id, checkpoint_ns, "
                f"{id_} AS id, {parent} AS parent, checkpoint, metadata FROM checkpoints"
            ),
            columns=(
                "c.parent, c.checkpoint::text, c.metadata::text, "
                "b.channels, b.types, b.blobs, s.types, s.blobs"
            ),
            more=f"""
                LEFT JOIN LATERAL (
                    SELECT array_agg(b.channel ORDER BY b.channel COLLATE "C") AS channels,
                        array_agg(b.type ORDER BY b.channel COLLATE "C") AS types,
                        array_agg(b.blob ORDER BY b.channel COLLATE "C") AS blobs
                    FROM jsonb_each_text(c.checkpoint -> 'channel_versions') AS v
                    JOIN {BLOBS} b ON b.thread_id = c.thread_id
                        AND b.checkpoint_ns = c.checkpoint_ns AND b.channel = v.key {version}
                ) AS b ON true
                LEFT JOIN LATERAL (
                    SELECT array_agg(w.type ORDER BY {self._order}) AS types,
                        array_agg(w.blob ORDER BY {self._order}) AS blobs
                    FROM {WRITES} w
                    WHERE c.checkpoint ->> 'v' IN ('1', '2', '3') AND w.thread_id = c.thread_id
                        AND w.checkpoint_ns = c.checkpoint_ns AND w.channel = {_SENDS}
                        AND {before}
                ) AS s ON true
            """,  # noqa: S608 (ours)
        )

    def writes(self) -> Walk:
        """Return the way through the pending writes; the last column tells whose are orphans."""
        own = "k.checkpoint ->> 'id'" if self.is_shallow else "k.checkpoint_id"
        path = "task_path" if self.has_path else "''"
        return Walk(
            table=WRITES,
            key=("text", "text", "text", "text", "int"),
            names=("t", "n", "i", "a", "x"),
            source=(
                f'SELECT thread_id COLLATE "C" AS t, checkpoint_ns COLLATE "C" AS n, '  # noqa: S608 (ours)
                f'checkpoint_id COLLATE "C" AS i, task_id COLLATE "C" AS a, idx AS x, '
                f"{path} AS path, channel, type, blob, "
                f"thread_id, checkpoint_ns, checkpoint_id FROM {WRITES}"
            ),
            columns=f"""
                c.path, c.channel, c.type, c.blob, NOT EXISTS (
                    SELECT 1 FROM checkpoints k WHERE k.thread_id = c.thread_id
                        AND k.checkpoint_ns = c.checkpoint_ns AND {own} = c.checkpoint_id
                )
            """,  # noqa: S608 (ours)
        )

    def threads(self) -> Walk:
        """Return the way through the threads, each with its first checkpoint."""
        id_ = "checkpoint ->> 'id'" if self.is_shallow else "checkpoint_id"
        return Walk(
            table=CHECKPOINTS,
            key=("text",),
            names=("t",),
            source=(
                "SELECT t, min(i) AS first FROM ("  # noqa: S608 (ours)
                f'SELECT thread_id COLLATE "C" AS t, {id_} COLLATE "C" AS i FROM checkpoints '
                f"UNION ALL SELECT thread_id, checkpoint_id FROM {WRITES}) AS every GROUP BY t"
            ),
            columns="c.first",
        )

    @property
    def _order(self) -> str:
        path = 'w.task_path COLLATE "C", ' if self.has_path else ""
        return f'{path}w.task_id COLLATE "C", w.idx'


def layout_of(columns: Mapping[str, Mapping[str, str]], version: int | None, place: str) -> Layout:
    """Tell how the tables are laid out; raise `NotFound` where they are not LangGraph's.

    `columns` has the type of each, by the names of the tables that the connection sees.
    """
    for table, needed in _NEEDED.items():
        missing = needed - columns.get(table, {}).keys()
        if missing or columns[CHECKPOINTS].get("checkpoint") != "jsonb":
            lacks = f"{table} has no {', '.join(sorted(missing))}" if table in columns else table
            message = (
                f"{place} has no checkpoints of LangGraph (missing: {lacks}): name the database of "
                "its saver, and the schema, if it is not public, with ?options=-csearch_path%3DNAME"
            )
            raise NotFound(message, code="no_source", place=place)
    own = columns[CHECKPOINTS]
    is_shallow = "checkpoint_id" not in own
    counted = "" if version is None else f"-v{version}"
    return Layout(
        generation=f"langgraph-postgres{'-shallow' if is_shallow else ''}{counted}",
        is_shallow=is_shallow,
        has_path="task_path" in columns[WRITES],
        has_store={"prefix", "key", "value"} <= columns.get(STORE, {}).keys(),
    )
