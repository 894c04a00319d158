"""What the four managers share: lookups that must find, changes that may meet others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ..domain.errors import Invalid, NotFound
from ..domain.moment import to_micros
from ..domain.policy import Policy, Reject, Retry
from ..domain.query import AnyOf, Condition
from .policies.settling import Settling, apart, check_how, seen_of, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ..stores.base import EntityStore, Lasting
    from .desk import Desk

ATTEMPTS: Final = 32
"""How often a change without an expected version is tried against concurrent writers."""


V = TypeVar("V", bound="Lasting")
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
    how: Settling[V] | None = None,
) -> V:
    """Read, edit and write one entity, and return it as it is now.

    With `expected_version` or a base in `how`, raises `Conflict` where it has another, unless a
    policy says otherwise. Without, a change made by somebody else in between is not lost: the
    edit is made again on top of it.
    """
    how = how or {}
    check_how(how)
    seen = seen_of(how, expected_version)

    async def policy() -> Policy:
        given = how.get("policy")
        if given is None and seen is not None:
            return await desk.policy_of(store.kinds[0]) or Reject()
        return given or Retry()

    await settle(
        _EntityPlace(desk, store, what, id_),
        lambda present: edit(_present(present)),
        seen=seen,
        base=how.get("base"),
        policy=policy,
        decided=how.get("decided"),
    )
    return await get(desk, store, what, id_)


class _EntityPlace(Generic[V]):
    """Where one entity stands; raises `NotFound` where there is none."""

    def __init__(self, desk: Desk, store: EntityStore[V], what: str, id_: str) -> None:
        self._desk = desk
        self._store = store
        self._what = what
        self._id = id_
        self._made: int | None = None
        self.key = store.key(id_)

    async def look(self) -> tuple[V | None, int]:
        entity = await get(self._desk, self._store, self._what, self._id)
        self._made = to_micros(entity.created_at, field="created_at")
        return entity, entity.version

    def apart(self, value: V) -> dict[str, Any]:
        return apart(value)

    def together(self, present: V, merged: dict[str, Any]) -> V:
        return replace(present, **merged)  # type: ignore[type-var]

    async def write(self, value: V, *, expect: int) -> int:
        put = replace(await self._store.put(value, expect=expect), made=self._made)
        applied = await self._desk.commit([put])
        return applied.versions[0]


def _present(entity: V | None) -> V:
    if entity is None:  # a base that the caller handed in is there, and so is what was looked for
        message = "an entity is changed on the basis of one that was read"
        raise Invalid(message, code="bad_base", field="base")
    return entity


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
