"""`Findings`: what a check has counted and found damaged, each damage once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...domain.verified import Damage, Verified

if TYPE_CHECKING:
    from ...domain.checkpoint import CheckpointHeader
    from ...domain.record import Key

_MOST: Final = 10_000
"""So many damages are kept; the rest is counted."""


class Findings:
    """Take in what is looked at and what is damaged."""

    def __init__(self) -> None:
        """Begin with nothing."""
        names = ("checkpoints", "writes", "orphans", "dictionaries", "others")
        self.counts = dict.fromkeys(names, 0)
        self.damaged = 0
        self._damages: list[Damage] = []
        self._named: set[Key] = set()
        self._seen: set[tuple[Key | str, str | None, str]] = set()

    def verified(self, nodes: int) -> Verified:
        """Return what was found so far; `nodes` is how many are whole."""
        return Verified(
            nodes=nodes, damaged=self.damaged, damages=tuple(self._damages), **self.counts
        )

    def note(
        self,
        key: Key | None,
        reason: str,
        header: CheckpointHeader | None = None,
        *,
        path: str = "",
        thread_id: str | None = None,
        checkpoint_id: str | None = None,
    ) -> None:
        """Take in a damage, once for each state and place; `header` is whose it is."""
        if header is not None:
            thread_id, checkpoint_id = header.thread_id, header.id
        # Where it is not known which record it is, each finding is one for itself.
        what = reason if key is None else key
        if (what, checkpoint_id, path) in self._seen:
            return
        self._seen.add((what, checkpoint_id, path))
        self.damaged += 1
        if key is not None:
            self._named.add(key)
        if len(self._damages) < _MOST:
            self._damages.append(
                Damage(
                    key=key,
                    reason=reason,
                    thread_id=thread_id,
                    checkpoint_id=checkpoint_id,
                    path=path,
                )
            )

    def is_named(self, key: Key) -> bool:
        """Tell whether a record was found damaged before."""
        return key in self._named


def checkpoint_of(key: Key) -> str | None:
    """Return the checkpoint that a record is, or is a pending write of, if it is either."""
    if key.kind == "checkpoint":
        return key.id
    return key.id.rsplit("/", 2)[0] if key.kind == "write" else None
