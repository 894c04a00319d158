"""`OpenAIAgentsSource`: a SQLite file of sessions of OpenAI's Agents SDK, read as it is."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import apsw

from ...domain.errors import Corrupt, NotFound
from ...domain.history import EntryKind, TokenUsage, ToolCall
from ...domain.legacy.fields import Times, is_id
from ...domain.legacy.values import JsonObject
from ...domain.limits import MAX_BODY_BYTES
from ...domain.moment import to_micros
from ...domain.session import Session
from ...domain.source import Inventory, Note, Problem, SourceItem
from ...domain.thread import Branch, Fork, Position, Thread
from ..databases import opened
from ..pump import Steps, stream
from ..stock import take_stock
from .items import CALL, OUTPUT, Common, call_id_of, entry_of
from .lines import MAIN, Line, lines_of
from .raw import named, parsed, short, usage_metadata
from .rows import Tables

if TYPE_CHECKING:
    from ...domain.source import Entity, Finding
    from .rows import Stored

FORMAT: Final = "openai-agents"
SESSIONS: Final = "agent_sessions"
MESSAGES: Final = "agent_messages"
"""What the SDK calls its tables unless it is told otherwise."""


_LONGEST: Final = 512
"""Longest session id, in UTF-8 bytes, that ids of other things begin with as it is."""

_TIMES: Final = Times(UTC)


class OpenAIAgentsSource:
    """Reads the sessions of one SQLite file of `SQLiteSession` or `AdvancedSQLiteSession`.

    A session becomes a session with a thread of the same id; each further branch a thread that
    continues the one it was made from. Items become messages, calls of functions tool calls with
    their output, counted turns token usage. Ids are made of the session's and the row's numbers,
    and stay the same. Times are to the second and UTC, as the SDK writes them; order is kept.

    The file is never changed. One session's numbers and one item are in memory at a time.
    """

    def __init__(
        self, path: str | Path, *, sessions_table: str = SESSIONS, messages_table: str = MESSAGES
    ) -> None:
        """Take the file, and the names of the tables; nothing is read yet."""
        self._path: Final = Path(path)
        self._sessions: Final = sessions_table
        self._messages: Final = messages_table

    async def scan(self) -> Inventory:
        """Count what is there: everything is read, and nothing is kept of it."""
        return await take_stock(self.read(), place=self._path, format=FORMAT, files=(self._path,))

    def read(self) -> AsyncGenerator[Finding, None]:
        """Go through everything once, sessions and threads before what stands on them."""
        return stream(self._read)

    def _read(self) -> Steps[Finding]:
        if not self._path.is_file():
            message = f"there is no file {self._path}: name the database of the Agents SDK"
            raise NotFound(message, code="no_source", path=str(self._path))
        place = self._path.name
        try:
            with opened(self._path) as db:
                tables = Tables.of(db, self._sessions, self._messages)
                if not tables.has_items(self._messages):
                    reason = f"has no table {self._messages!r} of the Agents SDK"
                    yield Problem(code="no_tables", place=place, reason=reason)
                    return
                visit = _Visit(tables, place, self._sessions)
                for id_, created, updated, own in list(tables.session_ids(self._sessions)):
                    yield from visit.session(id_, created, updated, has_row=own)
                for id_, *_ in list(tables.session_ids(self._sessions)):
                    yield from visit.entries(id_)
        except Corrupt as error:
            yield Problem(code=error.code, place=place, reason=error.message)


@dataclass(slots=True)
class _Pairs:
    """In which rows the outputs of calls stand, and which of them stand with their calls."""

    outputs: dict[str, int]
    met: dict[str, int] = field(default_factory=dict[str, int])


@dataclass(slots=True)
class _Visit:
    """One passage through a database."""

    tables: Tables
    place: str
    sessions: str
    _names: dict[str, str] = field(default_factory=dict[str, str])

    def session(
        self, id_: str, created: object, updated: object, *, has_row: bool
    ) -> Iterator[Finding]:
        """Tell a session with its threads and branches."""
        place = f"{self.place}:{id_}"
        lines, moments = self._lines(id_)
        times = [moment for moment in moments.values() if moment is not None]
        begun = _TIMES.read(created) or min(times, default=None)
        name = self._name(id_)
        if begun is None:
            yield Problem(code="no_time", place=place, reason="a session without items or a time")
            return
        ended = max(_TIMES.read(updated) or begun, begun)
        session = Session(id=name, created_at=begun, updated_at=ended, metadata=named(id_, name))
        yield self._item("session", name, place, session, created, updated)
        if not has_row:
            reason = "items name a session that has no row of its own"
            yield Note(
                code="dangling_session", place=place, reason=reason, kind="session", source_id=name
            )
        for line in lines:
            yield from self._thread(id_, line, moments, begun, place)

    def _thread(
        self,
        id_: str,
        line: Line,
        moments: dict[int, datetime | None],
        begun: datetime,
        place: str,
    ) -> Iterator[Finding]:
        name, own = self._name(id_), self._thread_id(id_, line.name)
        first = next((moments[row] for row in line.own if moments.get(row)), None) or begun
        origin, shared = None, None
        if line.parent is not None:
            if line.last_shared is None:
                until = Position(to_micros(begun), "")
            else:
                shared = self._entry_id(id_, line.last_shared)
                at = moments.get(line.last_shared) or begun
                until = Position(to_micros(at), shared).behind()
            parent = self._thread_id(id_, line.parent)
            origin = Fork(thread_id=parent, until=until, message_id=shared)
        thread = Thread(
            id=own,
            session_id=name,
            title="" if line.parent is None else line.name,
            root_id=self._thread_id(id_, MAIN) if line.parent is not None else own,
            origin=origin,
            created_at=first,
            updated_at=first,
        )
        where = f"{place}/{line.name}"
        yield self._item("thread", own, where, thread, line.parent, line.last_shared)
        if origin is not None:
            branch = Branch(
                id=f"{own}~branch" if len(own) < _LONGEST else f"branch~{short(own)}",
                name=line.name,
                source_thread_id=origin.thread_id,
                thread_id=own,
                session_id=name,
                message_id=shared,
                created_at=first,
                updated_at=first,
            )
            yield self._item("branch", branch.id, where, branch, line.parent, line.last_shared)

    def entries(self, id_: str) -> Iterator[Finding | None]:
        """Tell the items and the usage of a session."""
        lines, moments = self._lines(id_)
        owners: dict[int, list[Line]] = {}
        for line in lines:
            for row in line.own:
                owners.setdefault(row, []).append(line)
        pairs = _Pairs(self._outputs(id_))
        try:
            for stored in self.tables.items(id_):
                at = moments.get(stored.row)
                homes = owners.get(stored.row) or lines[:1]
                yield from self._entry(id_, stored, homes, at, pairs=pairs)
                yield None
            yield from self._usage(id_, {line.name for line in lines})
        except apsw.Error as error:
            reason = f"SQLite cannot read on: {error}"
            yield Problem(code="bad_database", place=f"{self.place}:{id_}", reason=reason)

    def _entry(
        self,
        id_: str,
        stored: Stored,
        homes: list[Line],
        at: datetime | None,
        *,
        pairs: _Pairs,
    ) -> Iterator[Finding]:
        place = f"{self.place}:{id_}:{stored.row}"
        item = parsed(stored.data, place)
        if isinstance(item, Problem):
            yield item
            return
        if at is None:
            reason = "tells no time that can be read, and nor does anything before it"
            yield Problem(
                code="no_time", place=place, reason=reason, raw=stored.data[:MAX_BODY_BYTES]
            )
            return
        call = call_id_of(item)
        if item.get("type") == OUTPUT and pairs.met.get(call or "") == stored.row:
            return  # it stands in the entry of its call
        output, raw = None, b""
        if item.get("type") == CALL and call in pairs.outputs and call not in pairs.met:
            output, raw = self._output(pairs.outputs[call])
            if output is not None:
                pairs.met[call] = pairs.outputs[call]
        for number, line in enumerate(homes):
            entry_id = self._entry_id(id_, stored.row, line.name if number else "")
            common = Common(
                id=entry_id,
                thread_id=self._thread_id(id_, line.name),
                session_id=self._name(id_),
                created_at=at,
            )
            entry = entry_of(item, output, common)
            is_call = isinstance(entry, ToolCall)
            kind = EntryKind.TOOL_CALL if is_call else EntryKind.MESSAGE
            parts = (stored.data, stored.created_at, raw, line.name)
            yield self._item(kind.value, entry_id, place, entry, *parts)
            if number:
                reason = "stands in several branches that do not continue one another: copied"
                yield Note(
                    code="copied", place=place, reason=reason, kind=kind.value, source_id=entry_id
                )

    def _usage(self, id_: str, branches: set[str]) -> Iterator[Finding]:
        for usage in self.tables.usage(id_):
            place = f"{self.place}:{id_}:usage {usage.row}"
            at = _TIMES.read(usage.created_at)
            if at is None:
                reason = "tells no time that can be read"
                yield Problem(code="no_time", place=place, reason=reason)
                continue
            branch = usage.branch if usage.branch in branches else MAIN
            name = f"{self._prefix(id_)}~usage~{usage.row:012}"
            entry = TokenUsage(
                id=name,
                thread_id=self._thread_id(id_, branch),
                session_id=self._name(id_),
                created_at=at,
                model="unknown",
                provider="openai",
                prompt_tokens=usage.prompt,
                completion_tokens=usage.completion,
                total_tokens=usage.total,
                metadata=usage_metadata(usage),
            )
            parts = (usage.branch, usage.turn, usage.prompt, usage.completion, usage.total)
            yield self._item(
                EntryKind.TOKEN_USAGE.value, name, place, entry, *parts, usage.requests
            )

    def _lines(self, id_: str) -> tuple[list[Line], dict[int, datetime | None]]:
        """Return the branches of a session, and when each row was written, never going back."""
        moments: dict[int, datetime | None] = {}
        last: datetime | None = None
        for stored in self.tables.items(id_):
            read = _TIMES.read(stored.created_at)
            if read is not None and (last is None or read > last):
                last = read
            moments[stored.row] = last
        branches = {
            name: [row for row in rows if row in moments]
            for name, rows in self.tables.branches(id_).items()
        }
        if not branches:
            return [Line(MAIN, None, None, tuple(moments))], moments
        branches = {MAIN: branches.pop(MAIN, []), **branches}
        placed = {row for rows in branches.values() for row in rows}
        # Rows without a place in any branch were written before there were branches.
        branches[MAIN] = sorted({*branches[MAIN], *(row for row in moments if row not in placed)})
        return lines_of(branches), moments

    def _outputs(self, id_: str) -> dict[str, int]:
        """Return in which row the output of each call stands."""
        found: dict[str, int] = {}
        for stored in self.tables.items(id_):
            if OUTPUT.encode() not in stored.data:
                continue
            item = parsed(stored.data, "")
            if isinstance(item, dict) and item.get("type") == OUTPUT:
                call = call_id_of(item)
                if call is not None:
                    found.setdefault(call, stored.row)
        return found

    def _output(self, row: int) -> tuple[JsonObject | None, bytes]:
        text = f"SELECT CAST(message_data AS BLOB) FROM {self.tables.messages} WHERE rowid = ?"  # noqa: S608
        for (data,) in self.tables.db.execute(text, (row,)):
            raw = data if isinstance(data, bytes) else b""
            item = parsed(raw, "")
            return (item, raw) if isinstance(item, dict) else (None, b"")
        return None, b""

    def _item(
        self, kind: str, source_id: str, place: str, entity: Entity, *parts: object
    ) -> SourceItem:
        whole = hashlib.sha256()
        for part in parts:
            data = part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass")
            whole.update(b"%d:%b" % (len(data), data))
        return SourceItem(
            kind=kind, source_id=source_id, place=place, digest=whole.hexdigest(), entity=entity
        )

    def _name(self, id_: str) -> str:
        return id_ if is_id(id_) else f"session~{short(id_)}"

    def _prefix(self, id_: str) -> str:
        name = self._name(id_)
        return name if len(name.encode()) <= _LONGEST else short(name)

    def _thread_id(self, id_: str, branch: str) -> str:
        if branch == MAIN:
            return self._name(id_)
        is_short = is_id(branch) and len(branch.encode()) < _LONGEST // 2
        return f"{self._prefix(id_)}~{branch if is_short else short(branch)}"

    def _entry_id(self, id_: str, row: int, branch: str = "") -> str:
        name = f"{self._prefix(id_)}~{row:012}"
        return f"{name}~{short(branch)[:16]}" if branch else name
