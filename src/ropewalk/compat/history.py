"""`HistoryManager`: the history by its old name."""

from __future__ import annotations

from .adapters.history import HistoryStorageAdapter


class HistoryManager(HistoryStorageAdapter):
    """Records what was said, called, used and paid in a unified storage."""
