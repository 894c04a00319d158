"""`read_old_settings`: the legacy program's configuration, out of a file or a whole folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..domain.errors import Invalid, NotFound
from ..domain.legacy.settings import Understood, understand

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CHARACTERS: Final = 4 * 1024 * 1024
"""Longest file of settings, in characters."""

_SUFFIXES: Final = (".yaml", ".yml", ".json")


def read_old_settings(
    path: str | Path, *, group: str | None = None, environ: Mapping[str, str] | None = None
) -> Understood:
    """Read a YAML or JSON file, or every one of a folder, and return what it means for a store.

    Raises `NotFound` where there is none, and `Invalid`, naming the file, for one that cannot be
    read, or without a YAML reader (the extra `yaml`).
    """
    place = Path(path)
    files = sorted(f for f in place.rglob("*") if f.suffix in _SUFFIXES) if place.is_dir() else []
    if not files and not place.is_file():
        message = f"there are no settings at {place}: name a YAML or JSON file, or their folder"
        raise NotFound(message, path=str(place))
    documents = {str(file.relative_to(place)): _load(file) for file in files} or {
        place.name: _load(place)
    }
    return understand(documents, group=group, environ=os.environ if environ is None else environ)


def _load(file: Path) -> object:
    read = json.loads if file.suffix == ".json" else _yaml()
    try:
        with file.open(encoding="utf-8") as stream:
            text = stream.read(MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read: {error}"
        raise Invalid(message, code="bad_config", field="file") from error
    if len(text) > MAX_CHARACTERS:
        message = f"{file} is longer than {MAX_CHARACTERS} characters: these are no settings"
        raise Invalid(message, code="too_big", field="file")
    try:
        return read(text)
    except (ValueError, RecursionError) as error:
        message = f"{file} cannot be read: {error}"
        raise Invalid(message, code="bad_config", field="file") from error


def _yaml() -> Callable[[str], object]:
    """Return a reader of YAML that makes plain values only, and raises `ValueError`."""
    try:
        yaml = import_module("yaml")
    except ImportError as error:
        message = "reading YAML needs a package more: install ropewalk[yaml], or write JSON"
        raise Invalid(message, code="no_yaml", field="file") from error

    def load(text: str) -> object:
        try:
            found: object = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(str(error)) from error
        return found

    return load
