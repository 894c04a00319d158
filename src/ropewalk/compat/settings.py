"""`ConfigService`: the settings of a store, also out of the legacy program's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..domain.address import redacted
from ..services.old_settings import read_old_settings
from .opening import opened

if TYPE_CHECKING:
    from ..domain.legacy.settings import Understood
    from .storage import UnifiedStorage


class ConfigService:
    """Reads, checks and translates settings; opens the store that they name."""

    def load(self, path: str | Path | None = None) -> Config:
        """Return the settings there are: of a file, or found as `ropewalk.open` finds them.

        Raises `StorageValidationError`, naming the file and the key that is wrong.
        """
        return Config.load(file=path)

    def validate(self, settings: Mapping[str, Any]) -> Config:
        """Return settings as a configuration; raise `StorageValidationError` for a wrong one."""
        return Config.from_mapping(settings)

    def understand(self, path: str | Path, *, group: str | None = None) -> Understood:
        """Return what the legacy program's configuration means, and what it does not, and why."""
        return read_old_settings(path, group=group)

    def storage(self, config: Config | str) -> UnifiedStorage:
        """Open the store of a configuration or a URL; blocks until it is open."""
        return opened(config)

    def describe(self, config: Config) -> dict[str, Any]:
        """Return what a configuration says, without secrets."""
        return {
            "url": None if config.url is None else redacted(config.url),
            "space": config.space,
            "codecs": list(config.codecs),
            "layers": [layer.name for layer in config.layers],
        }
