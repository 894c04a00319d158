"""What a kind of damage is: what is done to an item, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..writing import Tree


@dataclass(frozen=True, slots=True)
class Brought:
    """An item that must be in the target.

    `raw` is what its entity must give back when it is put into its old shape again: the object as
    it was written, or the state of a checkpoint. `note` is the code that it must be told with.
    """

    kind: str
    id: str
    raw: object = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that must be named in the rejects: why, where it stands, and what stands there.

    Of a whole file, `head` is how it begins and, where that is not all of it, its size. With
    neither, it is a page of one that anybody can look at in its place.
    """

    code: str
    place: str
    raw: bytes | None = None
    head: tuple[bytes, int | None] | None = None


Outcome: TypeAlias = Brought | Refused


@dataclass(frozen=True, slots=True)
class Damage:
    """One kind: its name, what is done, and how to plant it into a folder."""

    id: str
    what: str
    plant: Callable[[Tree], Sequence[Outcome]] = field(repr=False)
