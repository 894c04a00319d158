"""The form in which a store keeps its records: its version, the steps to it, and what drifted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStep:
    """One numbered migration, and whether a store has it.

    `checksum` is the SHA-256 of its script in hexadecimal digits, if it has one. `rewrites` says
    that it changes what is stored already. `applied_at` (microseconds) and `program`, the version
    that applied it, are empty where nobody noted them; `backup` is the copy that was made before.
    """

    number: int
    name: str
    checksum: str
    rewrites: bool
    applied: bool
    applied_at: int | None = None
    program: str = ""
    backup: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaStatus:
    """Which version of its form a store has (0: it is empty), and which the program has."""

    form: str
    found: int
    known: int
    steps: tuple[SchemaStep, ...] = ()

    @property
    def pending(self) -> tuple[SchemaStep, ...]:
        """The steps that the store lacks, in order."""
        return tuple(step for step in self.steps if not step.applied)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaUpgrade:
    """What an upgrade did: from which version to which, by which steps.

    `backup` is the copy that was made before, `None` where nothing had to be done.
    """

    before: int
    after: int
    applied: tuple[SchemaStep, ...] = ()
    backup: str | None = None


class DriftKind(StrEnum):
    """How an object of a store differs from what the migrations make."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One object of a store that is not as the migrations make it, and what to do about it."""

    kind: DriftKind
    what: str
    reason: str

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.what} ({self.kind.value}): {self.reason}"


class Schema(Protocol):
    """Look at the form of a store, and bring it up to date, while it is not open.

    Every verb raises `Unavailable` or `Invalid` for a store of a newer program, naming both
    versions, `Invalid` for what is no store, and changes nothing then.
    """

    async def status(self) -> SchemaStatus:
        """Tell the versions and the steps; change nothing."""
        ...

    async def sql(self, *, everything: bool = False) -> str:
        """Return the SQL that an upgrade would run, or that of all migrations.

        Raises `Invalid` with the code `unsupported` where the store speaks no SQL.
        """
        ...

    async def upgrade(self, *, backup: str | None = None) -> SchemaUpgrade:
        """Apply all that is pending at once or not at all, behind a copy of the store.

        `backup` names the copy, which must not be there yet; else it lies beside the store.
        Raises `Corrupt` with the code `schema_drift` where the store is not as it must be.
        """
        ...

    async def check(self) -> tuple[Drift, ...]:
        """Compare the store with what its migrations make; change nothing."""
        ...


@runtime_checkable
class Schemed(Protocol):
    """A back end whose stores have a form with a version."""

    @property
    def schema(self) -> Schema:
        """The form of this store; it need not be open."""
        ...
