"""`TypeRegistry`: the only classes that a store writes and makes, and the tags they go by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeVar, overload

from ..domain.errors import Invalid
from ..domain.opaque import Opaque, check_tag
from . import known as libraries
from .containers import NATIVE
from .shapes import FromPlain, Shape, ToPlain, derive

__all__ = ["TYPES", "Opaque", "TypeRegistry", "check_tag", "register_type"]

T = TypeVar("T", bound=type)

_NO_READERS: Final[Mapping[str, FromPlain]] = MappingProxyType({})


class TypeRegistry:
    """Know which classes may be kept, and how each becomes plain and back.

    A registry knows its own classes and those of its `parent`; `known` lists classes of other
    libraries by tag as "module:Class", imported when first met. What was stored is never imported
    by its name: a tag that nobody registered is read as `Opaque`.
    """

    def __init__(
        self,
        parent: TypeRegistry | None = None,
        *,
        known: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Begin with what the parent knows."""
        self._parent = parent
        self._known = known
        self._by_class: dict[type, Shape] = {}
        self._readers: dict[str, FromPlain] = {}
        self._owners: dict[str, type] = {}

    @overload
    def register(
        self,
        cls: T,
        /,
        *,
        tag: str | None = None,
        to_plain: ToPlain | None = None,
        from_plain: FromPlain | None = None,
        former: Mapping[str, FromPlain | None] = ...,
    ) -> T: ...

    @overload
    def register(
        self,
        /,
        *,
        tag: str | None = None,
        to_plain: ToPlain | None = None,
        from_plain: FromPlain | None = None,
        former: Mapping[str, FromPlain | None] = ...,
    ) -> Callable[[T], T]: ...

    def register(
        self,
        cls: T | None = None,
        /,
        *,
        tag: str | None = None,
        to_plain: ToPlain | None = None,
        from_plain: FromPlain | None = None,
        former: Mapping[str, FromPlain | None] = _NO_READERS,
    ) -> T | Callable[[T], T]:
        """Allow a class; works as a decorator, with arguments and without.

        Enums, dataclasses, named tuples and pydantic models say themselves what they consist of;
        other classes need `to_plain` (to a value that can be kept) and `from_plain` (back), which
        may be called from any thread. `tag` is what stands in stored data, by default the
        qualified name: give one, and the class may move. `former` are tags of the past that this
        class reads too, each with its own way back, or `None` for the present one.

        Raises `Invalid` for a class that needs the two functions, and for a tag that is taken.
        """
        if cls is None:
            return partial(
                self.register, tag=tag, to_plain=to_plain, from_plain=from_plain, former=former
            )
        shape = _shape(cls, tag, to_plain, from_plain)
        readers: dict[str, FromPlain] = {shape.tag: shape.from_plain}
        for old, reader in former.items():
            readers[check_tag(old)] = reader or shape.from_plain
        for owner in [self._owner(name, cls) for name in readers]:
            self._by_class.pop(owner, None)
        self._readers |= readers
        self._owners |= dict.fromkeys(readers, cls)
        self._by_class[cls] = shape
        return cls

    def shape(self, cls: type) -> Shape | None:
        """Return how `cls` is written, or `None` where it is not registered."""
        found = self._by_class.get(cls)
        if found is None and self._parent is not None:
            found = self._parent.shape(cls)
        if found is None and (tag := libraries.tag_of(cls, self._known)) is not None:
            self.register(cls, tag=tag)
            found = self._by_class[cls]
        return found

    def reader(self, tag: str) -> FromPlain | None:
        """Return what makes a value of `tag` from its plain form, or `None` for an unknown tag."""
        found = self._readers.get(tag)
        if found is None and self._parent is not None:
            found = self._parent.reader(tag)
        if found is None and tag in self._known:
            cls = libraries.find(self._known[tag])
            if cls is not None:
                self.register(cls, tag=tag)
                found = self._readers[tag]
        return found

    def _owner(self, tag: str, cls: type) -> type:
        """Return who has `tag` now, which is `cls` itself where nobody has."""
        owner = self._owners.get(tag, cls)
        # A class that was defined again (a module reloaded, a notebook cell) takes its own place.
        if _full_name(owner) != _full_name(cls):
            message = (
                f"the tag {tag!r} belongs to {_full_name(owner)} already; "
                f"give {_full_name(cls)} another one"
            )
            raise Invalid(message, code="tag_taken", field="tag", tag=tag)
        return owner


def _shape(
    cls: type, tag: str | None, to_plain: ToPlain | None, from_plain: FromPlain | None
) -> Shape:
    name = check_tag(_full_name(cls) if tag is None else tag)
    if cls in NATIVE:
        message = f"{_full_name(cls)} is kept as it is; derive a class of your own from it"
        raise Invalid(message, code="native_type", field="cls", type=_full_name(cls))
    if (to_plain is None) != (from_plain is None):
        message = f"register {_full_name(cls)} with to_plain and from_plain, or with neither"
        raise Invalid(message, code="half_registered", field="to_plain", type=_full_name(cls))
    if to_plain is not None and from_plain is not None:
        return Shape(cls, name, to_plain, from_plain)
    ways = derive(cls)
    if ways is None:
        message = (
            f"{_full_name(cls)} is no enum, dataclass, named tuple or pydantic model: "
            "register it with to_plain and from_plain"
        )
        raise Invalid(message, code="no_shape", field="to_plain", type=_full_name(cls))
    return Shape(cls, name, *ways)


def _full_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


TYPES: Final = TypeRegistry(known=libraries.KNOWN)
"""The registry of the whole process: what every store may keep."""

register_type: Final = TYPES.register
