"""`StorageFactory` and the factories of checkpoints, by their old names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from ..domain.errors import Invalid
from ..domain.spelling import did_you_mean
from ..factory import available_backends
from .adapters.checkpoints import CheckpointStorageAdapter, Serializer
from .checkpoints import CheckpointManager, MemoryCheckpointStore, SQLiteCheckpointStore
from .entities.checkpoints import CheckpointConfig
from .interfaces.unified import IStorageFactory, IUnifiedStorage, Row
from .opening import opened_as

_CONFIG: Final = "config"


class StorageFactory(IStorageFactory):
    """Makes unified storages of every type that Ropewalk has a back end for, and of others."""

    def __init__(self) -> None:
        """Begin with the types that there are."""
        self._registered: dict[str, type[IUnifiedStorage]] = {}

    def create_storage(self, storage_type: str, config: Row) -> IUnifiedStorage:
        """Open a storage and return it; blocks until it is open.

        Built-in types take `path` (what is on a disk), or a whole `url`, and `space`, `options`.
        Raises `StorageValidationError` for an unknown type or key.
        """
        cls = self._registered.get(storage_type)
        if cls is not None:
            return cls(**config)
        if storage_type in available_backends():
            return opened_as(storage_type, config)
        known = self.get_available_types()
        message = f"unknown type of storage {storage_type!r}; {did_you_mean(storage_type, known)}"
        raise Invalid(message, code="unknown_name", field="storage_type")

    def register_storage(self, storage_type: str, storage_class: type) -> None:
        """Let `storage_type` name a class, which is called with the configuration by keyword.

        Raises `StorageValidationError` for what is no `IUnifiedStorage`.
        """
        if not issubclass(storage_class, IUnifiedStorage):
            message = f"{storage_class.__name__} is no IUnifiedStorage: derive it from there"
            raise Invalid(message, code="bad_type", field="storage_class")
        self._registered[storage_type] = storage_class

    def get_available_types(self) -> list[str]:
        """Return the names of all types, sorted."""
        return sorted({*available_backends(), *self._registered})


class CheckpointStoreFactory:
    """Makes checkpoint stores by a configuration."""

    @staticmethod
    def create_store(
        config: CheckpointConfig | Mapping[str, Any] | None = None,
        serializer: Serializer | None = None,
    ) -> CheckpointStorageAdapter:
        """Open the store that a configuration names; raise `StorageValidationError` if it is wrong.

        Of a relative `db_path` the working directory is the root.
        """
        chosen = _config(config)
        if chosen.storage_type == "memory":
            return MemoryCheckpointStore(serializer)
        return SQLiteCheckpointStore(chosen.db_path, serializer)


class CheckpointManagerFactory:
    """Makes checkpoint managers with a store of their own."""

    @staticmethod
    def create_manager(
        config: CheckpointConfig | Mapping[str, Any] | None = None,
    ) -> CheckpointManager:
        """Open the store that a configuration names, and return its manager."""
        chosen = _config(config)
        return CheckpointManager(CheckpointStoreFactory.create_store(chosen), chosen)


class CheckpointFactory:
    """Makes checkpoint managers for the usual cases."""

    @staticmethod
    def create_from_config(config_dict: dict[str, Any]) -> CheckpointManager:
        """Return the manager of a configuration."""
        return CheckpointManagerFactory.create_manager(config_dict)

    @staticmethod
    def create_sqlite_manager(db_path: str, **kwargs: Any) -> CheckpointManager:  # noqa: ANN401
        """Return a manager that keeps checkpoints in a file."""
        values = {"storage_type": "sqlite", "db_path": db_path, **kwargs}
        return CheckpointManagerFactory.create_manager(values)

    @staticmethod
    def create_memory_manager(**kwargs: Any) -> CheckpointManager:  # noqa: ANN401 (by name)
        """Return a manager whose checkpoints are gone at the end of the process."""
        return CheckpointManagerFactory.create_manager({"storage_type": "memory", **kwargs})

    @staticmethod
    def create_test_manager() -> CheckpointManager:
        """Return a manager for tests: in memory, of few checkpoints, saving each time."""
        return CheckpointFactory.create_memory_manager(save_interval=1, max_checkpoints=10)

    @staticmethod
    def create_production_manager(db_path: str, **kwargs: Any) -> CheckpointManager:  # noqa: ANN401
        """Return a manager that keeps 1,000 checkpoints for each thread, and saves often."""
        values = {"save_interval": 3, "max_checkpoints": 1000, "retention_days": 90}
        return CheckpointFactory.create_sqlite_manager(
            db_path, **{**values, "compression": True, **kwargs}
        )


def _config(given: CheckpointConfig | Mapping[str, Any] | None) -> CheckpointConfig:
    if isinstance(given, CheckpointConfig):
        config = given
    else:
        values: Mapping[str, Any] = given or {}
        inner: object = values.get("checkpoint")
        config = CheckpointConfig.from_dict(
            dict(cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else values)
        )
    errors = config.validate()
    if errors:
        message = f"the configuration of checkpoints is wrong: {'; '.join(errors)}"
        raise Invalid(message, code="bad_config", field=_CONFIG)
    return config
