"""One SQLite file: one writer thread with group commit, a few readers, WAL."""

from .engine import SqliteBackend

__all__ = ["SqliteBackend"]
