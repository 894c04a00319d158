"""`Registry`: names to classes, built in, installed or added at run time, loaded when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Final, Generic, TypeVar, cast

from .domain.errors import Conflict, Invalid
from .domain.spelling import did_you_mean

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

_PACKAGE: Final = "ropewalk"
_NAME: Final = re.compile(r"[a-z][a-z0-9+._-]*")
_PLACE: Final = re.compile(r"\.?\w+(\.\w+)*:\w+")


class Registry(Generic[T]):
    """Know the classes of one room by name, and load each when it is first asked for.

    A name is looked up among those registered at run time, then those of the configuration, then
    the built-in ones, then the entry points of installed distributions; so no distribution can
    take the place of what is built in. `needs` are the attributes that a class must have.
    """

    def __init__(
        self,
        what: str,
        builtin: Mapping[str, str],
        *,
        group: str,
        package: str = _PACKAGE,
        needs: Sequence[str] = (),
    ) -> None:
        """Know the built-in names; nothing is imported yet. `what` is the word for messages."""
        self._what = what
        self._builtin = builtin
        self._group = group
        self._package = package
        self._needs = tuple(needs)
        self._configured: Mapping[str, str] = {}
        self._origin = ""
        self._added: dict[str, type[T]] = {}
        self._loaded: dict[str, type[T]] = {}

    def register(self, name: str, cls: type[T], *, replace: bool = False) -> None:
        """Add a class under a name, from now on and for the whole program.

        Raises `Invalid` for a name that could not stand in a URL and for a class that lacks a
        method; `Conflict` for a name that is taken, unless `replace` says that this is meant.
        """
        if not _NAME.fullmatch(name):
            message = (
                f"{name!r} cannot be the name of a {self._what}: "
                "use lower-case letters, digits, '+', '-', '.' and '_', a letter first"
            )
            raise Invalid(message, code="bad_name", field="name")
        present = self._added.get(name)
        taken = name in self._builtin or (present is not None and present is not cls)
        if taken and not replace:
            message = (
                f"there is a {self._what} {name!r} already; choose another name, "
                "or pass replace=True to put yours in its place"
            )
            raise Conflict(message, code="name_taken", name=name)
        self._added[name] = self._checked(cls, name, f"{cls.__module__}:{cls.__qualname__}")

    def extended(self, table: Mapping[str, str], *, origin: str) -> Registry[T]:
        """Return a registry that knows names of a configuration too, and shares the rest.

        `table` has "module:Class" under each name; `origin` says where it was written.
        """
        for name, place in table.items():
            if name in self._builtin:
                message = (
                    f"{origin} names the {self._what} {name!r}, which is built in; "
                    "choose another name"
                )
                raise Invalid(message, code="name_taken", field=name)
            if not _PLACE.fullmatch(place) or place.startswith("."):
                message = f"{origin} must give 'module:Class' for {name!r}, not {place!r}"
                raise Invalid(message, code="bad_place", field=name)
        other: Registry[T] = Registry(
            self._what, self._builtin, group=self._group, package=self._package, needs=self._needs
        )
        other._added = self._added
        other._configured = dict(table)
        other._origin = origin
        return other

    def names(self) -> tuple[str, ...]:
        """Return every name there is now, sorted; installed distributions are asked anew."""
        installed = (point.name for point in self._installed())
        return tuple(sorted({*self._added, *self._configured, *self._builtin, *installed}))

    def knows(self, name: str) -> bool:
        """Tell whether there is such a name, without loading its class."""
        if name in self._added or name in self._configured or name in self._builtin:
            return True
        return any(point.name == name for point in self._installed())

    def load(self, name: str) -> type[T]:
        """Return the class of `name`, importing it now if it was not needed before.

        Raises `Invalid`: for an unknown name with the nearest one and all names; for a class that
        does not load, naming the distribution or the setting that promised it.
        """
        if name in self._added:
            return self._added[name]
        if name not in self._loaded:
            self._loaded[name] = self._find(name)
        return self._loaded[name]

    def _find(self, name: str) -> type[T]:
        if name in self._configured:
            place = self._configured[name]
            return self._import(name, place, f"{self._origin} ({place})")
        if name in self._builtin:
            place = f"{self._package}.{self._builtin[name].removeprefix('.')}"
            return self._import(name, place, f"the built-in {self._what} {name!r}")
        points = [point for point in self._installed() if point.name == name]
        if not points:
            raise self.unknown(name)
        makers = sorted({_distribution(point) for point in points})
        if len(makers) > 1:
            message = (
                f"the {self._what} {name!r} is promised by several distributions: "
                f"{', '.join(makers)}; uninstall all but one"
            )
            raise Invalid(message, code="ambiguous", name=name, distributions=makers)
        return self._import(name, points[0].value, f"the distribution {makers[0]!r}")

    def unknown(self, name: str) -> Invalid:
        """Make the error for a name that nobody knows."""
        message = f"there is no {self._what} {name!r}; {did_you_mean(name, self.names())}"
        return Invalid(message, code="unknown_name", field=self._what, name=name)

    def _import(self, name: str, place: str, promise: str) -> type[T]:
        module, _, attribute = place.partition(":")
        try:
            found: object = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except Exception as error:
            message = (
                f"{promise} should bring the {self._what} {name!r}, but {place} does not load: "
                f"{type(error).__name__}: {error}"
            )
            raise Invalid(message, code="broken_plugin", name=name, place=place) from error
        return self._checked(found, name, promise)

    def _checked(self, found: object, name: str, promise: str) -> type[T]:
        lacking = [need for need in self._needs if not callable(getattr(found, need, None))]
        if not isinstance(found, type) or lacking:
            reason = f"lacks {', '.join(lacking)}" if lacking else "is no class"
            message = f"{promise} brings a {self._what} {name!r} that {reason}; it cannot be used"
            raise Invalid(message, code="broken_plugin", name=name)
        return cast("type[T]", found)

    def _installed(self) -> Iterator[EntryPoint]:
        # Reading what is installed costs milliseconds: only for names that nobody else knows.
        from importlib.metadata import entry_points

        return iter(entry_points(group=self._group))


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
