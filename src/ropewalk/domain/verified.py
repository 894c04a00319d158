"""What a check of everything that is stored of states found."""

from __future__ import annotations

from dataclasses import dataclass

from .record import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A record that is missing or not what was written, and what cannot be read because of it.

    `thread_id` and `checkpoint_id` are `None` where no state needs the record, or every one does;
    `path` is the part of the state that is lost, empty for the whole. `key` is the record, `None`
    where it is not even known which one.
    """

    key: Key | None
    reason: str
    thread_id: str | None = None
    checkpoint_id: str | None = None
    path: str = ""

    def __str__(self) -> str:
        """Say in a line what is lost and why."""
        where: list[str] = []
        if self.thread_id is not None:
            where.append(f"thread {self.thread_id!r}")
        if self.checkpoint_id is not None:
            where.append(f"checkpoint {self.checkpoint_id!r}")
        if self.path:
            where.append(self.path)
        lost = ", ".join(where) or "no state that is known"
        return (
            f"{lost}: {self.reason}" if self.key is None else f"{lost}: {self.key}: {self.reason}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How much was looked at, and all the damage that was found.

    `nodes` are those that states need and that are whole with all beneath them, each counted once;
    `orphans` all others that are there: without damage, what the next collection removes.
    `others` are the records that no state consists of: threads, messages and whatever else there
    is. `damaged` counts all damages, of which `damages` has the first.
    """

    checkpoints: int = 0
    writes: int = 0
    nodes: int = 0
    orphans: int = 0
    dictionaries: int = 0
    others: int = 0
    damaged: int = 0
    damages: tuple[Damage, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether everything is as it was written."""
        return not self.damaged
