"""What the four managers share: lookups that must find, changes that may meet others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from ..domain.errors import Conflict, Invalid, NotFound
from ..domain.moment import to_micros
from ..domain.query import AnyOf, Condition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ..stores.base import EntityStore
    from .desk import Desk

ATTEMPTS: Final = 32
"""How often a change without an expected version is tried against concurrent writers."""


class Versioned(Protocol):
    """An entity that may be changed after it was made."""

    @property
    def version(self) -> int:
        """The version of its record."""
        ...


V = TypeVar("V", bound=Versioned)
E = TypeVar("E")


def missing(what: str, id_: str, *, space: str) -> NotFound:
    """Make the error for an entity that is not there."""
    message = f"there is no {what} {id_!r} in space {space!r}; list them, or create it"
    return NotFound(message, what=what, id=id_, space=space)


async def get(desk: Desk, store: EntityStore[E], what: str, id_: str) -> E:
    """Return the entity; raise `NotFound`, naming it, where there is none."""
    found = await store.find(id_)
    if found is None:
        raise missing(what, id_, space=desk.space)
    return found


async def add(desk: Desk, store: EntityStore[E], entities: Sequence[E]) -> None:
    """Write new entities in one batch; raise `Conflict` where one of the ids is taken."""
    if entities:
        await desk.commit([await store.put(entity, expect=0) for entity in entities])


async def change(
    desk: Desk,
    store: EntityStore[V],
    what: str,
    id_: str,
    edit: Callable[[V], V],
    *,
    expected_version: int | None,
) -> V:
    """Read, edit and write one entity, and return it as it is now.

    With `expected_version`, raises `Conflict` where it has another. Without, a change made by
    somebody else in between is not lost: the edit is made again on top of it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        old = await get(desk, store, what, id_)
        expect = old.version if expected_version is None else expected_version
        try:
            await desk.commit([await store.put(edit(old), expect=expect)])
        except Conflict:
            if expected_version is not None or attempt == ATTEMPTS:
                raise
            continue
        break
    return await get(desk, store, what, id_)


def pick(**given: Any) -> dict[str, Any]:  # noqa: ANN401 (fields of any type)
    """Return the fields that the caller gave a value to (`None` means: leave as it is)."""
    return {name: value for name, value in given.items() if value is not None}


def as_status(kind: Callable[[str], E], value: object, *, field: str = "status") -> E:
    """Return the member of a status enumeration; raise `Invalid` with the known ones."""
    try:
        return kind(str(value))
    except ValueError as error:
        known = ", ".join(str(member) for member in kind)  # type: ignore[attr-defined]
        message = f"{field} {value!r} is unknown; use one of: {known}"
        raise Invalid(message, code="unknown_status", field=field) from error


def created_between(since: datetime | None, until: datetime | None) -> tuple[Condition, ...]:
    """Say in header terms: created at `since` or later, and before `until`."""
    conditions: list[Condition] = []
    if since is not None:
        conditions.append(Condition("created_at", "ge", to_micros(since, field="since")))
    if until is not None:
        conditions.append(Condition("created_at", "lt", to_micros(until, field="until")))
    return tuple(conditions)


def equals(**labels: str | None) -> tuple[Condition | AnyOf, ...]:
    """Say in header terms: these labels have these values, those given."""
    return tuple(
        Condition(f"labels.{name}", "eq", value)
        for name, value in labels.items()
        if value is not None
    )
