"""Merging two values that grew from one: three-way, key by key, by reducers in the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from .reducers import ABSENT, UNDECIDED, Reducer, name_of, reducer_of
from .sameness import same

Steps: TypeAlias = tuple[object, ...]
"""Keys from the whole inwards."""

WHOLE: Final = "(the whole)"
"""How the place without a path is called in reports."""

_ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What became of one place that at least one side had changed.

    `taken` stands there now. `how` is `ours` or `theirs` where only that side had changed it,
    `same` where both had alike, the name of the reducer that decided, or `conflict`. Values that
    are not there are `ABSENT`. `ours` is what is merged into, `theirs` what is merged.
    """

    path: str
    base: Any
    ours: Any
    theirs: Any
    taken: Any
    how: str

    @property
    def is_conflict(self) -> bool:
        """Whether nothing decided: then `taken` is what stood there."""
        return self.how == "conflict"


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged value, and what became of every place that one side had changed."""

    value: Any
    choices: tuple[Choice, ...]

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The paths that nothing decided about."""
        return tuple(choice.path for choice in self.choices if choice.is_conflict)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which reducer decides where; without one, and without a default, a place is in conflict.

    `fields` are by path: keys from the whole inwards, `*` for any. A place with a reducer is
    merged as a whole by it; other dictionaries are merged key by key.
    """

    fields: Mapping[Steps, tuple[str, Reducer]] = field(
        default_factory=dict[Steps, "tuple[str, Reducer]"]
    )
    default: tuple[str, Reducer] | None = None

    @classmethod
    def of(
        cls,
        fields: Mapping[str | tuple[str, ...], str | Reducer],
        default: str | Reducer | None = None,
    ) -> Rules:
        """Read rules as a user writes them: `{"data.seen": "union"}`; raise `Invalid` by name.

        A key that has a dot in it is written as a tuple of keys.
        """
        found: dict[Steps, tuple[str, Reducer]] = {}
        for path, how in fields.items():
            steps = tuple(path.split(".")) if isinstance(path, str) else tuple(path)
            found[steps] = (name_of(how), reducer_of(how, field=f"fields {path!r}"))
        if default is None:
            return cls(found)
        return cls(found, (name_of(default), reducer_of(default, field="default")))

    def at(self, steps: Steps) -> tuple[str, Reducer] | None:
        """Return the reducer of a place, if the rules name one for it."""
        return next((r for path, r in self.fields.items() if _leads(path, steps)), None)

    def reach_below(self, steps: Steps) -> bool:
        """Tell whether the rules have something to say about places inside this one."""
        return self.default is not None or any(
            len(path) > len(steps) and _leads(path[: len(steps)], steps) for path in self.fields
        )


def three_way(base: object, ours: object, theirs: object, *, rules: Rules) -> Merged:
    """Merge `theirs` into `ours`, against the value that both grew from.

    A side that did not change a place gives way to the side that did. Where both changed it, a
    reducer of `rules` decides, also where both changed it alike: two who count up by one have
    counted two. What nothing decides stays as in `ours`, and is in conflict.
    """
    merger = _Merger(rules)
    value = merger.merge(base, ours, theirs, ())
    return Merged(value, tuple(merger.choices))


class _Merger:
    """One merge on its way down, gathering what became of each place."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.choices: list[Choice] = []

    def merge(self, base: Any, ours: Any, theirs: Any, steps: Steps) -> Any:  # noqa: ANN401 (states)
        if same(base, theirs):
            if not same(base, ours):
                self._note(steps, base, ours, theirs, ours, how="ours")
            return ours
        if same(base, ours):
            return self._note(steps, base, ours, theirs, theirs, how="theirs")
        alike = same(ours, theirs)
        rule = self._rules.at(steps)
        if rule is None:
            own, new = _keys(ours), _keys(theirs)
            if own and new and (not alike or self._rules.reach_below(steps)):
                return self._merge_keys(_keys(base) or {}, own, new, steps)
            rule = self._rules.default
        name, taken = "conflict", UNDECIDED
        if rule is not None:
            name, taken = rule[0], rule[1](base, ours, theirs)
        if taken is UNDECIDED:
            name, taken = "conflict", ours
        if alike and same(taken, ours):
            name = "same"
        return self._note(steps, base, ours, theirs, taken, how=name)

    def _note(
        self,
        steps: Steps,
        base: Any,  # noqa: ANN401 (states)
        ours: Any,  # noqa: ANN401
        theirs: Any,  # noqa: ANN401
        taken: Any,  # noqa: ANN401
        *,
        how: str,
    ) -> Any:  # noqa: ANN401
        path = ".".join(map(str, steps)) or WHOLE
        self.choices.append(
            Choice(path=path, base=base, ours=ours, theirs=theirs, taken=taken, how=how)
        )
        return taken

    def _merge_keys(
        self,
        base: dict[object, Any],
        ours: dict[object, Any],
        theirs: dict[object, Any],
        steps: Steps,
    ) -> dict[object, Any]:
        merged: dict[object, Any] = {}
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            old, own, new = (side.get(key, ABSENT) for side in (base, ours, theirs))
            value = self.merge(old, own, new, (*steps, key))
            if value is not ABSENT:
                merged[key] = value
        for key, old in base.items():
            if key not in ours and key not in theirs:
                self._note((*steps, key), old, ABSENT, ABSENT, ABSENT, how="same")
        return merged


def _keys(value: object) -> dict[object, Any] | None:
    return cast("dict[object, Any]", value) if isinstance(value, dict) else None


def _leads(path: Steps, steps: Steps) -> bool:
    return len(path) == len(steps) and all(
        step in (_ANY, str(at)) for step, at in zip(path, steps, strict=True)
    )
