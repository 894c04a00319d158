"""The tables of the Agents SDK, read row by row: sessions, items, branches and usage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from ..databases import columns

if TYPE_CHECKING:
    from ..databases import Database

STRUCTURE: Final = "message_structure"
USAGE: Final = "turn_usage"

_NEEDED: Final = {"session_id", "message_data"}
_BRANCHED: Final = {"session_id", "message_id", "branch_id", "sequence_number"}
_COUNTED: Final = {"session_id", "branch_id", "user_turn_number", "input_tokens", "output_tokens"}


@dataclass(frozen=True, slots=True)
class Stored:
    """One item as it stands in its row."""

    row: int
    data: bytes
    created_at: object


@dataclass(frozen=True, slots=True)
class Usage:
    """What one turn of a branch used; the details are JSON."""

    row: int
    branch: str
    turn: int
    requests: int
    prompt: int
    completion: int
    total: int
    details: tuple[object, object]
    created_at: object


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one database, and how to ask for their rows."""

    db: Database
    sessions: str
    messages: str
    known: dict[str, set[str]]

    @classmethod
    def of(cls, db: Database, sessions: str, messages: str) -> Tables:
        """Look at what there is."""
        return cls(db, _quoted(sessions), _quoted(messages), columns(db))

    def has_items(self, messages: str) -> bool:
        """Tell whether the table of items is there, as the SDK makes it."""
        return self.known.get(messages, set()) >= _NEEDED

    @property
    def has_branches(self) -> bool:
        """Whether items are ordered by branches."""
        return self.known.get(STRUCTURE, set()) >= _BRANCHED

    @property
    def has_usage(self) -> bool:
        """Whether tokens are counted."""
        return self.known.get(USAGE, set()) >= _COUNTED

    def session_ids(self, sessions: str) -> Iterator[tuple[str, object, object, bool]]:
        """Go through the sessions by id: their times, and whether they have a row of their own."""
        text = (
            f"SELECT DISTINCT session_id, NULL, NULL, 0 FROM {self.messages} "  # noqa: S608
            "WHERE session_id IS NOT NULL ORDER BY session_id"
        )
        if self.known.get(sessions, set()) >= {"session_id", "created_at", "updated_at"}:
            text = (
                f"SELECT session_id, created_at, updated_at, 1 FROM {self.sessions} "  # noqa: S608
                f"UNION ALL SELECT DISTINCT session_id, NULL, NULL, 0 FROM {self.messages} "
                f"WHERE session_id NOT IN (SELECT session_id FROM {self.sessions}) "
                "ORDER BY session_id"
            )
        for id_, created, updated, own in self.db.execute(text):
            yield str(id_), created, updated, bool(own)

    def items(self, session_id: str) -> Iterator[Stored]:
        """Go through the items of a session in the order in which they were written."""
        at = "created_at" if "created_at" in self._own else "NULL"
        text = (
            f"SELECT rowid, CAST(message_data AS BLOB), {at} FROM {self.messages} "  # noqa: S608
            "WHERE session_id = ? ORDER BY rowid"
        )
        for row, data, created in self.db.execute(text, (session_id,)):
            yield Stored(cast("int", row), cast("bytes | None", data) or b"", created)

    @property
    def _own(self) -> set[str]:
        name = self.messages[1:-1].replace('""', '"')
        return self.known.get(name, set())

    def branches(self, session_id: str) -> dict[str, list[int]]:
        """Return the rows of each branch of a session in order, the oldest branch first."""
        if not self.has_branches:
            return {}
        text = (
            f"SELECT branch_id, message_id FROM {STRUCTURE} WHERE session_id = ? "  # noqa: S608
            "ORDER BY sequence_number, rowid"
        )
        first = (
            f"SELECT branch_id FROM {STRUCTURE} WHERE session_id = ? "  # noqa: S608
            "GROUP BY branch_id ORDER BY branch_id <> 'main', min(rowid)"
        )
        found: dict[str, list[int]] = {
            str(name): [] for (name,) in self.db.execute(first, (session_id,))
        }
        for name, row in self.db.execute(text, (session_id,)):
            found[str(name)].append(cast("int", row))
        return found

    def usage(self, session_id: str) -> Iterator[Usage]:
        """Go through the turns of a session for which tokens were counted."""
        if not self.has_usage:
            return
        there = self.known[USAGE]
        names = ("requests", "total_tokens", "input_tokens_details", "output_tokens_details")
        extra = ", ".join(name if name in there else "NULL" for name in (*names, "created_at"))
        text = (
            "SELECT rowid, branch_id, user_turn_number, input_tokens, output_tokens, "  # noqa: S608
            f"{extra} FROM {USAGE} WHERE session_id = ? ORDER BY rowid"
        )
        for row, branch, turn, prompt, completion, requests, total, *rest in self.db.execute(
            text, (session_id,)
        ):
            yield Usage(
                row=cast("int", row),
                branch=str(branch),
                turn=_count(turn),
                requests=_count(requests),
                prompt=_count(prompt),
                completion=_count(completion),
                total=_count(prompt) + _count(completion) if total is None else _count(total),
                details=(rest[0], rest[1]),
                created_at=rest[2],
            )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
