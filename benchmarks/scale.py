"""How much is measured: everything, or in a minute only enough to see that it works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Steps, branches, messages, sizes of states in MB, records moved, and how often each."""

    runs: int
    lengths: tuple[int, ...]
    append_to: int
    objects_to: int
    scratchpad: int
    edited: int
    trunk: int
    branches: int
    branch: int
    blob: int
    reading: int
    tails: tuple[int, ...]
    rounds: int
    slice: float
    """Seconds."""
    sizes: tuple[int, ...]
    big: tuple[tuple[int, int], ...]
    """Sizes in MB, and how often each is run."""
    moved: int


FULL: Final = Scale(
    runs=5,
    lengths=(50, 200, 1_000, 5_000),
    append_to=20_000,
    objects_to=1_000,
    scratchpad=500,
    edited=1_000,
    trunk=500,
    branches=100,
    branch=20,
    blob=200,
    reading=1_000,
    tails=(200, 1_000, 5_000, 20_000),
    rounds=15,
    slice=0.25,
    sizes=(10_000, 100_000),
    big=((1, 5), (50, 5), (500, 1)),
    moved=1_000_000,
)

QUICK: Final = Scale(
    runs=3,
    lengths=(50, 200),
    append_to=400,
    objects_to=100,
    scratchpad=60,
    edited=60,
    trunk=60,
    branches=5,
    branch=5,
    blob=20,
    reading=100,
    tails=(100,),
    rounds=3,
    slice=0.1,
    sizes=(1_000, 5_000),
    big=((1, 1),),
    moved=10_000,
)
