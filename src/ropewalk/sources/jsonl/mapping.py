"""Under which names the fields of a line stand: those that are common, or those that are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ...domain.errors import Invalid
from ...domain.legacy.values import JsonObject, as_object

COMMON: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "message_id", "uuid"),
    "session": ("session_id", "conversation_id"),
    "thread": ("thread_id",),
    "user": ("user_id", "user"),
    "title": ("title",),
    "role": ("role", "from"),
    "content": ("content", "text", "value"),
    "name": ("name",),
    "time": ("created_at", "timestamp", "time", "ts"),
    "tool": ("tool_name",),
    "input": ("tool_input",),
    "output": ("tool_output",),
    "messages": ("messages", "conversations"),
    "metadata": ("metadata",),
}
"""What is looked for, and the names under which it commonly stands, the first that is there."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """A line with its fields under our names; `rest` is what has none of them."""

    fields: JsonObject
    rest: JsonObject

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a field of this name that is not null."""
        return self.fields.get(name) is not None


class Names:
    """Finds fields: a name may be a path of names with dots between, and several with commas."""

    def __init__(self, given: Mapping[str, str | None]) -> None:
        """Look under the names `given`, and the common ones for everything else."""
        self._paths: Final = {
            name: _paths(name, given.get(name)) or [(common,) for common in COMMON[name]]
            for name in COMMON
        }

    def map(self, line: JsonObject) -> Mapped:
        """Return the line's fields under our names."""
        found: JsonObject = {}
        rest = dict(line)
        for name, paths in self._paths.items():
            for path in paths:
                value = _at(line, path)
                if value is not None:
                    found[name] = value
                    if len(path) == 1:
                        rest.pop(path[0], None)
                    break
        return Mapped(found, rest)


def _paths(name: str, given: str | None) -> list[tuple[str, ...]]:
    if given is None:
        return []
    paths = [tuple(path.strip().split(".")) for path in given.split(",")]
    if not all(part for path in paths for part in path):
        message = f"{name}={given!r} is no name of a field: write name, or outer.name, or a,b"
        raise Invalid(message, code="bad_mapping", field=name)
    return paths


def _at(line: JsonObject, path: tuple[str, ...]) -> object:
    here: object = line
    for part in path:
        inner = as_object(here)
        if inner is None:
            return None
        here = inner.get(part)
    return here
