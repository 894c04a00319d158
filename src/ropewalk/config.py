"""`Config`: which store and how, from arguments, the environment, files and defaults."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, cast

from .domain.address import Option, Options, redacted, split_url, without_secrets
from .domain.leaning import check_size
from .domain.policy import Policy
from .domain.record import DEFAULT_SPACE, check_name
from .domain.span import span
from .settings import (
    ARGUMENT,
    POLICY,
    PREFIX,
    ROOMS,
    SECTIONS,
    Setting,
    from_environment,
    from_file,
    from_project,
    from_user,
    here,
    names_of,
    option_of,
    settings_in,
    wrong,
)

DEFAULT: Final = "default"


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
    commits are told ("30d"), without one for ever. `dictionary` is the most bytes of what small
    bodies are compressed with, 0 for nothing. `plugins` has classes ("module:Class") by room
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
    dictionary: int = 0
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
        check_size(self.dictionary)
        names_of(self.codecs, ARGUMENT, "codecs")
        names_of([layer.name for layer in self.layers], ARGUMENT, "layers")
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
        named = file or environ.get(f"{PREFIX}CONFIG")
        sources: list[Iterable[Setting]] = [
            from_user(environ),
            from_file(Path(named)) if named else from_project(folder or here()),
            from_environment(environ),
            [] if url is None else [Setting("url", url, ARGUMENT)],
        ]
        settings: dict[str, Setting] = {}
        for rank, source in enumerate(sources):
            settings.update((setting.key, replace(setting, rank=rank)) for setting in source)
        return _build(settings)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], *, origin: str = "mapping") -> Config:
        """Read settings as they would stand in a file; raise `Invalid`, naming `origin`."""
        return _build({setting.key: setting for setting in settings_in(mapping, origin)})

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
            values["codecs"] = names_of(codecs, ARGUMENT, "codecs")
        if layers is not None:
            values["layers"] = tuple(self._layer(layer) for layer in layers)
        origins = {**self.origins, **dict.fromkeys(values, ARGUMENT)}
        if options:
            for name, value in options.items():
                option_of(value, ARGUMENT, f"options.{name}")
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
            raise wrong(ARGUMENT, "layers", "names", layer)
        present = {known.name: known for known in self.layers}
        return present.get(layer, LayerConfig(layer))


def _build(settings: Mapping[str, Setting]) -> Config:
    """Put settings together, once it is clear which of them count."""
    values: dict[str, object] = {}
    origins = {key: setting.origin for key, setting in settings.items()}
    sections: dict[str, dict[str, Option]] = {}
    policies: dict[str, Policy] = {}
    for key, setting in settings.items():
        if key.startswith(f"{POLICY}."):
            policies[key.removeprefix(f"{POLICY}.")] = cast("Policy", setting.value)
        elif key.partition(".")[0] in SECTIONS:
            section, _, name = key.rpartition(".")
            sections.setdefault(section, {})[name] = cast("Option", setting.value)
        elif key not in ("url", "layers"):
            values[key] = setting.value
    used = {f"plugins.{room}" for room in ROOMS}
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
            {room: sections[f"plugins.{room}"] for room in ROOMS if f"plugins.{room}" in sections},
        ),
        policies=policies,
        idle=tuple(sorted(sections.keys() - used)),
        origins=origins,
    )
