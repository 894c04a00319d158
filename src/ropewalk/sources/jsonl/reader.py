"""`JsonlSource`: files of JSON lines with messages, conversations, sessions and threads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...domain.errors import NotFound
from ...domain.history import EntryKind, Message, ToolCall
from ...domain.legacy.fields import Times, fit, is_id
from ...domain.legacy.values import JsonObject, as_list, as_object, canonical, excerpt
from ...domain.limits import MAX_LABEL_BYTES
from ...domain.moment import EPOCH
from ...domain.session import Session
from ...domain.source import Inventory, Note, Problem, SourceItem
from ...domain.thread import Thread
from ..lines import read_lines
from ..pump import Steps, stream
from ..register import Register
from ..stock import take_stock
from ..text import digest_of
from .mapping import Mapped, Names

if TYPE_CHECKING:
    from ...domain.source import Entity, Finding

FORMAT: Final = "jsonl"
KEPT: Final = "jsonl"
"""Key of the metadata under which the fields of a line stand that are none of an entity's."""

_ARCHIVE: Final = "ropewalk-archive"
_SUFFIX: Final = ".jsonl"
_TIMES: Final = Times(UTC)
_TICK: Final = timedelta(microseconds=1)
_MILLIS: Final = 10**11
"""Numbers from here on are milliseconds since 1970: seconds would lie beyond the year 5000."""


class JsonlSource:
    """Reads a file of JSON lines, or all files of a folder that are called `.jsonl`.

    A line with a role is a message, one with the name of a tool a call, one with a list of
    messages a conversation, and one with none of these a session or a thread, by the id that it
    has. Sessions and threads that only messages name are made. Where fields stand under other
    names, the arguments say which: `content="body.text"`, or several, the first that is there.
    Times are ISO 8601, or seconds or milliseconds since 1970; without a zone they are UTC, and
    where there is none, a message comes right behind the one before it. Ids of messages that
    have none are made of the thread's and the line's number.

    Files are never changed. A line and some bytes for each id, on disk, are held.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        id: str | None = None,
        session: str | None = None,
        thread: str | None = None,
        user: str | None = None,
        title: str | None = None,
        role: str | None = None,
        content: str | None = None,
        name: str | None = None,
        time: str | None = None,
        tool: str | None = None,
        input: str | None = None,
        output: str | None = None,
        messages: str | None = None,
    ) -> None:
        """Take the place and the names of fields; nothing is read yet."""
        self._path: Final = Path(path)
        given = {"id": id, "session": session, "thread": thread, "user": user, "title": title}
        given |= {"role": role, "content": content, "name": name, "time": time, "tool": tool}
        given |= {"input": input, "output": output, "messages": messages}
        self._names: Final = Names(given)

    async def scan(self) -> Inventory:
        """Count what is there: everything is read, and nothing is kept of it."""
        return await take_stock(
            self.read(), place=self._path, format=FORMAT, files=_files(self._path)
        )

    def read(self) -> AsyncGenerator[Finding, None]:
        """Go through everything once: sessions and threads, then what was said."""
        return stream(self._read)

    def _read(self) -> Steps[Finding]:
        files = _files(self._path)
        with Register() as register:
            for path in files:
                for line in _lines(path, self._names):
                    if isinstance(line, _Line) and line.is_own:
                        register.meet(line.topic, line.own_id)
                    yield None
            for path in files:
                for line in _lines(path, self._names):
                    yield from [line] if isinstance(line, Problem) else _frames(line, register)
                    yield None
            for path in files:
                for line in _lines(path, self._names):
                    yield from () if isinstance(line, Problem) else _said(line, register)
                    yield None


@dataclass(slots=True)
class _Line:
    """One line, or one message of a conversation, with the place and the time that it has."""

    place: str
    raw: JsonObject
    mapped: Mapped
    at: datetime
    guessed: bool
    number: str
    home: str
    messages: list[_Line] = field(default_factory=list["_Line"])

    def id_of(self, name: str) -> str | None:
        """Return an id that stands in the line, `None` where there is none that can be one."""
        value = self.mapped.fields.get(name)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        return text if isinstance(text, str) and is_id(text) else None

    @property
    def is_said(self) -> bool:
        """Whether it is an entry of the history."""
        return "role" in self.mapped or "tool" in self.mapped

    @property
    def is_own(self) -> bool:
        """Whether it is a session or a thread by itself."""
        has_id = any(self.id_of(name) for name in ("session", "thread"))
        return has_id and not self.is_said and not self.messages

    @property
    def topic(self) -> str:
        """Which of the two it is."""
        return "own thread" if self.id_of("thread") else "own session"

    @property
    def own_id(self) -> str:
        """The id that such a line is about."""
        return self.id_of("thread") or self.id_of("session") or ""

    @property
    def thread_id(self) -> str:
        """The thread that something was said on: the one named, the session's, or the file's."""
        return self.id_of("thread") or self.id_of("session") or self.home


def _files(path: Path) -> list[Path]:
    files = [path] if path.is_file() else sorted(path.rglob(f"*{_SUFFIX}"))
    if not files:
        message = f"there is no file {path}, and no folder with files called {_SUFFIX}"
        raise NotFound(message, code="no_source", path=str(path))
    return files


def _lines(path: Path, names: Names) -> Iterator[_Line | Problem]:
    """Go through the lines of a file, each with its time, which never goes unsaid."""
    last: datetime = EPOCH
    for found in read_lines(path, path.name):
        if isinstance(found, Problem):
            yield found
            continue
        if found.value.get("format") == _ARCHIVE:
            reason = "an archive of Ropewalk: bring it with `ropewalk import archive`"
            yield Problem(code="archive", place=found.place, reason=reason)
            return
        number = found.place.rpartition(":")[2]
        line = _line(
            found.value,
            names,
            place=found.place,
            last=last,
            number=f"{int(number):09}",
            home=path.stem,
        )
        last = line.at
        listed = as_list(line.mapped.fields.get("messages"))
        home = line.id_of("thread") or line.id_of("session") or line.id_of("id")
        for index, item in enumerate(listed or ()):
            inner = as_object(item)
            place = f"{found.place}[{index}]"
            if inner is None:
                text = excerpt(canonical(item))
                yield Problem(code="not_object", place=place, reason="no message", excerpt=text)
                continue
            spot = home or f"{path.stem}~{line.number}"
            part = _line(
                inner,
                names,
                place=place,
                last=last,
                number=f"{line.number}.{index:05}",
                home=spot,
            )
            session = line.mapped.fields.get("session")
            part.mapped.fields.setdefault("session", session)
            part.mapped.fields.setdefault("thread", spot)
            last = part.at
            line.messages.append(part)
        yield line


def _line(
    raw: JsonObject, names: Names, *, place: str, last: datetime, number: str, home: str
) -> _Line:
    mapped = names.map(raw)
    at = _time(mapped.fields.get("time"))
    return _Line(place, raw, mapped, at or last + _TICK, at is None, number, _plain(home))


def _time(value: object) -> datetime | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= _MILLIS:
        return _TIMES.read(value / 1000)
    return _TIMES.read(value)


def _plain(home: str) -> str:
    return home if is_id(home) else "jsonl"


def _frames(line: _Line, register: Register) -> Iterator[Finding]:
    """Tell the session and the thread of a line where nothing did so before."""
    if line.is_own:
        kind = "thread" if line.topic == "own thread" else "session"
        if register.meet(kind, line.own_id) > 1:
            reason = f"the {kind} {line.own_id} stands in an earlier line already"
            yield _problem("duplicate", line, reason)
        elif kind == "thread":
            yield from _session_of(line, register)
            yield _item("thread", line.own_id, line, _thread(line))
        else:
            yield _item("session", line.own_id, line, _session(line))
        return
    parts = line.messages or ([line] if line.is_said else [])
    if not parts:
        known = "no role, no tool, no messages, and no id of a session or a thread"
        yield _problem("unknown_line", line, f"it has {known}: tell the names of its fields")
    for part in parts:
        yield from _session_of(part, register)
        is_known = register.knows("own thread", part.thread_id)
        if not is_known and register.meet("thread", part.thread_id) == 1:
            bare = Thread(
                id=part.thread_id,
                session_id=part.id_of("session"),
                root_id=part.thread_id,
                created_at=part.at,
                updated_at=part.at,
            )
            yield _item("thread", part.thread_id, part, bare, raw={"thread": part.thread_id})


def _session_of(line: _Line, register: Register) -> Iterator[Finding]:
    id_ = line.id_of("session")
    if id_ is None or register.knows("own session", id_) or register.meet("session", id_) > 1:
        return
    bare = Session(id=id_, user_id=_word(line, "user"), created_at=line.at, updated_at=line.at)
    yield _item("session", id_, line, bare, raw={"session": id_})


def _session(line: _Line) -> Session:
    return Session(
        id=line.own_id,
        title=_word(line, "title") or "",
        user_id=_word(line, "user"),
        metadata=_metadata(line),
        created_at=line.at,
        updated_at=line.at,
    )


def _thread(line: _Line) -> Thread:
    return Thread(
        id=line.own_id,
        session_id=line.id_of("session"),
        title=_word(line, "title") or "",
        root_id=line.own_id,
        metadata=_metadata(line),
        created_at=line.at,
        updated_at=line.at,
    )


def _said(line: _Line, register: Register) -> Iterator[Finding]:
    """Tell what was said in a line."""
    for part in line.messages or ([line] if line.is_said else []):
        if not part.is_said:
            yield _problem("unknown_line", part, "a message without a role")
            continue
        own = part.id_of("id")
        id_ = register.claim("entry", own or f"{fit(part.thread_id, 900)}~{part.number}")
        entry = _entry(part, id_)
        kind = EntryKind.TOOL_CALL if isinstance(entry, ToolCall) else EntryKind.MESSAGE
        yield _item(kind.value, id_, part, entry)
        for code, reason in _odd(part, own, id_):
            yield Note(code=code, place=part.place, reason=reason, kind=kind.value, source_id=id_)


def _odd(part: _Line, own: str | None, id_: str) -> Iterator[tuple[str, str]]:
    if own is not None and own != id_:
        yield "duplicate_id", f"the id {own} was used before; kept as {id_}"
    if part.guessed:
        yield "time_guessed", f"it tells no time that can be read; took {part.at.isoformat()}"


def _entry(part: _Line, id_: str) -> Message | ToolCall:
    fields = part.mapped.fields
    if "tool" in part.mapped:
        return ToolCall(
            id=id_,
            thread_id=part.thread_id,
            session_id=part.id_of("session"),
            created_at=part.at,
            metadata=_metadata(part),
            tool_name=_word(part, "tool") or "unknown",
            tool_input=fields.get("input"),
            tool_output=fields.get("output"),
        )
    call = part.mapped.rest.get("tool_call_id")
    return Message(
        id=id_,
        thread_id=part.thread_id,
        session_id=part.id_of("session"),
        created_at=part.at,
        metadata=_metadata(part),
        role=_word(part, "role") or "user",
        content=fields.get("content", ""),
        name=_word(part, "name"),
        tool_call_id=call if isinstance(call, str) and call else None,
    )


def _metadata(line: _Line) -> dict[str, Any]:
    given = line.mapped.fields.get("metadata")
    metadata: dict[str, Any] = dict(as_object(given) or {})
    rest: dict[str, Any] = dict(line.mapped.rest)
    if given is not None and as_object(given) is None:
        rest["metadata"] = given
    return {**metadata, KEPT: rest} if rest else metadata


def _word(line: _Line, name: str) -> str | None:
    value = line.mapped.fields.get(name)
    if value is None:
        return None
    text = value if isinstance(value, str) else canonical(value).decode("utf-8", "replace")
    return fit(text, MAX_LABEL_BYTES) or None


def _item(
    kind: str, id_: str, line: _Line, entity: Entity, *, raw: JsonObject | None = None
) -> SourceItem:
    digest = digest_of(line.raw if raw is None else raw)
    return SourceItem(kind=kind, source_id=id_, place=line.place, digest=digest, entity=entity)


def _problem(code: str, line: _Line, reason: str) -> Problem:
    whole = canonical(line.raw)
    return Problem(code=code, place=line.place, reason=reason, excerpt=excerpt(whole), raw=whole)
