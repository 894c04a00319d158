"""`Training`: make dictionaries for the compressor out of what is written, beside the writing."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...domain.ports import Dictionary

S = TypeVar("S")


class Shelf(Protocol):
    """Where the dictionaries of one space are kept."""

    async def dictionary(self) -> Dictionary | None:
        """Return the one that is written with now, `None` where there is none."""
        ...

    async def adopt(self, dictionary: Dictionary) -> None:
        """Keep a new one, and write with it from now on."""
        ...


@dataclass(frozen=True, slots=True)
class Stage:
    """After so much was `seen`, a dictionary of so many bytes is made."""

    seen: int
    size: int


@dataclass(frozen=True, slots=True)
class Plan(Generic[S]):
    """When dictionaries are made, and out of what.

    Each of the `stages` adds one, which is kept with the store. `weigh` says how much is seen with
    a sample. Samples of up to `most` bytes are kept, as `measure` counts them, and none of more
    than `longest`.
    """

    stages: tuple[Stage, ...]
    weigh: Callable[[S], int]
    measure: Callable[[S], int]
    longest: int
    most: int


class Training(Generic[S]):
    """Gather what is written, train in a thread, and hand the outcome over at a later save.

    A dictionary that is trained on content is content: it stays in the space.
    """

    def __init__(
        self, shelf: Shelf, train: Callable[[Sequence[S], int], Dictionary | None], plan: Plan[S]
    ) -> None:
        """Train for `shelf`; `train` makes a dictionary of a size out of samples, in a thread."""
        self._shelf = shelf
        self._make = train
        self._plan = plan
        self._samples: list[S] = []
        self._bytes = 0
        self._seen = 0
        self._stage: int | None = None
        self._made: Dictionary | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether all dictionaries were made, so that nothing more needs to be offered."""
        return (
            self._stage is not None
            and self._stage >= len(self._plan.stages)
            and self._thread is None
            and self._made is None
        )

    async def offer(self, samples: Sequence[S]) -> None:
        """Take what was written as samples; adopt a dictionary that has become ready."""
        await self._adopt()
        if self._stage is None:
            first = await self._first_stage()
            self._stage = first if self._stage is None else self._stage
        stages = self._plan.stages
        with self._lock:
            if self._stage >= len(stages):
                self._samples.clear()
                return
            self._take(samples)
            stage = stages[self._stage]
            if self._seen < stage.seen or self._thread is not None:
                return
            self._stage += 1
            self._thread = threading.Thread(
                target=self._train,
                args=(tuple(self._samples), stage.size),
                name="ropewalk-training",
                daemon=True,
            )
            self._thread.start()

    async def _adopt(self) -> None:
        made = self._ready()
        if made is None:
            return
        kept = False
        try:
            await self._shelf.adopt(made)
            kept = True
        finally:
            # It took a while to make: a store that is busy now gets it at the next save.
            if not kept:
                self._give_back(made)

    def _ready(self) -> Dictionary | None:
        if self._made is None:
            return None
        with self._lock:
            made, self._made = self._made, None
        return made

    def _give_back(self, made: Dictionary) -> None:
        with self._lock:
            self._made = self._made or made

    def _take(self, samples: Sequence[S]) -> None:
        plan = self._plan
        for sample in samples:
            self._seen += plan.weigh(sample)
            size = plan.measure(sample)
            if size <= plan.longest and self._bytes < plan.most:
                self._samples.append(sample)
                self._bytes += size

    async def _first_stage(self) -> int:
        """Begin behind the stages that earlier programs have done with this space."""
        current = await self._shelf.dictionary()
        if current is None:
            return 0
        stages = self._plan.stages
        done = [at for at, stage in enumerate(stages) if len(current.content) > stage.size // 2]
        return done[-1] + 1 if done else 0

    def _train(self, samples: Sequence[S], size: int) -> None:
        made = None
        try:
            made = self._make(samples, size)
        finally:
            with self._lock:
                self._made = made
                self._thread = None
