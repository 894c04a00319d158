"""Walk through a folder and tell by content what each file is; nothing is trusted by name alone."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from ...domain.errors import Corrupt
from ...domain.legacy.values import JsonObject, as_list, as_object
from ...domain.source import Problem
from ..databases import COMPANIONS, Database, columns, count, is_database, opened, pending
from ..text import damaged, load_document, place_of, problem_of

SESSION: Final = "session"
THREAD: Final = "thread"
HISTORY: Final = "history"
CHECKPOINTS: Final = "checkpoints"
GRAPHS: Final = "graph-checkpoints"
EVENTS: Final = "tui-events"
API_SESSIONS: Final = "api-sessions"
API_HISTORY: Final = "api-history"
RECOVERY: Final = "recovery-log"
AGENT_CHANGES: Final = "state-history"
AGENT_SNAPSHOTS: Final = "state-snapshots"
OLDER: Final = ("session-g1", "session-g2", "session-g3")

READ: Final = frozenset(
    {
        *(SESSION, *OLDER, API_SESSIONS, EVENTS, THREAD, HISTORY, API_HISTORY, CHECKPOINTS),
        *(AGENT_CHANGES, AGENT_SNAPSHOTS, RECOVERY),
    }
)
"""The formats that are read; every other one is recognised, counted and told."""

REASONS: Final = {
    GRAPHS: "checkpoints of graphs; as a source of their own they are read: --from langgraph FILE",
    "graph-writes": "pending writes of graphs, which come with those checkpoints",
    "leftover": "a file that a writer left behind when it was interrupted",
    "pickle": "a pickle, which is never opened: reading it could run code",
    "symlink": "a symbolic link; name the folder that it points to as a source of its own",
    "unknown": "not a format of the legacy program",
}

_FOREIGN_FOLDERS: Final = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
_MONTH: Final = re.compile(r"\d{6}|invalid")
_GRAPH_TABLES: Final = frozenset({"checkpoint", "metadata", "thread_id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One file (or one table in it) of a known format.

    `items` is how many things it holds, where that is known without reading it through. `id` and
    `parent` are those of a thread, `parts` counts what else is to be had from a document.
    """

    format: str
    path: Path
    place: str
    size: int = 0
    items: int = 1
    reason: str = ""
    id: str | None = None
    parent: str | None = None
    parts: dict[str, int] = field(default_factory=dict[str, int])


Sight: TypeAlias = Found | Problem


def survey(root: Path) -> Iterator[Sight | None]:
    """Go through the files below `root` in a fixed order; `None` where there is nothing to tell.

    Folders whose name begins with a dot, and those that package managers fill, are not entered.
    Symbolic links are not followed.
    """
    blocked: list[OSError] = []
    for folder, folders, names in os.walk(root, onerror=blocked.append):
        for name in sorted(folders):
            if Path(folder, name).is_symlink():
                yield _plain("symlink", Path(folder, name), root)
        folders[:] = sorted(f for f in folders if f[0] != "." and f not in _FOREIGN_FOLDERS)
        for name in sorted(names):
            yield from _sight(Path(folder, name), root)
            yield None
        while blocked:
            yield _blocked(blocked.pop(), Path(folder), root)


def _blocked(error: OSError, path: Path, root: Path) -> Problem:
    path = Path(os.fsdecode(error.filename)) if error.filename else path
    reason = f"cannot be read: {error.strerror or error}"
    return Problem(code="unreadable", place=place_of(path, root), reason=reason)


def _sight(path: Path, root: Path) -> Iterator[Sight]:
    try:
        if path.is_symlink():
            yield _plain("symlink", path, root)
        elif not path.is_file():
            yield _plain("unknown", path, root, "not a file")
        elif (look := _BY_SUFFIX.get(path.suffix)) is not None:
            yield look(path, root)
        elif path.name.endswith("_recovery.log"):
            yield _plain(RECOVERY, path, root)
        elif not is_database(path):
            # Companions are counted with their database.
            if not _is_companion(path):
                yield _plain("unknown", path, root)
        else:
            yield from _database(path, root)
    except OSError as error:
        yield _blocked(error, path, root)


def _plain(format: str, path: Path, root: Path, reason: str = "") -> Found:
    size = path.lstat().st_size
    text = reason or REASONS.get(format, "")
    return Found(format=format, path=path, place=place_of(path, root), size=size, reason=text)


def _lines(path: Path, root: Path) -> Found:
    """Tell the two trees of JSON lines apart by the folders above, which is all they differ in."""
    folders = path.resolve().parent
    month = bool(_MONTH.fullmatch(folders.name))
    if month and folders.parent.name == "sessions":
        return _plain(HISTORY, path, root)
    if month and folders.parent.name == "history":
        return _plain(API_HISTORY, path, root)
    return _plain("unknown", path, root)


def _is_companion(path: Path) -> bool:
    return any(
        path.name.endswith(suffix) and path.with_name(path.name.removesuffix(suffix)).is_file()
        for suffix in (*COMPANIONS, "-shm")
    )


def _pickle(path: Path, root: Path) -> Found:
    return _plain("pickle", path, root)


def _remains(path: Path, root: Path) -> Found:
    finished = path.with_suffix(".json")
    if finished.is_file():
        return _plain("leftover", path, root, f"{REASONS['leftover']}; {finished.name} is there")
    try:
        format = document_format(load_document(path))
    except Corrupt as error:
        told = f"{REASONS['leftover']}; there is no {finished.name} ({error.message})"
        return _plain("leftover", path, root, told)
    told = f"{REASONS['leftover']}; there is no {finished.name}, and it is a whole {format}"
    return _plain("leftover", path, root, f"{told}: rename it to read it")


def _document(path: Path, root: Path) -> Sight:
    place = place_of(path, root)
    try:
        document = load_document(path)
    except Corrupt as error:
        return problem_of(error, place)
    format = document_format(document)
    size = path.stat().st_size
    if format == SESSION:
        parts = {"interaction": len(as_list(document.get("interactions")) or ())}
        return Found(format=format, path=path, place=place, size=size, parts=parts)
    if format == THREAD:
        return _thread(document, Found(format=format, path=path, place=place, size=size))
    if format == EVENTS:
        items = len(as_list(document.get("events")) or ())
        return Found(format=format, path=path, place=place, size=size, items=items)
    reason = REASONS.get(format, "")
    return Found(format=format, path=path, place=place, size=size, reason=reason)


def _thread(document: JsonObject, found: Found) -> Found:
    id, parent = document.get("thread_id"), fork_of(document).get("source_thread_id")
    parts: dict[str, int] = {}
    if isinstance(parent, str):
        parts["branch"] = 1
    if isinstance(everything(document).get("last_snapshot"), str):
        parts["snapshot"] = 1
    return replace(
        found,
        id=id if isinstance(id, str) else found.path.stem,
        parent=parent if isinstance(parent, str) else None,
        parts=parts,
    )


def everything(document: JsonObject) -> JsonObject:
    """Return the metadata of a thread's file: the nested one, and every key at the top."""
    return {**document, **(as_object(document.get("metadata")) or {})}


def fork_of(document: JsonObject) -> JsonObject:
    """Return what a thread's file tells of the fork that it came from; empty if it is none.

    `branch_info` has the last word; without it the marks in the metadata remain.
    """
    metadata = everything(document)
    info = as_object(metadata.get("branch_info"))
    if info is None and metadata.keys().isdisjoint({"branch_name", "branch_type"}):
        return {}
    names = ("branch_id", "branch_name", "source_thread_id", "source_checkpoint_id")
    return {**{name: metadata[name] for name in names if name in metadata}, **(info or {})}


def document_format(document: JsonObject) -> str:
    """Tell which document of the legacy program this is, or `unknown`."""
    metadata = as_object(document.get("metadata")) or {}
    if as_object(document.get("context")) is not None and "interactions" in document:
        return SESSION
    if as_list(document.get("events")) is not None and "session_id" in document:
        return EVENTS
    if "thread_id" in document:
        return THREAD
    if "session_id" not in metadata or "state" not in document:
        return "unknown"
    if not metadata.keys().isdisjoint({"workflow_configs", "thread_info"}):
        return "session-g3"
    return "session-g1" if "workflow_config" in document else "session-g2"


_BY_SUFFIX: Final[Mapping[str, Callable[[Path, Path], Sight]]] = {
    ".json": _document,
    ".jsonl": _lines,
    ".pkl": _pickle,
    ".tmp": _remains,
}


def _database(path: Path, root: Path) -> Iterator[Sight]:
    place = place_of(path, root)
    try:
        with opened(path) as db:
            tables = columns(db)
            formats = {table: _table_format(table, tables[table]) for table in tables}
            counts = {
                table: _counted(db, table, formats[table])
                for table in tables
                if formats[table] not in {"", CHECKPOINTS}
            }
    except Corrupt as error:
        yield damaged(error, path, place)
        return
    size = path.stat().st_size
    size += sum(file.stat().st_size for file in pending(path))
    known = False
    for table, format in sorted(formats.items()):
        known |= bool(format)
        # The checkpoint store has the table of writes as well, but never writes to it.
        if format and (format != "graph-writes" or counts[table]):
            yield Found(
                format=format,
                path=path,
                place=f"{place}:{table}",
                size=0 if format == "graph-writes" else size,
                items=counts.get(table, 0),
                reason=REASONS.get(format, ""),
            )
    if not known:
        yield _plain("unknown", path, root, "a SQLite database of another program")


def _counted(db: Database, table: str, format: str) -> int:
    try:
        return count(db, table)
    except apsw.Error:
        if format not in READ:
            raise
        return 0  # what can be read of it is, and the damage is told then


def _table_format(table: str, columns: set[str]) -> str:
    if table == "checkpoints" and columns >= _GRAPH_TABLES:
        return CHECKPOINTS
    if table == "writes" and columns >= {"thread_id", "task_id", "channel"}:
        return "graph-writes"
    if table == "sessions" and columns >= {"session_id", "workflow_config_path"}:
        return API_SESSIONS
    if table == "state_history" and columns >= {"history_id", "state_diff"}:
        return AGENT_CHANGES
    if table == "snapshots" and columns >= {"snapshot_id", "domain_state"}:
        return AGENT_SNAPSHOTS
    return ""
