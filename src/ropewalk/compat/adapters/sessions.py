"""`SessionStorageAdapter`: sessions as documents in a unified storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..answers import read, wrote
from .rows import Shelf

if TYPE_CHECKING:
    from ..interfaces.unified import IUnifiedStorage


class SessionStorageAdapter:
    """The session store for those who await; `SessionStore` is the one for those who cannot."""

    def __init__(self, storage: IUnifiedStorage) -> None:
        """Keep sessions in `storage`."""
        self.storage = storage
        self._shelf = Shelf(storage, "session")

    async def save_session(self, session_id: str, session_data: dict[str, Any]) -> bool:
        """Replace the whole document; return False where it was not written."""
        return await wrote(self._shelf.save(session_id, session_data), f"session {session_id!r}")

    async def get_session(self, session_id: str) -> dict[str, Any] | None:
        """Return the document, or `None` where there is none that can be read."""
        row = await read(self._shelf.find(session_id), f"session {session_id!r}", otherwise=None)
        return row["data"] if row else None

    async def delete_session(self, session_id: str) -> bool:
        """Remove the document; return whether it was there."""
        what = f"session {session_id!r}"
        return await read(self._shelf.remove(session_id), what, otherwise=False)

    async def list_sessions(self) -> list[dict[str, Any]]:
        """Return a summary of each session: id, configuration, times and status."""
        return [_summary(row["id"], row["data"]) for row in await self._shelf.all()]

    async def session_exists(self, session_id: str) -> bool:
        """Tell whether there is such a session."""
        what = f"session {session_id!r}"
        return await read(self._shelf.count(id=session_id), what, otherwise=0) > 0


def _summary(id: str, document: dict[str, Any]) -> dict[str, Any]:
    """Return what a list shows, out of the part of a document where its generation kept it."""
    inner: object = document.get("context") or document.get("metadata")
    said = cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
    return {
        "session_id": said.get("session_id") or id,
        "workflow_config_path": said.get("workflow_config_path"),
        "created_at": said.get("created_at"),
        "updated_at": document.get("updated_at") or said.get("updated_at"),
        "status": said.get("status") or "unknown",
    }
