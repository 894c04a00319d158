"""`Schemas`: the versions of a user's states, and how each becomes the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..domain.errors import Invalid


class Schemas:
    """Functions that raise a state from one version to the next, by the version they read."""

    def __init__(self) -> None:
        """Begin with version 0 alone."""
        self._functions: dict[int, Callable[[Any], Any]] = {}

    @property
    def newest(self) -> int:
        """The version that states are saved with."""
        return len(self._functions)

    def add(self, schema: int, function: Callable[[Any], Any]) -> None:
        """Add the function for the newest version; raise `Invalid` for a gap."""
        if schema != self.newest:
            message = (
                f"the next function reads states of version {self.newest}, not {schema}: "
                "add them in order, beginning with 0"
            )
            raise Invalid(message, code="bad_schema", field="schema")
        self._functions[schema] = function

    def raised(self, state: Any, schema: int, id: str) -> Any:  # noqa: ANN401 (a user's state)
        """Return a state of version `schema` in the newest one.

        Raises `Invalid` for a state of a later version than this program knows.
        """
        if schema > self.newest and self._functions:
            message = (
                f"the state of checkpoint {id} has version {schema}, and this program knows up "
                f"to {self.newest}; read it with the program that wrote it"
            )
            raise Invalid(message, code="newer_schema", id=id, schema=schema)
        for version in range(schema, self.newest):
            state = self._functions[version](state)
        return state
