"""Put checkpoints behind their parents, in bounded memory.

Ids rise with time, so in the order of ids nearly every parent comes before its children. The few
that do not are put off until their parent has come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeAlias

from ...domain.source import Problem
from .rows import CheckpointRow

Read: TypeAlias = CheckpointRow | Problem


class Lookup(Protocol):
    """Finds single checkpoints of the table that is gone through."""

    def has(self, thread: str, namespace: str, id: str) -> bool:
        """Tell whether there is such a checkpoint."""
        ...

    def fetch(self, thread: str, namespace: str, id: str) -> Iterator[Read]:
        """Read one checkpoint again."""
        ...


def parents_first(rows: Iterable[Read], lookup: Lookup) -> Iterator[Read]:
    """Go through rows that come by thread, namespace and id, each behind its parent.

    Where parents form a circle, their rows come last, in the order of their ids.
    """
    line = _Line("", "", lookup.fetch)
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        if (row.thread, row.namespace) != (line.thread, line.namespace):
            yield from line.rest()
            line = _Line(row.thread, row.namespace, lookup.fetch)
        parent = row.parent
        if parent is not None and (
            line.is_late(parent)
            or (parent > row.id and lookup.has(row.thread, row.namespace, parent))
        ):
            line.put_off(row.id, parent)
            continue
        yield row
        yield from line.behind(row.id)
    yield from line.rest()


class _Line:
    """The checkpoints of one namespace that wait for their parents: ids, and nothing else."""

    def __init__(
        self, thread: str, namespace: str, fetch: Callable[[str, str, str], Iterator[Read]]
    ) -> None:
        self.thread = thread
        self.namespace = namespace
        self._fetch = fetch
        self._waiting: dict[str, list[str]] = {}
        self._late: dict[str, None] = {}

    def is_late(self, id: str) -> bool:
        """Tell whether a checkpoint waits itself."""
        return id in self._late

    def put_off(self, id: str, parent: str) -> None:
        """Note that a checkpoint waits for its parent."""
        self._waiting.setdefault(parent, []).append(id)
        self._late[id] = None

    def behind(self, id: str) -> Iterator[Read]:
        """Read everything that waited for this checkpoint, and for those that come by that."""
        ready = [id]
        while ready:
            for child in self._waiting.pop(ready.pop(), ()):
                self._late.pop(child)
                yield from self._fetch(self.thread, self.namespace, child)
                ready.append(child)

    def rest(self) -> Iterator[Read]:
        """Read what waits for one another."""
        for id_ in self._late:
            yield from self._fetch(self.thread, self.namespace, id_)
