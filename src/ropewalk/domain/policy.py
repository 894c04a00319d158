"""Policies: what is to happen when a change meets another that its author had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias, cast

from .errors import Invalid
from .merge import Choice, Rules
from .reducers import Reducer
from .spelling import did_you_mean

FOREVER: Final = 1_000_000
"""More attempts than anybody waits for: then the deadline alone counts."""


def _check_positive(value: object, *, field: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        message = f"{field} must be a number above 0, not {value!r}"
        raise Invalid(message, code="bad_value", field=field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Do it again on top of what others wrote, up to `attempts` times or `deadline` seconds.

    Before the n-th repetition it waits a random time up to `first * 2 ** (n - 1)` seconds, at
    most `longest` ("full jitter": M. Brooker, Exponential Backoff And Jitter, 2015). When it may
    not go on, the last `Conflict` is raised.
    """

    attempts: int = FOREVER
    deadline: float = 30.0
    first: float = 0.002
    longest: float = 0.25

    def __post_init__(self) -> None:
        """Refuse what would never end, or never begin."""
        for name in ("attempts", "deadline", "first", "longest"):
            _check_positive(getattr(self, name), field=name)

    def pause(self, attempt: int, *, luck: float) -> float:
        """Return the seconds to wait after an attempt that failed; `luck` is 0 up to 1."""
        return luck * min(self.longest, self.first * 2.0 ** min(attempt - 1, 32))


@dataclass(frozen=True, slots=True)
class Reject:
    """Whoever is late is told: `Conflict`, and nothing is written."""


@dataclass(frozen=True, slots=True)
class LastWins:
    """Whoever is late writes over what stands there."""


@dataclass(frozen=True, slots=True)
class FirstWins:
    """Whoever is late gives way: nothing is written, and what stands there is returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Both changes count: three-way, against what the late one had seen.

    `fields` names a reducer for each path, such as `{"data.seen": "union", "data.n": "sum"}`:
    append, union, max, min, sum, first (what stands there) or last (what is to be written), or a
    function that takes `base`, `present` and `coming`. `default` is for all other places; without
    it, what both have changed differently is a `Conflict` that names the paths.
    """

    fields: Mapping[str | tuple[str, ...], str | Reducer] = field(
        default_factory=dict["str | tuple[str, ...]", "str | Reducer"]
    )
    default: str | Reducer | None = None

    def __post_init__(self) -> None:
        """Refuse a reducer that there is not, before anything is written."""
        Rules.of(self.fields, self.default)

    @property
    def rules(self) -> Rules:
        """What decides where."""
        return Rules.of(self.fields, self.default)


Names: TypeAlias = Mapping[object, object]

Policy: TypeAlias = Reject | Retry | LastWins | FirstWins | Merge


def check_policy(policy: object) -> None:
    """Raise `Invalid` for anything that is neither a policy nor `None`."""
    if policy is not None and not isinstance(policy, Policy):
        message = (
            f"policy must be Reject(), Retry(), LastWins(), FirstWins() or Merge(), not {policy!r}"
        )
        raise Invalid(message, code="bad_type", field="policy")


_PLAIN: Final[Mapping[str, type[Reject | LastWins | FirstWins]]] = {
    "reject": Reject,
    "last_wins": LastWins,
    "first_wins": FirstWins,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What became of one change: under which policy, at which attempt, and what was written.

    `met` is the version that stood there and was not the expected one, 0 where nothing was met.
    `version` is the record's now. `choices` tell what a merge did with each place that either
    side had changed. `written` is false where somebody else's record was left as it is.
    """

    kind: str
    id: str
    policy: Policy
    attempts: int
    met: int
    version: int
    written: bool = True
    choices: tuple[Choice, ...] = ()

    @property
    def reduced(self) -> dict[str, str]:
        """The places that both sides had changed, each with what decided."""
        alone = ("ours", "theirs", "same")
        return {choice.path: choice.how for choice in self.choices if choice.how not in alone}


@dataclass(frozen=True, slots=True, kw_only=True)
class KindPolicy:
    """The policy that a space keeps for one kind of record; `id` is the kind, or `*`."""

    id: str
    policy: Policy
    created_at: datetime
    version: int = 1


def as_names(policy: Policy) -> dict[str, Any]:
    """Write a policy by names alone, as configurations have it.

    Raises `Invalid` for a function of the user's, which has no name that another process knows.
    """
    if isinstance(policy, Retry):
        return {"policy": "retry", **{n: getattr(policy, n) for n in Retry.__slots__}}
    if isinstance(policy, Merge):
        written: dict[str, Any] = {"policy": "merge"}
        fields = {_written(path): _named(how) for path, how in policy.fields.items()}
        if fields:
            written["fields"] = fields
        if policy.default is not None:
            written["default"] = _named(policy.default)
        return written
    return {"policy": next(name for name, cls in _PLAIN.items() if type(policy) is cls)}


def from_names(raw: object, *, field: str) -> Policy:
    """Read what `as_names` wrote, or the name of a policy alone; raise `Invalid` naming `field`."""
    table = {"policy": raw} if isinstance(raw, str) else raw
    if not isinstance(table, Mapping):
        message = f"{field} must be the name of a policy, or a table that has one under 'policy'"
        raise Invalid(message, code="bad_type", field=field)
    given = dict(cast("Mapping[str, Any]", table))
    name = given.pop("policy", None)
    known = (*_PLAIN, "retry", "merge")
    if name not in known:
        message = f"{field}: there is no policy {name!r}; {did_you_mean(str(name), known)}"
        raise Invalid(message, code="unknown_name", field=field)
    allowed = {"retry": Retry.__slots__, "merge": Merge.__slots__}.get(name, ())
    for key in given:
        if key not in allowed:
            message = f"{field}: the policy {name!r} has no {key!r}; {did_you_mean(key, allowed)}"
            raise Invalid(message, code="unknown_key", field=field)
    if name == "retry":
        return Retry(**given)
    if name == "merge":
        named = given.get("fields", {})
        if not isinstance(named, Mapping) or not all(
            isinstance(part, str) for pair in cast("Names", named).items() for part in pair
        ):
            message = f"{field}: fields must be a table of paths and the names of reducers"
            raise Invalid(message, code="bad_type", field=field)
        return Merge(**given)
    return _PLAIN[name]()


def _named(how: str | Reducer) -> str:
    if isinstance(how, str):
        return how
    message = (
        "a policy with a function of its own cannot be kept for other processes; name a "
        "reducer, or set the policy for this handle alone"
    )
    raise Invalid(message, code="not_by_name", field="fields")


def _written(path: str | tuple[str, ...]) -> str:
    if isinstance(path, str):
        return path
    if any("." in step for step in path):
        message = f"the path {path!r} has a dot in a key, so it has no name in a configuration"
        raise Invalid(message, code="not_by_name", field="fields")
    return ".".join(path)
