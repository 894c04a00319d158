"""How the file is opened: by the one writer, who may create it, and by readers."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import apsw

from ...domain.errors import Unavailable
from . import functions
from .connection import Connection
from .patience import Patience

Sync: TypeAlias = Literal["normal", "full"]

PAGE_SIZE: Final = 4_096
_CACHE_KIBIBYTES: Final = 16_384
_WAL_BYTES_KEPT: Final = 64 * 1024 * 1024


def set_up(connection: Connection, path: str, *, sync: Sync, patience: Patience) -> None:
    """Bring the writer's connection into WAL mode with its settings.

    Raises `Unavailable` where the file system cannot share memory between processes.
    """
    if connection.integer("pragma page_count") == 0:
        connection.pragma("page_size", PAGE_SIZE)
        # Only an empty file takes it on: from then on each page is known by who points to it.
        connection.pragma("auto_vacuum", "incremental")
    mode = _write_ahead(connection, patience)
    if mode != "wal":
        message = (
            f"{path} cannot be used by several connections (journal mode {mode}): "
            "put it on a local disk"
        )
        raise Unavailable(message, code="no_wal", path=path)
    connection.pragma("synchronous", sync)
    connection.pragma("journal_size_limit", _WAL_BYTES_KEPT)
    _tune(connection)


def open_reader(path: str, patience: Patience) -> Connection:
    """Open one more connection to a file that is set up, for reading only."""
    connection = Connection(path, patience)
    connection.pragma("query_only", 1)
    _tune(connection)
    return connection


def _write_ahead(connection: Connection, patience: Patience) -> object:
    patience.begin()
    while True:
        try:
            return connection.pragma("journal_mode", "wal")
        except apsw.BusyError:
            # SQLite does not ask the busy handler about this one lock.
            if not patience.goes_on():
                raise


def _tune(connection: Connection) -> None:
    connection.pragma("cache_size", -_CACHE_KIBIBYTES)
    connection.pragma("trusted_schema", 0)
    functions.register(connection)
