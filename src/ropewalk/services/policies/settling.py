"""`settle`: make one change, and let a policy decide where it meets another one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypedDict, TypeVar, cast

from ...domain.change import ABSENT
from ...domain.effect import mismatch
from ...domain.errors import Conflict, Invalid
from ...domain.merge import Choice, three_way
from ...domain.policy import Decision, FirstWins, Merge, Policy, Reject, Retry, check_policy
from ..overlay.reads import STALE

if TYPE_CHECKING:
    from ...domain.record import Key

V = TypeVar("V")

_FIXED: Final = frozenset({"id", "created_at", "updated_at", "version"})


class Settling(TypedDict, Generic[V], total=False):
    """What every verb that changes something takes beside its own arguments.

    `policy` decides where the change meets another one. `base` is what the caller had read, with
    its version: what both changes grew from. `decided` is called with the `Decision`.
    """

    policy: Policy | None
    base: V | None
    decided: Callable[[Decision], object] | None


class Place(Protocol[V]):
    """Where something stands that may be changed: one record, as whatever it is to its module."""

    @property
    def key(self) -> Key:
        """The key of its record."""
        ...

    async def look(self) -> tuple[V | None, int]:
        """Return what stands there, and its version: `None` and 0 where nothing does."""
        ...

    def apart(self, value: V) -> dict[str, Any]:
        """Take a value apart into the fields that may be merged."""
        ...

    def together(self, present: V, merged: dict[str, Any]) -> V:
        """Return what stands there with merged fields."""
        ...

    async def write(self, value: V, *, expect: int) -> int:
        """Write a value where that version stands; return the new one, or raise `Conflict`."""
        ...


def apart(entity: Any) -> dict[str, Any]:  # noqa: ANN401 (an entity of any module)
    """Take an entity apart into the fields that a user may have changed."""
    names = [field.name for field in fields(entity) if field.name not in _FIXED]
    return {name: getattr(entity, name) for name in names}


async def settle(
    place: Place[V],
    edit: Callable[[V | None], V],
    *,
    seen: int | None,
    base: V | None,
    policy: Callable[[], Awaitable[Policy]],
    decided: Callable[[Decision], object] | None = None,
) -> V | None:
    """Make `edit` of what stands at `place`; `seen` is the version that the caller had read.

    Without `seen`, what is read first counts as seen. What stands there is returned where the
    policy leaves it as it is. Raises `Conflict` where the policy does not allow the change.
    """
    settlement = _Settlement(place, edit, policy, decided)
    settlement.seen, settlement.base = seen, base
    return await settlement.run()


class _Settlement(Generic[V]):
    """One change on its way."""

    def __init__(
        self,
        place: Place[V],
        edit: Callable[[V | None], V],
        policy: Callable[[], Awaitable[Policy]],
        decided: Callable[[Decision], object] | None,
    ) -> None:
        self._decided = decided
        self._place = place
        self._edit = edit
        self._ask = policy
        self._policy: Policy | None = None
        self._begun = monotonic()
        self._attempt = 1
        self._met = ABSENT
        self.seen: int | None = None
        self.base: V | None = None

    async def run(self) -> V | None:
        place = self._place
        while True:
            present, version = await place.look()
            if self.seen is None:
                self.seen, self.base = version, present
            value, choices = await self._value(present, version)
            if value is None:
                await self._tell(version, written=False)
                return present
            try:
                written = await place.write(value, expect=version)
            except Conflict as error:
                await self._wait(error)
            else:
                await self._tell(written, choices=choices)
                return value

    async def _value(self, present: V | None, version: int) -> tuple[V | None, tuple[Choice, ...]]:
        """Return what is to be written, `None` for nothing, and how it was merged."""
        if version == self.seen:
            return self._edit(present), ()
        self._met = version
        policy = await self._chosen()
        if isinstance(policy, FirstWins):
            return None, ()
        if isinstance(policy, Reject):
            raise mismatch(self._place.key, expected=self.seen, actual=version)
        if isinstance(policy, Merge):
            return self._merged(policy, present, version)
        return self._edit(present), ()

    def _merged(
        self, policy: Merge, present: V | None, version: int
    ) -> tuple[V, tuple[Choice, ...]]:
        """Merge the caller's change into what stands there, against what he had seen."""
        place, base = self._place, self.base
        if present is None:
            raise mismatch(place.key, expected=self.seen, actual=version)
        if base is None and self.seen != ABSENT:
            message = (
                f"{place.key} has version {version}, and what stood there at version {self.seen} "
                "is no longer known: hand in what you had read as base=..., to have it merged"
            )
            raise Conflict(
                message, code="no_base", key=place.key, expected=self.seen, actual=version
            )
        mine = place.apart(self._edit(base))
        before: dict[str, Any] = {} if base is None else place.apart(base)
        merged = three_way(before, place.apart(present), mine, rules=policy.rules)
        if merged.conflicts:
            raise clash(place.key, merged.conflicts, actual=version)
        return place.together(present, merged.value), merged.choices

    async def _chosen(self) -> Policy:
        if self._policy is None:
            self._policy = await self._ask()
        return self._policy

    async def _wait(self, error: Conflict) -> None:
        """Wait before the next attempt; raise `error` where there may be none."""
        if error.code == STALE or error.facts.get("key") != self._place.key:
            raise error
        policy = await self._chosen()
        if isinstance(policy, Reject):
            raise error
        patience = policy if isinstance(policy, Retry) else Retry()
        pause = patience.pause(self._attempt, luck=random.random())  # noqa: S311 (an even spread)
        late = monotonic() + pause > self._begun + patience.deadline
        if late or self._attempt >= patience.attempts:
            error.add_note(f"tried {self._attempt} times")
            raise error
        self._attempt += 1
        await asyncio.sleep(pause)

    async def _tell(
        self, version: int, *, written: bool = True, choices: tuple[Choice, ...] = ()
    ) -> None:
        if self._decided is None:
            return
        key = self._place.key
        self._decided(
            Decision(
                kind=key.kind,
                id=key.id,
                policy=await self._chosen(),
                attempts=self._attempt,
                met=self._met,
                version=version,
                written=written,
                choices=choices,
            )
        )


def clash(key: Key, paths: tuple[str, ...], *, actual: int) -> Conflict:
    """Make the error for places that both have changed and no rule decides about."""
    message = (
        f"{key} was changed by somebody else in the same places: {', '.join(paths)}; name a "
        "reducer for each of them, or a default, or read it again and decide"
    )
    return Conflict(message, code="merge", key=key, paths=paths, actual=actual)


def seen_of(how: Settling[V], expected: int | None) -> int | None:
    """Return the version that the caller says to have read, `None` where he says none.

    Raises `Invalid` where a base has another one than is expected.
    """
    base = how.get("base")
    if base is None:
        return expected
    version = version_of(base)
    if expected not in (None, version):
        message = f"base has version {version}, and expected_version is {expected}: name it once"
        raise Invalid(message, code="two_values", field="expected_version")
    return version


def version_of(base: object) -> int:
    """Return the version of something that was read; raise `Invalid` where it has none."""
    if isinstance(base, Mapping):
        version = cast("Mapping[str, object]", base).get("version")
    else:
        version = getattr(base, "version", None)
    if isinstance(version, bool) or not isinstance(version, int):
        message = "base must be what was read, with its version"
        raise Invalid(message, code="bad_base", field="base")
    return version


def check_how(how: Settling[V]) -> None:
    """Raise `Invalid` for an argument that no verb takes, or a policy that is none."""
    for name in how.keys() - Settling.__annotations__.keys():
        message = f"there is no argument {name!r}; it may be {', '.join(Settling.__annotations__)}"
        raise Invalid(message, code="unknown_argument", field=name)
    check_policy(how.get("policy"))
