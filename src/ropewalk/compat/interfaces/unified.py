"""`IUnifiedStorage` and `IStorageFactory`: one storage for every type of record, and its maker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, List, Optional, TypeAlias  # noqa: UP035 (`list` is a method here)

Row: TypeAlias = Dict[str, Any]  # noqa: UP006 (as above)
Rows: TypeAlias = List[Row]  # noqa: UP006


class IUnifiedStorage(ABC):
    """Keeps records as dictionaries: `id`, `type`, `data`, and what `StorageData` has beside it."""

    @abstractmethod
    async def save(self, data: Row) -> str:
        """Write a record, new or not, and return the id under which it is kept."""

    @abstractmethod
    async def load(self, id: str) -> Optional[Row]:  # noqa: UP045 (as the specification has it)
        """Return the record with this id, or `None`."""

    @abstractmethod
    async def update(self, id: str, updates: Row) -> bool:
        """Merge changes into a record; return False where there is none."""

    @abstractmethod
    async def delete(self, id: str) -> bool:
        """Remove a record; return whether it was there."""

    @abstractmethod
    async def list(self, filters: Row, limit: int | None = None) -> Rows:
        """Return the records that fulfil all filters; checkpoints newest first, others oldest."""

    @abstractmethod
    async def query(self, query: str, params: Row) -> Rows:
        """Answer a SELECT over the records of one type."""

    @abstractmethod
    async def exists(self, id: str) -> bool:
        """Tell whether there is a record with this id."""

    @abstractmethod
    async def count(self, filters: Row) -> int:
        """Count the records that fulfil all filters."""

    @abstractmethod
    async def transaction(self, operations: Rows) -> bool:
        """Do all operations, in order, or none.

        Each is a dictionary: `op` ("save", "update" or "delete"), `id`, `type`, `data` (the record
        to save, or the changes to merge) and `expected_version`.
        """


class IStorageFactory(ABC):
    """Makes storages by the name of their type."""

    @abstractmethod
    def create_storage(self, storage_type: str, config: Row) -> IUnifiedStorage:
        """Make a storage and open it."""

    @abstractmethod
    def register_storage(self, storage_type: str, storage_class: type) -> None:
        """Let `storage_type` name a class that is called with the configuration by keyword."""

    @abstractmethod
    def get_available_types(self) -> List[str]:  # noqa: UP006
        """Return the names of all types."""
