"""`Config`: which store and how, from arguments, the environment, files and defaults."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote, unquote

from .domain.address import (
    PATHS,
    Option,
    Options,
    parsed,
    redacted,
    split_url,
    without_secrets,
)
from .domain.errors import Invalid
from .domain.policy import Policy, from_names
from .domain.record import DEFAULT_SPACE, check_name
from .domain.span import span
from .domain.spelling import closest, did_you_mean

ARGUMENT: Final = "argument"
DEFAULT: Final = "default"

_VALUES: Final = ("url", "space", "actor", "codecs", "layers", "keep_feed")
_SECTIONS: Final = ("backend", "layer", "plugins")
_POLICY: Final = "policy"
_ROOMS: Final = ("backends", "layers", "codecs", "sources")
_PREFIX: Final = "ROPEWALK_"
_FILE: Final = "ropewalk.toml"


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """One layer to stand round the store, by name, and its options."""

    name: str
    options: Options = field(default_factory=dict[str, Option])

    def __repr__(self) -> str:
        """Write it without secrets."""
        return f"LayerConfig({self.name!r}, {without_secrets(self.options)})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Config:
    """Everything `ropewalk.open` needs to know.

    `url` names the store, without the options that stood behind its question mark; they are in
    `options`. `layers` stand round the store, in the order of the house. `keep_feed` is how long
    commits are told ("30d"), without one for ever. `plugins` has classes ("module:Class") by room
    and name, `policies` what decides where changes meet, by kind. `idle` are the sections that
    this url and these layers do not use.
    """

    url: str | None = None
    space: str = DEFAULT_SPACE
    actor: str = ""
    codecs: tuple[str, ...] = ("zstd", "crc32")
    layers: tuple[LayerConfig, ...] = (
        LayerConfig("logs"),
        LayerConfig("metrics"),
        LayerConfig("retry"),
    )
    keep_feed: str = ""
    options: Options = field(default_factory=dict[str, Option])
    plugins: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    policies: Mapping[str, Policy] = field(default_factory=dict[str, Policy])
    idle: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict[str, str], compare=False)

    def __post_init__(self) -> None:
        """Take the options off the URL, and refuse what no store could be opened with."""
        check_name(self.space, field="space")
        if self.keep_feed:
            span(self.keep_feed, field="keep_feed")
        _names(self.codecs, ARGUMENT, "codecs")
        _names([layer.name for layer in self.layers], ARGUMENT, "layers")
        if self.url is not None:
            url, options = split_url(self.url)
            object.__setattr__(self, "url", url)
            object.__setattr__(self, "options", {**options, **self.options})

    @classmethod
    def load(
        cls,
        url: str | None = None,
        *,
        file: str | Path | None = None,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Config:
        """Gather the settings there are: argument, environment, project file, user file, defaults.

        The project file is `file`, or the one that `ROPEWALK_CONFIG` names, or the nearest
        `ropewalk.toml` or `pyproject.toml` with a table `tool.ropewalk`, from `folder` (the
        working directory) upwards. Raises `Invalid`, naming the file and the key or the variable,
        for anything that is unknown, of the wrong type or unreadable.
        """
        environ = os.environ if environ is None else environ
        named = file or environ.get(f"{_PREFIX}CONFIG")
        sources: list[Iterable[_Setting]] = [
            _user_settings(environ),
            _required(Path(named)) if named else _project_settings(folder or _here()),
            _environment(environ),
            [] if url is None else [_Setting("url", url, ARGUMENT)],
        ]
        settings: dict[str, _Setting] = {}
        for rank, source in enumerate(sources):
            settings.update((setting.key, replace(setting, rank=rank)) for setting in source)
        return _build(settings)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], *, origin: str = "mapping") -> Config:
        """Read settings as they would stand in a file; raise `Invalid`, naming `origin`."""
        return _build({setting.key: setting for setting in _settings(mapping, origin)})

    def changed(
        self,
        *,
        space: str | None = None,
        actor: str | None = None,
        codecs: Sequence[str] | None = None,
        layers: Sequence[str | LayerConfig] | None = None,
        options: Options | None = None,
    ) -> Config:
        """Return the same configuration with some values set by the program.

        A layer given by name keeps the options that are configured for it; `options` are added to
        those of the backend.
        """
        values: dict[str, object] = {}
        if space is not None:
            values["space"] = space
        if actor is not None:
            values["actor"] = actor
        if codecs is not None:
            values["codecs"] = _names(codecs, ARGUMENT, "codecs")
        if layers is not None:
            values["layers"] = tuple(self._layer(layer) for layer in layers)
        origins = {**self.origins, **dict.fromkeys(values, ARGUMENT)}
        if options:
            for name, value in options.items():
                _option(value, ARGUMENT, f"options.{name}")
                origins[f"backend.{self.scheme}.{name}"] = ARGUMENT
            values["options"] = {**self.options, **options}
        return replace(self, origins=origins, **values)  # type: ignore[arg-type]

    @property
    def scheme(self) -> str | None:
        """The name of the backend: what stands before `://`."""
        return self.url.partition("://")[0] if self.url else None

    def origin(self, key: str) -> str:
        """Say where a value comes from: `url`, `layer.retry.attempts`, `backend.sqlite.<key>`."""
        return self.origins.get(key, DEFAULT)

    def __repr__(self) -> str:
        """Write the configuration without secrets."""
        url = None if self.url is None else redacted(self.url)
        return (
            f"Config(url={url!r}, space={self.space!r}, actor={self.actor!r}, "
            f"codecs={self.codecs!r}, layers={self.layers!r}, "
            f"options={without_secrets(self.options)}, plugins={dict(self.plugins)!r})"
        )

    def _layer(self, layer: object) -> LayerConfig:
        if isinstance(layer, LayerConfig):
            return layer
        if not isinstance(layer, str):
            raise _wrong(ARGUMENT, "layers", "names", layer)
        present = {known.name: known for known in self.layers}
        return present.get(layer, LayerConfig(layer))


@dataclass(frozen=True, slots=True)
class _Setting:
    """One value under its dotted key, where it stands, and how much it counts."""

    key: str
    value: object
    origin: str
    rank: int = 0


def _wrong(origin: str, key: str, wanted: str, value: object) -> Invalid:
    message = f"{origin}: {key} must be {wanted}, not {type(value).__name__}"
    return Invalid(message, code="bad_type", field=key, origin=origin)


def _unknown(origin: str, name: str, known: Iterable[str]) -> Invalid:
    message = f"{origin}: unknown key {name!r}; {did_you_mean(name, known)}"
    return Invalid(message, code="unknown_key", field=name, origin=origin)


def _names(value: object, origin: str, key: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong(origin, key, "a list of names", value)
    names = cast("Sequence[object]", value)
    for name in names:
        if not isinstance(name, str):
            raise _wrong(origin, key, "a list of names", name)
    if len(set(names)) < len(names):
        message = f"{origin}: {key} names one of them twice: {', '.join(map(str, names))}"
        raise Invalid(message, code="duplicate", field=key, origin=origin)
    return tuple(cast("Sequence[str]", names))


def _option(value: object, origin: str, key: str) -> Option:
    if not isinstance(value, str | int | float | bool):
        raise _wrong(origin, key, "text, a number, true or false", value)
    return value


def _table(value: object, origin: str, key: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _wrong(origin, key, "a table", value)
    return cast("Mapping[str, object]", value)


def _settings(mapping: Mapping[str, object], origin: str) -> Iterator[_Setting]:
    """Take settings apart as they stand in a file: each value and each option by itself."""
    others = dict(mapping)
    yield from _policies(others.pop(_POLICY, {}), origin)
    for key, value in others.items():
        if key in _SECTIONS:
            for name, content in _table(value, origin, key).items():
                if key == "plugins" and name not in _ROOMS:
                    raise _unknown(origin, f"plugins.{name}", [f"plugins.{r}" for r in _ROOMS])
                section = f"{key}.{name}"
                for item, option in _table(content, origin, section).items():
                    full = f"{section}.{item}"
                    if key == "plugins" and not isinstance(option, str):
                        raise _wrong(origin, full, "'module:Class'", option)
                    yield _Setting(full, _option(option, origin, full), origin)
        elif key in ("codecs", "layers"):
            yield _Setting(key, _names(value, origin, key), origin)
        elif key in _VALUES:
            if not isinstance(value, str):
                raise _wrong(origin, key, "text", value)
            yield _Setting(key, value, origin)
        else:
            raise _unknown(origin, key, (*_VALUES, *_SECTIONS, _POLICY))


def _policies(table: object, origin: str) -> Iterator[_Setting]:
    for kind, content in _table(table, origin, _POLICY).items():
        key = f"{_POLICY}.{kind}"
        yield _Setting(key, from_names(content, field=f"{origin}: {key}"), origin)


def _environment(environ: Mapping[str, str]) -> Iterator[_Setting]:
    """Read `ROPEWALK_URL` and its like, and `ROPEWALK_BACKEND_<NAME>_<KEY>`, `.._LAYER_..`."""
    keys = (*_VALUES, "config")
    for variable, text in sorted(environ.items()):
        if not variable.startswith(_PREFIX) or variable == f"{_PREFIX}CONFIG":
            continue
        origin = f"environment {variable}"
        key = variable.removeprefix(_PREFIX).lower()
        section, _, rest = key.partition("_")
        name, _, item = rest.partition("_")
        if key in ("codecs", "layers"):
            names = [part.strip() for part in text.split(",") if part.strip()]
            yield _Setting(key, _names(names, origin, key), origin)
        elif key in _VALUES:
            yield _Setting(key, text, origin)
        elif section in ("backend", "layer"):
            if not name or not item:
                message = f"{origin}: write {_PREFIX}{section.upper()}_<NAME>_<KEY>"
                raise Invalid(message, code="unknown_key", field=variable, origin=origin)
            yield _Setting(f"{section}.{name}.{item}", parsed(text), origin)
        elif closest(key, keys, cutoff=0.65):
            # Others may have variables that begin like ours; one that looks misspelt is an error.
            raise _unknown(origin, variable, [f"{_PREFIX}{name.upper()}" for name in keys])


def _read(path: Path, what: str) -> list[_Setting] | None:
    """Return the settings in a file; `None` where there is none, or none of ours."""
    origin = f"{what} {path}"
    try:
        data = path.read_bytes()
        if path.name != "pyproject.toml":
            table: object = tomllib.loads(data.decode())
        elif b"ropewalk" not in data:
            return None
        else:
            table = tomllib.loads(data.decode()).get("tool", {}).get("ropewalk")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        message = f"{origin} cannot be read: {error}"
        raise Invalid(message, code="bad_config", field="file", origin=origin) from error
    if table is None:
        return None
    found = list(_settings(_table(table, origin, "tool.ropewalk"), origin))
    return [_anchored(setting, path.absolute().parent) for setting in found]


def _required(path: Path) -> list[_Setting]:
    """Return the settings in a file that somebody named, so it must be there."""
    found = _read(path, "project file")
    if found is None:
        message = f"{path} was named as the configuration, but there are no settings there"
        raise Invalid(message, code="bad_config", field="file", origin=str(path))
    return found


def _anchored(setting: _Setting, folder: Path) -> _Setting:
    """Make a relative path in a file relative to that file, not to who reads it from where."""
    scheme, _, rest = str(setting.value).partition(":///")
    if setting.key != "url" or scheme not in PATHS or not rest or rest.startswith(("/", "?")):
        return setting
    path, mark, query = rest.partition("?")
    whole = quote(str(folder / unquote(path)), safe="/")
    return replace(setting, value=f"{scheme}:///{whole}{mark}{query}")


def _here() -> Path | None:
    try:
        return Path.cwd()
    except FileNotFoundError:  # not an error here: who works in a removed folder has no project
        return None


def _project_settings(folder: Path | None) -> Sequence[_Setting]:
    places = [] if folder is None else [folder.absolute(), *folder.absolute().parents]
    # Whose folders above are closed to us, theirs is not our project.
    for place in filter(lambda place: os.access(place, os.X_OK), places):
        for name in (_FILE, "pyproject.toml"):
            found = _read(place / name, "project file")
            if found is not None:
                return found
    return []


def _user_settings(environ: Mapping[str, str]) -> Sequence[_Setting]:
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


def _build(settings: Mapping[str, _Setting]) -> Config:
    """Put settings together, once it is clear which of them count."""
    values: dict[str, object] = {}
    origins = {key: setting.origin for key, setting in settings.items()}
    sections: dict[str, dict[str, Option]] = {}
    policies: dict[str, Policy] = {}
    for key, setting in settings.items():
        if key.startswith(f"{_POLICY}."):
            policies[key.removeprefix(f"{_POLICY}.")] = cast("Policy", setting.value)
        elif key.partition(".")[0] in _SECTIONS:
            section, _, name = key.rpartition(".")
            sections.setdefault(section, {})[name] = cast("Option", setting.value)
        elif key not in ("url", "layers"):
            values[key] = setting.value
    used = {f"plugins.{room}" for room in _ROOMS}
    if "space" in values:
        check_name(values["space"], field=f"space ({origins['space']})")
    url = settings.get("url")
    if url is not None:
        said = "" if url.origin == ARGUMENT else url.origin
        values["url"], query = split_url(str(url.value), origin=said)
        section = f"backend.{str(values['url']).partition('://')[0]}"
        used.add(section)
        options = sections.setdefault(section, {})
        for name, value in query.items():
            beside = settings.get(f"{section}.{name}")
            if beside is None or beside.rank < url.rank:
                options[name] = value
                origins[f"{section}.{name}"] = url.origin
        values["options"] = options
    if "layers" in settings:
        names = cast("tuple[str, ...]", settings["layers"].value)
    else:
        names = tuple(layer.name for layer in Config().layers)
    used |= {f"layer.{name}" for name in names}
    return Config(
        **values,  # type: ignore[arg-type]
        layers=tuple(LayerConfig(n, sections.get(f"layer.{n}", {})) for n in names),
        plugins=cast(
            "dict[str, dict[str, str]]",
            {room: sections[f"plugins.{room}"] for room in _ROOMS if f"plugins.{room}" in sections},
        ),
        policies=policies,
        idle=tuple(sorted(sections.keys() - used)),
        origins=origins,
    )
