"""Where settings come from: files, the environment and tables; each by itself, with its origin."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote, unquote

from .domain.address import PATHS, Option, parsed
from .domain.errors import Invalid
from .domain.leaning import DEFAULT_SIZE
from .domain.policy import from_names
from .domain.spelling import closest, did_you_mean

ARGUMENT: Final = "argument"

VALUES: Final = ("url", "space", "actor", "codecs", "layers", "keep_feed", "dictionary")
SECTIONS: Final = ("backend", "layer", "plugins")
POLICY: Final = "policy"
ROOMS: Final = ("backends", "layers", "codecs", "sources")
PREFIX: Final = "ROPEWALK_"
_FILE: Final = "ropewalk.toml"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value under its dotted key, where it stands, and how much it counts."""

    key: str
    value: object
    origin: str
    rank: int = 0


def wrong(origin: str, key: str, wanted: str, value: object) -> Invalid:
    """Make the error for a value of another type than `key` has."""
    message = f"{origin}: {key} must be {wanted}, not {type(value).__name__}"
    return Invalid(message, code="bad_type", field=key, origin=origin)


def _unknown(origin: str, name: str, known: Iterable[str]) -> Invalid:
    message = f"{origin}: unknown key {name!r}; {did_you_mean(name, known)}"
    return Invalid(message, code="unknown_key", field=name, origin=origin)


def names_of(value: object, origin: str, key: str) -> tuple[str, ...]:
    """Return a list of names, no two alike; raise `Invalid` for anything else."""
    if not isinstance(value, list | tuple):
        raise wrong(origin, key, "a list of names", value)
    names = cast("Sequence[object]", value)
    for name in names:
        if not isinstance(name, str):
            raise wrong(origin, key, "a list of names", name)
    if len(set(names)) < len(names):
        message = f"{origin}: {key} names one of them twice: {', '.join(map(str, names))}"
        raise Invalid(message, code="duplicate", field=key, origin=origin)
    return tuple(cast("Sequence[str]", names))


def size_of(value: object, origin: str, key: str) -> int:
    """Return a number of bytes, 0 for false, the usual one for true; raise `Invalid` for others."""
    if isinstance(value, bool):
        return DEFAULT_SIZE if value else 0
    if not isinstance(value, int):
        raise wrong(origin, key, "true, false, or a number of bytes", value)
    return value


def option_of(value: object, origin: str, key: str) -> Option:
    """Return what may be an option; raise `Invalid` for anything else."""
    if not isinstance(value, str | int | float | bool):
        raise wrong(origin, key, "text, a number, true or false", value)
    return value


def _table(value: object, origin: str, key: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise wrong(origin, key, "a table", value)
    return cast("Mapping[str, object]", value)


def settings_in(mapping: Mapping[str, object], origin: str) -> Iterator[Setting]:
    """Take settings apart as they stand in a file: each value and each option by itself."""
    others = dict(mapping)
    yield from _policies(others.pop(POLICY, {}), origin)
    for key, value in others.items():
        if key in SECTIONS:
            for name, content in _table(value, origin, key).items():
                if key == "plugins" and name not in ROOMS:
                    raise _unknown(origin, f"plugins.{name}", [f"plugins.{r}" for r in ROOMS])
                section = f"{key}.{name}"
                for item, option in _table(content, origin, section).items():
                    full = f"{section}.{item}"
                    if key == "plugins" and not isinstance(option, str):
                        raise wrong(origin, full, "'module:Class'", option)
                    yield Setting(full, option_of(option, origin, full), origin)
        elif key in ("codecs", "layers"):
            yield Setting(key, names_of(value, origin, key), origin)
        elif key in VALUES:
            yield Setting(key, _value(value, origin, key), origin)
        else:
            raise _unknown(origin, key, (*VALUES, *SECTIONS, POLICY))


def _value(value: object, origin: str, key: str) -> object:
    if key == "dictionary":
        return size_of(value, origin, key)
    if not isinstance(value, str):
        raise wrong(origin, key, "text", value)
    return value


def _policies(table: object, origin: str) -> Iterator[Setting]:
    for kind, content in _table(table, origin, POLICY).items():
        key = f"{POLICY}.{kind}"
        yield Setting(key, from_names(content, field=f"{origin}: {key}"), origin)


def from_environment(environ: Mapping[str, str]) -> Iterator[Setting]:
    """Read `ROPEWALK_URL` and its like, and `ROPEWALK_BACKEND_<NAME>_<KEY>`, `.._LAYER_..`."""
    keys = (*VALUES, "config")
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or variable == f"{PREFIX}CONFIG":
            continue
        origin = f"environment {variable}"
        key = variable.removeprefix(PREFIX).lower()
        section, _, rest = key.partition("_")
        name, _, item = rest.partition("_")
        if key in ("codecs", "layers"):
            names = [part.strip() for part in text.split(",") if part.strip()]
            yield Setting(key, names_of(names, origin, key), origin)
        elif key in VALUES:
            value = parsed(text) if key == "dictionary" else text
            yield Setting(key, _value(value, origin, key), origin)
        elif section in ("backend", "layer"):
            if not name or not item:
                message = f"{origin}: write {PREFIX}{section.upper()}_<NAME>_<KEY>"
                raise Invalid(message, code="unknown_key", field=variable, origin=origin)
            yield Setting(f"{section}.{name}.{item}", parsed(text), origin)
        elif closest(key, keys, cutoff=0.65):
            # Others may have variables that begin like ours; one that looks misspelt is an error.
            raise _unknown(origin, variable, [f"{PREFIX}{name.upper()}" for name in keys])


@lru_cache(maxsize=8)
def _ours_in(project: bytes) -> object:
    """Return our table of a `pyproject.toml`; whoever opens a second store need not parse again."""
    return tomllib.loads(project.decode()).get("tool", {}).get("ropewalk")


def _read(path: Path, what: str) -> list[Setting] | None:
    """Return the settings in a file; `None` where there is none, or none of ours."""
    origin = f"{what} {path}"
    try:
        data = path.read_bytes()
        if path.name != "pyproject.toml":
            table: object = tomllib.loads(data.decode())
        elif b"ropewalk" not in data:
            return None
        else:
            table = deepcopy(_ours_in(data))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        message = f"{origin} cannot be read: {error}"
        raise Invalid(message, code="bad_config", field="file", origin=origin) from error
    if table is None:
        return None
    found = list(settings_in(_table(table, origin, "tool.ropewalk"), origin))
    return [_anchored(setting, path.absolute().parent) for setting in found]


def from_file(path: Path) -> list[Setting]:
    """Return the settings in a file that somebody named, so it must be there."""
    found = _read(path, "project file")
    if found is None:
        message = f"{path} was named as the configuration, but there are no settings there"
        raise Invalid(message, code="bad_config", field="file", origin=str(path))
    return found


def _anchored(setting: Setting, folder: Path) -> Setting:
    """Make a relative path in a file relative to that file, not to who reads it from where."""
    scheme, _, rest = str(setting.value).partition(":///")
    if setting.key != "url" or scheme not in PATHS or not rest or rest.startswith(("/", "?")):
        return setting
    path, mark, query = rest.partition("?")
    whole = quote(str(folder / unquote(path)), safe="/")
    return replace(setting, value=f"{scheme}:///{whole}{mark}{query}")


def here() -> Path | None:
    """Return the working directory, `None` where it was removed."""
    try:
        return Path.cwd()
    except FileNotFoundError:  # not an error here: who works in a removed folder has no project
        return None


def from_project(folder: Path | None) -> Sequence[Setting]:
    """Read the nearest file of a project, from `folder` upwards; nothing where there is none."""
    places = [] if folder is None else [folder.absolute(), *folder.absolute().parents]
    # Whose folders above are closed to us, theirs is not our project.
    for place in filter(lambda place: os.access(place, os.X_OK), places):
        for name in (_FILE, "pyproject.toml"):
            found = _read(place / name, "project file")
            if found is not None:
                return found
    return []


def from_user(environ: Mapping[str, str]) -> Sequence[Setting]:
    """Read `config.toml` in the place that the platform has for it (XDG where there is none)."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    if environ.get("XDG_CONFIG_HOME"):
        base: Path | None = Path(environ["XDG_CONFIG_HOME"])
    elif sys.platform == "win32":
        base = Path(environ["APPDATA"]) if environ.get("APPDATA") else None
    else:
        own = Path("Library", "Application Support") if sys.platform == "darwin" else ".config"
        base = Path(home) / own if home else None
    found = _read(base / "ropewalk" / "config.toml", "user file") if base else None
    return found or []
