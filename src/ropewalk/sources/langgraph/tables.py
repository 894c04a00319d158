"""`Tables`: what a database of LangGraph's tells, whichever kind and generation it is of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from ...domain.source import Problem
from .order import Lookup, Read
from .rows import WriteRow


class Tables(Lookup, Protocol):
    """Goes through what stands there at one moment; damage is told as a problem of its place."""

    @property
    def place(self) -> str:
        """Where it is, as it can be shown."""
        ...

    @property
    def generation(self) -> str:
        """How the tables are laid out, by name."""
        ...

    @property
    def files(self) -> int:
        """How many files it is kept in; a server counts as one."""
        ...

    @property
    def size(self) -> int:
        """How much room it takes, in bytes."""
        ...

    def counts(self) -> dict[str, int]:
        """Count threads, checkpoints and writes."""
        ...

    def forms(self) -> Mapping[str | None, int]:
        """Count the checkpoints by the name of their form."""
        ...

    def memories(self) -> int:
        """Count the entries of a long-term store in the same database."""
        ...

    def threads(self) -> Iterator[tuple[str, str, str] | Problem]:
        """Go through the threads: each with its first checkpoint, and the place."""
        ...

    def checkpoints(self) -> Iterator[Read]:
        """Go through the checkpoints by thread, namespace and id."""
        ...

    def writes(self) -> Iterator[WriteRow | Problem]:
        """Go through the pending writes by thread, namespace, checkpoint, task and place."""
        ...
