"""The old classes that keep what is known of threads."""

from __future__ import annotations

from pathlib import Path

from .adapters.threads import ThreadMetadataStore
from .opening import opened_in, opened_in_memory


class FileThreadMetadataStore(ThreadMetadataStore):
    """Threads in the file `ropewalk.db` of a folder; JSON files below it are left alone."""

    def __init__(self, storage_path: str | Path) -> None:
        """Open the store in `storage_path`, which is made if need be."""
        self.storage = opened_in(storage_path)
        super().__init__(self.storage)


class MemoryThreadMetadataStore(ThreadMetadataStore):
    """Threads that are gone at the end of the process."""

    def __init__(self) -> None:
        """Open a store of its own."""
        self.storage = opened_in_memory()
        super().__init__(self.storage)
