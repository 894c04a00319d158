"""What states take, and what they would take if nothing were shared."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadSpace:
    """The bytes of one thread's own checkpoints and pending writes, sealed as they are stored.

    `node_bytes` are the nodes that no other thread needs, `shared_bytes` those that another one
    needs as well; `whole_bytes` is what all of it would take with every state by itself.
    """

    thread_id: str
    checkpoints: int = 0
    writes: int = 0
    header_bytes: int = 0
    write_bytes: int = 0
    node_bytes: int = 0
    shared_bytes: int = 0
    whole_bytes: int = 0

    @property
    def own_bytes(self) -> int:
        """What would go with the thread."""
        return self.header_bytes + self.write_bytes + self.node_bytes

    @property
    def ratio(self) -> float:
        """How many times as much whole states would take, what is shared counted in full."""
        return self.whole_bytes / max(1, self.own_bytes + self.shared_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeSpace:
    """The bytes of all states, by kind and by thread; what is shared counts once.

    `garbage_bytes` are the nodes that nothing needs, which the next collection removes.
    """

    threads: tuple[ThreadSpace, ...] = ()
    nodes: int = 0
    node_bytes: int = 0
    garbage: int = 0
    garbage_bytes: int = 0
    dictionaries: int = 0
    dictionary_bytes: int = 0

    @property
    def header_bytes(self) -> int:
        """The bytes of checkpoints' headers with their roots."""
        return sum(thread.header_bytes for thread in self.threads)

    @property
    def write_bytes(self) -> int:
        """The bytes of pending writes with their roots."""
        return sum(thread.write_bytes for thread in self.threads)

    @property
    def stored_bytes(self) -> int:
        """Everything that is kept of these states."""
        kept = self.node_bytes + self.garbage_bytes + self.dictionary_bytes
        return kept + self.header_bytes + self.write_bytes

    @property
    def whole_bytes(self) -> int:
        """What it would be with every state by itself."""
        return sum(thread.whole_bytes for thread in self.threads)

    @property
    def ratio(self) -> float:
        """How many times as much whole states would take."""
        return self.whole_bytes / max(1, self.stored_bytes)
