"""`ISessionStore`: sessions as whole documents, for programs that cannot await."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class ISessionStore(ABC):
    """Keeps each session as one JSON document."""

    @abstractmethod
    def save_session(self, session_id: str, session_data: dict[str, Any]) -> bool:
        """Replace the whole document; return False where it was not written."""

    @abstractmethod
    def get_session(self, session_id: str) -> dict[str, Any] | None:
        """Return the document, or `None` where there is none that can be read."""

    @abstractmethod
    def delete_session(self, session_id: str) -> bool:
        """Remove the document; return whether it was there."""

    @abstractmethod
    def list_sessions(self) -> list[dict[str, Any]]:
        """Return a summary of each session: id, configuration, times and status."""

    @abstractmethod
    def session_exists(self, session_id: str) -> bool:
        """Tell whether there is such a session."""
