"""`open`: the one place that knows concrete classes, and puts a store together out of them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar, cast

from . import backends, codecs, layers, sources
from .codecs.allowlist import Opaque, register_type
from .codecs.foreign import ForeignValues
from .codecs.pipeline import make_pipeline
from .codecs.serialize import MsgPack
from .config import Config, LayerConfig
from .domain.address import Option, Options, redacted
from .domain.clock import SystemClock
from .domain.errors import Corrupt, Invalid
from .domain.ports import Backend, Clock, Sealer
from .domain.schema import Schema, Schemed
from .domain.source import Source
from .domain.span import span
from .domain.spelling import did_you_mean
from .layers.leaning import LeaningLayer
from .layers.metrics import MetricsLayer
from .layers.switch import SwitchLayer
from .registry import Registry
from .services.dictionaries.bodies import Bodies, is_whole
from .services.storage import Storage
from .sources.ropewalk import RopewalkSource

__all__ = [
    "Opening",
    "available_backends",
    "open",
    "open_source",
    "register_backend",
    "register_layer",
    "register_type",
    "schema_of",
    "source_of",
    "unfold",
]

_VERBS: Final = ("open", "close", "ping", "get", "apply", "scan", "tally", "feed")

_FOREIGN: Final = re.compile(r"(?P<writer>[a-z_]+):-?\d{1,3}")
"""The tag of an extension of MessagePack that another program wrote."""

_PLANNED: Final = frozenset({"postgres", "postgresql"})


class AddressedBackend(Backend, Protocol):
    """A backend that can be made from a URL: what can be registered under a scheme."""

    @classmethod
    def from_url(cls, url: str, *, clock: Clock, **options: Option) -> Backend:
        """Make the store that `url` names; raise `Invalid` for unknown options."""
        ...


BACKENDS: Final[Registry[AddressedBackend]] = Registry(
    "back end", backends.BUILTIN, group="ropewalk.backends", needs=("from_url", *_VERBS)
)
LAYERS: Final[Registry[Backend]] = Registry(
    "layer", layers.BUILTIN, group="ropewalk.layers", needs=_VERBS
)
CODECS: Final[Registry[object]] = Registry("codec", codecs.BUILTIN, group="ropewalk.codecs")
SOURCES: Final[Registry[Source]] = Registry(
    "source", sources.BUILTIN, group="ropewalk.sources", needs=("scan", "read")
)

T = TypeVar("T")


def register_backend(name: str, cls: type[AddressedBackend], *, replace: bool = False) -> None:
    """Add a back end for URLs that begin with `name://`, from now on, in the whole program.

    Raises `Invalid` for a class that lacks a verb or `from_url`, and `Conflict` for a name that
    is taken, unless `replace` says that this is meant.
    """
    BACKENDS.register(name, cls, replace=replace)


def register_layer(name: str, cls: type[Backend], *, replace: bool = False) -> None:
    """Add a layer that configurations may name, from now on, in the whole program.

    Its class takes the backend below, then its options by keyword. Raises `Invalid` for a class
    that lacks a verb, and `Conflict` for a name that is taken, unless `replace` says otherwise.
    """
    LAYERS.register(name, cls, replace=replace)


def available_backends() -> tuple[str, ...]:
    """Return the names of all back ends: built in, installed and registered."""
    return BACKENDS.names()


class Opening:
    """A storage that is about to be opened: `async with` it, or `await` it and close it."""

    def __init__(self, storage: Storage) -> None:
        """Hold what was put together; nothing is open yet."""
        self._storage = storage

    def __await__(self) -> Generator[Any, None, Storage]:
        """Open the storage and return it; whoever awaits it closes it."""
        return self._storage.open().__await__()

    async def __aenter__(self) -> Storage:
        """Open the storage."""
        return await self._storage.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the storage."""
        await self._storage.__aexit__(kind, error, trace)


def open(
    target: str | Config | None = None,
    *,
    backend: Backend | None = None,
    sealer: Sealer | None = None,
    clock: Clock | None = None,
    space: str | None = None,
    actor: str | None = None,
    codecs: Sequence[str] | None = None,
    layers: Sequence[str | LayerConfig] | None = None,
    options: Options | None = None,
) -> Opening:
    """Put a store together: `async with ropewalk.open("sqlite:///agent.db") as storage:`.

    `target` is a URL, or a whole `Config`; without one, the environment and the configuration
    files say which store is meant (`Config.load`). The other arguments count more than either.
    A program may bring its own `backend`, `sealer` and `clock`. Raises `Invalid` for a URL, a
    name or an option that is wrong, before anything is opened.
    """
    config = target if isinstance(target, Config) else Config.load(target)
    config = config.changed(space=space, actor=actor, codecs=codecs, layers=layers, options=options)
    _check_idle(config)
    used_clock = SystemClock() if clock is None else clock
    # A back end asks for the time in threads of its own: it gets a clock of its own, so that the
    # one that dates entities rises strictly.
    inner_clock = SystemClock() if clock is None else clock
    if backend is None:
        backend = _make_backend(config, inner_clock)
    elif target is not None and not (isinstance(target, Config) and target.url is None):
        message = "open a URL or a back end of your own, not both"
        raise Invalid(message, code="bad_target", field="backend")
    switch, counting, coat = _coated(backend, config)

    async def relocate(url: str) -> None:
        await switch.switch(_make_backend(Config(url=url, plugins=config.plugins), inner_clock))

    if sealer is None:
        sealer = make_pipeline(config.codecs, load=_with_plugins(CODECS, config, "codecs").load)
    if is_whole(sealer):
        sealer = bodies = Bodies(sealer, coat, size=config.dictionary, actor=config.actor)
        coat = LeaningLayer(coat, bodies)
    return Opening(
        Storage(
            coat,
            sealer,
            used_clock,
            space=config.space,
            actor=config.actor,
            relocate=relocate,
            keep_feed=span(config.keep_feed) if config.keep_feed else None,
            policies=config.policies,
            counters=None if counting is None else counting.snapshot,
        )
    )


def schema_of(target: str | Config | None = None) -> Schema:
    """Return the form of a store, to look at it or to bring it up to date; opens nothing.

    `target` is what `open` takes. Raises `Invalid` where the back end tells no form of its own.
    """
    config = target if isinstance(target, Config) else Config.load(target)
    backend = _make_backend(config, SystemClock())
    if not isinstance(backend, Schemed):
        message = (
            f"{redacted(config.url or '')}: this back end does not tell the form of its stores; "
            "ask whoever made it how they are brought up to date"
        )
        raise Invalid(message, code="unsupported", field="url")
    return backend.schema


def open_source(name: str, path: str | Path, **options: object) -> Source:
    """Return the source of this format that reads from `path`; raise `Invalid` for what is wrong.

    The options are those of the format.
    """
    cls = SOURCES.load(name)
    _check_options(cls, options, f"the source {name!r}")
    return cast("Callable[..., Source]", cls)(path, **options)


def source_of(storage: Storage) -> Source:
    """Return the space of an open store as a source: its records are copied sealed as they are."""
    return RopewalkSource(storage.migrations.backend, space=storage.space_name)


def unfold(value: object) -> tuple[str, object] | None:
    """Return the tag and the plain form of a value whose class is not registered in this program.

    For every other value returns `None`. What another program wrote in a form of its own is
    returned as bytes. Raises as reading a store does where the plain form is damaged.
    """
    if not isinstance(value, Opaque):
        return None
    foreign = _FOREIGN.fullmatch(value.tag)
    if foreign is None:
        return value.tag, MsgPack().loads(value.data)
    try:
        return value.tag, ForeignValues(foreign["writer"]).loads(value.data)
    except Corrupt:  # an extension may hold anything: it is shown as what it is
        return value.tag, value.data


def _make_backend(config: Config, clock: Clock) -> Backend:
    if config.url is None or config.scheme is None:
        message = (
            "no store is named: pass a URL, as in ropewalk.open('sqlite:///agent.db'), "
            "set ROPEWALK_URL, or write url = '...' into ropewalk.toml"
        )
        raise Invalid(message, code="no_url", field="url")
    registry = _with_plugins(BACKENDS, config, "backends")
    if config.scheme in _PLANNED and not registry.knows(config.scheme):
        message = (
            f"{redacted(config.url)}: this version of Ropewalk has no PostgreSQL back end yet; "
            "use sqlite:///, or install a distribution that brings one"
        )
        raise Invalid(message, code="unknown_name", field="url")
    cls = registry.load(config.scheme)
    return cls.from_url(config.url, clock=clock, **config.options)


def _coated(backend: Backend, config: Config) -> tuple[SwitchLayer, MetricsLayer | None, Backend]:
    """Put the configured layers round a backend; the switch always stands right above it.

    Return the switch, the layer that counts if there is one, and the outermost layer.
    """
    registry = _with_plugins(LAYERS, config, "layers")
    chosen = {layer.name: layer for layer in _in_order(config.layers)}
    inner = chosen.pop("switch", LayerConfig("switch"))
    switch = _make_layer(SwitchLayer, backend, inner)
    coat: Backend = switch
    counting: MetricsLayer | None = None
    for layer in reversed(chosen.values()):
        coat = _make_layer(registry.load(layer.name), coat, layer)
        if isinstance(coat, MetricsLayer):
            counting = coat
    return cast("SwitchLayer", switch), counting, coat


def _make_layer(cls: type[Backend], below: Backend, config: LayerConfig) -> Backend:
    _check_options(cls, config.options, f"the layer {config.name!r}")
    return cast("Callable[..., Backend]", cls)(below, **config.options)


def _in_order(chosen: Sequence[LayerConfig]) -> list[LayerConfig]:
    """Sort layers as the house has them; a layer from elsewhere stays inside the one before it."""
    place = -1
    places: list[int] = []
    for layer in chosen:
        if layer.name in layers.ORDER:
            place = layers.ORDER.index(layer.name)
        places.append(place)
    return [layer for _, layer in sorted(zip(places, chosen, strict=True), key=lambda p: p[0])]


def _check_options(cls: type, options: Mapping[str, object], what: str) -> None:
    """Raise `Invalid` for an option that is no keyword of the constructor."""
    parameters = inspect.signature(cls).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            message = f"{what} has no option {name!r}; {did_you_mean(name, known)}"
            raise Invalid(message, code="unknown_option", field=name)


def _check_idle(config: Config) -> None:
    """Raise `Invalid` for a section about a back end or a layer that there is not."""
    for section in config.idle:
        kind, _, name = section.partition(".")
        known: Registry[Any] = BACKENDS if kind == "backend" else LAYERS
        known = _with_plugins(known, config, f"{kind}s")
        if not known.knows(name):
            raise known.unknown(name)


def _with_plugins(registry: Registry[T], config: Config, room: str) -> Registry[T]:
    """Return the registry with the classes that the configuration brings."""
    table = config.plugins.get(room, {})
    return registry.extended(table, origin=f"plugins.{room}") if table else registry
