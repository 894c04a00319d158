"""`MergeReport`: what merging one thread into another did, or would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checkpoint import CheckpointHeader
    from .merge import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeReport:
    """Every place that one of two threads had changed since they parted, and what was taken.

    `ours` is the thread that is merged into, `theirs` the one that is merged. `base_id`, `ours_id`
    and `theirs_id` are the checkpoints whose states were merged, `None` where there is none.
    `checkpoint` is the merged one, `None` after a dry run and where only messages were to be
    merged. `messages` are the ids, on the merged thread, of the messages that were appended.
    """

    source_id: str
    into_id: str
    base_id: str | None
    ours_id: str | None
    theirs_id: str | None
    choices: tuple[Choice, ...] = ()
    messages: tuple[str, ...] = ()
    checkpoint: CheckpointHeader | None = None

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The paths that both have changed and nothing decides about."""
        return tuple(choice.path for choice in self.choices if choice.is_conflict)

    @property
    def is_dry(self) -> bool:
        """Whether nothing was written."""
        return self.checkpoint is None and not self.messages

    def __str__(self) -> str:
        """Say it in one line for each place, and one for the messages."""
        lines = [
            f"{choice.path}: {choice.base!r} -> ours {choice.ours!r}, theirs {choice.theirs!r}; "
            f"{choice.how}: {choice.taken!r}"
            for choice in self.choices
        ]
        if self.messages:
            lines.append(f"{len(self.messages)} messages of {self.source_id} are behind its own")
        return "\n".join(lines)
