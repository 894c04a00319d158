"""`Coverage`: what a set of grants lets somebody see of one space, in terms of queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ...domain.grant import Mode
from ...domain.query import Condition
from ...stores.grants import GRANT
from ...stores.trees import DICTIONARY, FAMILY, HEAD, NODE, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ...domain.grant import Grant
    from ...domain.query import Query
    from ...domain.record import Record

SESSION: Final = "session"
THREAD: Final = "thread"
WRITE: Final = "write"
CHECKPOINT: Final = "checkpoint"

CLOSED: Final = frozenset({GRANT, "space"})
"""Kinds that no grant covers: whoever has one gives nothing on, and manages no space."""

PARTS: Final[Mapping[str, frozenset[str]]] = {
    CHECKPOINT: frozenset({NODE, FAMILY, HEAD, WRITE, SECRET, DICTIONARY}),
    "memory": frozenset({"vector"}),
}
"""Which kinds the records of a kind consist of: a grant for it covers them as well."""

PIECES: Final = frozenset[str]().union(*PARTS.values())
"""Kinds that are parts of others."""

APART: Final = frozenset({"memory", "vector"}) | CLOSED
"""Kinds that belong to no session."""

KEYED: Final = frozenset({NODE, FAMILY, HEAD, SECRET, DICTIONARY})
"""Kinds whose records a session's states are made of, and which do not name the session."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Everything, some kinds, or some sessions; what is of a session need not be of a kind."""

    whole: bool
    kinds: frozenset[str]
    sessions: frozenset[str]

    @classmethod
    def of(cls, grants: Iterable[Grant], mode: Mode) -> Coverage:
        """Return what grants cover for reading, or for writing."""
        whole, kinds, sessions = False, set[str](), set[str]()
        for grant in grants:
            if not grant.allows(mode):
                continue
            kind, session_id = grant.scope.kind, grant.scope.session_id
            if kind is not None:
                kinds |= {kind, *PARTS.get(kind, ())}
            elif session_id is not None:
                sessions.add(session_id)
            else:
                whole = True
        return cls(whole, frozenset(kinds), frozenset(sessions))

    def surely(self, kind: str) -> bool:
        """Tell whether every record of a kind is covered."""
        return kind not in CLOSED and (self.whole or kind in self.kinds)

    def perhaps(self, kind: str) -> bool:
        """Tell whether records of a kind may be covered."""
        return self.surely(kind) or (bool(self.sessions) and kind not in APART)

    def may_list(self, kind: str) -> bool:
        """Tell whether records of a kind may be listed: what states are made of is in no list."""
        return self.surely(kind) or (self.perhaps(kind) and kind not in KEYED)

    def names(self, kind: str, id: str, session_id: str | None) -> bool:
        """Tell whether a record that names its session is covered."""
        if self.surely(kind):
            return True
        if kind == SESSION:
            return id in self.sessions
        return kind not in APART and session_id in self.sessions

    def holds(self, record: Record) -> bool:
        """Tell whether a record that names its session is covered."""
        return self.names(record.key.kind, record.key.id, record.session_id)

    def parts(self, query: Query, threads: tuple[str, ...] | None) -> tuple[Query, ...]:
        """Return queries without a record in common that ask for what is covered of `query`.

        There are none where nothing can be covered. `threads` are those of the sessions, needed
        where `in_threads` says so.
        """
        if self.whole:
            return _without(query, CLOSED)
        found: list[Query] = []
        wanted = self.kinds.intersection(query.kinds) if query.kinds else self.kinds
        if wanted:
            found.append(replace(query, kinds=tuple(sorted(wanted))))
        if self._asks(query):
            found += self._of_sessions(query, threads or ())
        return tuple(found)

    def in_threads(self, query: Query) -> bool:
        """Tell whether `parts` has to know the threads of the sessions."""
        asked = not query.kinds or WRITE in query.kinds
        return asked and not self.surely(WRITE) and self._asks(query)

    def _asks(self, query: Query) -> bool:
        """Tell whether a query is about sessions that are covered."""
        if not self.sessions:
            return False
        return query.session_id is None or query.session_id in self.sessions

    def _of_sessions(self, query: Query, threads: tuple[str, ...]) -> list[Query]:
        sessions = tuple(sorted(self.sessions))
        asked = frozenset(query.kinds)
        found: list[Query] = []
        if self._rest(SESSION, asked):
            found.append(replace(query, kinds=(SESSION,)).only(Condition("id", "in", sessions)))
        if self._rest(WRITE, asked) and threads:
            found.append(replace(query, kinds=(WRITE,)).only(Condition("thread_id", "in", threads)))
        if DICTIONARY in asked and not self.surely(DICTIONARY):
            # A dictionary is needed to write states; nobody can open it as a record.
            found.append(replace(query, kinds=(DICTIONARY,)))
        special = self.kinds | APART | KEYED | {SESSION, WRITE}
        if not asked or asked - special:
            found += [
                part.only(Condition("session_id", "in", sessions))
                for part in _without(query, special)
            ]
        return found

    def _rest(self, kind: str, asked: frozenset[str]) -> bool:
        return kind not in self.kinds and (not asked or kind in asked)


def _without(query: Query, kinds: frozenset[str]) -> tuple[Query, ...]:
    """Return the query without some kinds, or nothing where no other is asked for."""
    if not query.kinds:
        return (query.only(*(Condition("kind", "ne", kind) for kind in sorted(kinds))),)
    left = tuple(kind for kind in query.kinds if kind not in kinds)
    return (replace(query, kinds=left),) if left else ()
