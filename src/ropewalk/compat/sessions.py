"""`SessionStore`: the session store for programs that cannot await, and its old classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..domain.errors import Invalid
from ..domain.spelling import did_you_mean
from .adapters.sessions import SessionStorageAdapter
from .interfaces.sessions import ISessionStore
from .opening import opened_in, opened_in_memory, waited
from .storage import UnifiedStorage


class SessionStore(ISessionStore):
    """Sessions of a unified storage, from any thread, on a running event loop too."""

    def __init__(self, storage: UnifiedStorage) -> None:
        """Keep sessions in `storage`."""
        self.storage = storage
        self._adapter = SessionStorageAdapter(storage)

    def save_session(self, session_id: str, session_data: dict[str, Any]) -> bool:
        """Replace the whole document; return False where it was not written."""
        return waited(self._adapter.save_session(session_id, session_data))

    def get_session(self, session_id: str) -> dict[str, Any] | None:
        """Return the document, or `None` where there is none that can be read."""
        return waited(self._adapter.get_session(session_id))

    def delete_session(self, session_id: str) -> bool:
        """Remove the document; return whether it was there."""
        return waited(self._adapter.delete_session(session_id))

    def list_sessions(self) -> list[dict[str, Any]]:
        """Return a summary of each session: id, configuration, times and status."""
        return waited(self._adapter.list_sessions())

    def session_exists(self, session_id: str) -> bool:
        """Tell whether there is such a session."""
        return waited(self._adapter.session_exists(session_id))

    def close(self) -> None:
        """Close the store beneath."""
        waited(self.storage.close())


class FileSessionStore(SessionStore):
    """Sessions in the file `ropewalk.db` of a folder; JSON files there are left alone."""

    def __init__(self, storage_path: str | Path) -> None:
        """Open the store in `storage_path`, which is made if need be."""
        super().__init__(opened_in(storage_path))


class MemorySessionStore(SessionStore):
    """Sessions that are gone at the end of the process."""

    def __init__(self) -> None:
        """Open a store of its own."""
        super().__init__(opened_in_memory())

    def clear(self) -> None:
        """Remove every session."""
        for summary in waited(self.storage.list({"type": "session"})):
            self.delete_session(summary["id"])


class SessionStoreFactory:
    """Makes session stores by the name of their type."""

    @staticmethod
    def create_store(store_type: str, **kwargs: Any) -> ISessionStore:  # noqa: ANN401 (per type)
        """Return a store: `file` takes `storage_path` (by default `./sessions`), `memory` nothing.

        Raises `StorageValidationError`, which is a `ValueError`, for another type.
        """
        if store_type == "file":
            return FileSessionStore(kwargs.get("storage_path", Path("./sessions")))
        if store_type == "memory":
            return MemorySessionStore()
        message = (
            f"unknown type of session store {store_type!r}; "
            f"{did_you_mean(store_type, ('file', 'memory'))}"
        )
        raise Invalid(message, code="unknown_name", field="store_type")
