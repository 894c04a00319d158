"""How a value that cannot be written says so, and where in the whole it lies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..domain.errors import Invalid

# Of a path that is too long to read, so many steps are shown.
_HEAD: Final = 12
_TAIL: Final = 4


class Refused(Exception):
    """A value that cannot be written, on its way up to whoever knows where it lies.

    `path` grows from the innermost step outwards: the id of each container passed, and the step
    that was taken in it.
    """

    def __init__(self, reason: str, *, code: str, kind: type | None = None) -> None:
        """Carry half a sentence that goes on after the path: `holds a Foo, which ...`."""
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.kind = kind
        self.path: list[tuple[int, str]] = []

    def where(self) -> str:
        """Return the path from the outermost value: `state.messages[3].payload`."""
        return _joined(step for _, step in reversed(self.path))

    def round_trip(self) -> tuple[str, str] | None:
        """Return the path of a container and that of itself inside it, if a value holds itself."""
        seen: dict[int, int] = {}
        steps = [step for _, step in reversed(self.path)]
        for depth, (owner, _) in enumerate(reversed(self.path)):
            if owner in seen:
                return _joined(steps[: seen[owner]]), _joined(steps[:depth])
            seen[owner] = depth
        return None


def invalid(refused: Refused) -> Invalid:
    """Return the error for the caller, who gets the whole path, or the circle that it goes."""
    path = refused.where()
    kind = "" if refused.kind is None else refused.kind.__qualname__
    circle = refused.round_trip()
    if circle is not None:
        outer, inner = circle
        message = f"{inner} holds {outer}, in which it lies; a value cannot hold itself"
        return Invalid(message, code="cycle", path=inner, type=kind)
    return Invalid(f"{path} {refused.reason}", code=refused.code, path=path, type=kind)


def _joined(steps: Iterable[str]) -> str:
    taken = [step for step in steps if step]
    if len(taken) > _HEAD + _TAIL:
        taken = [*taken[:_HEAD], " ... ", *taken[-_TAIL:]]
    return "".join(taken).removeprefix(".") or "the value"
