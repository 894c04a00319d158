"""A case for every public method of a handle: how somebody might reach into another space by it.

`theirs` are the ids of things that only the neighbour has; all others are in both spaces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import timedelta
from typing import Any, Final, TypeAlias, cast

from ropewalk.domain.change import Commit
from ropewalk.domain.checkpoint import CleanupPolicy, Write
from ropewalk.domain.cursor import Cursor
from ropewalk.domain.errors import RopewalkError
from ropewalk.domain.grant import Scope, grant_id
from ropewalk.domain.memory import Name
from ropewalk.domain.query import Order
from ropewalk.services.storage import Storage

from .moving_cases import MOVING
from .working_cases import WORKING


class Pick:
    """Chooses arguments by numbers that were drawn before, so that two worlds get the same."""

    def __init__(self, numbers: Iterable[int]) -> None:
        """Use up `numbers`; behind their end, choose the first of all options."""
        self._numbers = iter(numbers)

    def of(self, *options: Any) -> Any:  # noqa: ANN401 (whatever the options are)
        """Return one of the options."""
        return options[next(self._numbers, 0) % len(options)]

    @property
    def session(self) -> str:
        """The id of a session."""
        return str(self.of("s", "theirs", "none"))

    @property
    def thread(self) -> str:
        """The id of a thread."""
        return str(self.of("t", "f", "theirs", "none"))

    @property
    def at(self) -> str:
        """The id of a checkpoint."""
        return str(self.of("c2", "c0", "theirs", "none"))

    @property
    def entry(self) -> str:
        """The id of an entry of the history, or of a plain record."""
        return str(self.of("m", "r", "used", "theirs", "none"))

    @property
    def kind(self) -> str | None:
        """A kind of records, or none."""
        kind = self.of(None, "note", "message", "session", "space", "grant", "checkpoint", "memory")
        return None if kind is None else str(kind)

    @property
    def cursor(self) -> str | None:
        """A place in a list: one in the neighbour's space, or none."""
        place = self.of(None, Cursor(0, "", "", "b"), Cursor(2**62, "z", "z", "b"))
        return None if place is None else place.encode()

    @property
    def name(self) -> Name:
        """The name of a memory."""
        return Name((str(self.of("both", "theirs")),), "k")


GRANT: Final = grant_id("elsewhere", Scope(kind="message"))
"""The one that both have given."""
ONE: Final = CleanupPolicy(keep_last=1)
WRITES: Final = (Write(task_id="task", index=0, channel="log", value=["new"]),)
SELECTS: Final = (
    "SELECT * FROM note",
    "SELECT id, data.v FROM message ORDER BY id",
    "SELECT count(*) AS n, max(data.v) AS v FROM note",
    "SELECT * FROM space",
    "SELECT * FROM grant",
    "SELECT * FROM note WHERE space = 'b'",
    "SELECT * FROM b.note",
    "SELECT * FROM note UNION SELECT * FROM message",
)

Handle: TypeAlias = Any
"""A handle or a unit of work; cases are called without types, as programs may."""

Case: TypeAlias = Callable[[Handle, Pick], Any]

CASES: Final[Mapping[str, Case]] = {
    **WORKING,
    **MOVING,
    "capabilities": lambda h, _: h.capabilities,
    "space_name": lambda h, _: h.space_name,
    "open": lambda h, _: h.open(),
    "close": lambda h, _: h.close(),
    "ping": lambda h, _: h.ping(),
    "feed": lambda h, _: h.feed(),
    "kinds": lambda h, _: h.kinds(),
    "shared": lambda h, p: h.shared(p.of("b", "a", "none")),
    "space": lambda h, p: h.space(p.of("b", "a", "none", "default")),
    "switch": lambda h, _: h.switch("memory://"),
    "unit": lambda h, _: h.unit(),
    "spaces.counts": lambda h, _: h.spaces.counts(),
    "spaces.create": lambda h, p: h.spaces.create(p.of("b", "new"), members=["a"]),
    "spaces.delete": lambda h, p: h.spaces.delete("b", dry_run=p.of(1, 0)),
    "spaces.describe": lambda h, p: h.spaces.describe(p.of("b", "a"), "mine"),
    "spaces.get": lambda h, p: h.spaces.get(p.of("b", "a", "none")),
    "spaces.list": lambda h, _: h.spaces.list(),
    "grants.get": lambda h, p: h.grants.get(p.of(GRANT, "none")),
    "grants.give": lambda h, p: h.grants.give(p.of("b", "c"), session_id=p.session, mode="write"),
    "grants.given": lambda h, p: h.grants.given(to=p.of(None, "elsewhere", "b")),
    "grants.received": lambda h, _: h.grants.received(),
    "grants.revoke": lambda h, p: h.grants.revoke(p.of(GRANT, "none")),
    "catalog.checkpoint_bytes": lambda h, p: h.catalog.checkpoint_bytes(session_id=p.session),
    "catalog.checkpoints": lambda h, p: h.catalog.checkpoints(limit=2, cursor=p.cursor),
    "catalog.exactly": lambda h, p: h.catalog.exactly(p.entry),
    "catalog.forks": lambda h, p: h.catalog.forks(thread_id=p.thread),
    "catalog.last_work": lambda h, p: h.catalog.last_work(session_id=p.session),
    "catalog.named": lambda h, p: h.catalog.named(p.of("", "t", "theirs"), limit=100),
    "catalog.threads": lambda h, p: h.catalog.threads(p.session),
    "catalog.turns": lambda h, p: h.catalog.turns(thread_id=p.thread),
    "sessions.add_interaction": lambda h, p: h.sessions.add_interaction(p.session, "click", id="n"),
    "sessions.adopt": lambda h, p: _again(h.sessions.adopt, h.sessions.get(p.session), p),
    "sessions.adopt_interactions": lambda h, p: _again_first(
        h.sessions.adopt_interactions, h.sessions.interactions("s"), p
    ),
    "sessions.archive": lambda h, p: h.sessions.archive(p.session),
    "sessions.close": lambda h, p: h.sessions.close(p.session),
    "sessions.count": lambda h, p: h.sessions.count(tag=p.of(None, "theirs")),
    "sessions.create": lambda h, p: h.sessions.create(id=p.of(p.session, "new")),
    "sessions.delete": lambda h, p: h.sessions.delete(
        p.session, cascade=p.of("restrict", "detach", "all")
    ),
    "sessions.exists": lambda h, p: h.sessions.exists(p.session),
    "sessions.find": lambda h, p: h.sessions.find(p.session),
    "sessions.get": lambda h, p: h.sessions.get(p.session),
    "sessions.interactions": lambda h, p: h.sessions.interactions(p.session, cursor=p.cursor),
    "sessions.list": lambda h, p: h.sessions.list(
        user_id=p.of(None, "theirs"), limit=p.of(50, 1), cursor=p.cursor
    ),
    "sessions.stream": lambda h, _: h.sessions.stream(),
    "sessions.update": lambda h, p: h.sessions.update(p.session, title="new", tags=["x"]),
    "threads.adopt": lambda h, p: _again(h.threads.adopt, h.threads.get(p.thread), p),
    "threads.adopt_branches": lambda h, p: _again_first(
        h.threads.adopt_branches, h.threads.branches("t"), p
    ),
    "threads.adopt_snapshots": lambda h, p: _again_first(
        h.threads.adopt_snapshots, h.threads.snapshots("t"), p
    ),
    "threads.branches": lambda h, p: h.threads.branches(p.thread),
    "threads.count": lambda h, p: h.threads.count(session_id=p.of(None, p.session)),
    "threads.create": lambda h, p: h.threads.create(id=p.thread, session_id=p.of(None, p.session)),
    "threads.delete": lambda h, p: h.threads.delete(p.thread, cascade=p.of("restrict", "all")),
    "threads.delete_if_empty": lambda h, p: h.threads.delete_if_empty(p.thread),
    "threads.delete_of": lambda h, p: h.threads.delete_of([p.thread, "theirs"]),
    "threads.delete_snapshot": lambda h, p: h.threads.delete_snapshot(p.entry),
    "threads.detach_of": lambda h, p: h.threads.detach_of(p.session),
    "threads.ensure": lambda h, p: h.threads.ensure(p.thread),
    "threads.find": lambda h, p: h.threads.find(p.thread),
    "threads.fork": lambda h, p: h.threads.fork(p.thread, at=p.of(None, p.at), id=p.of(None, "n")),
    "threads.get": lambda h, p: h.threads.get(p.thread),
    "threads.ids_of": lambda h, p: h.threads.ids_of(p.session),
    "threads.lineage": lambda h, p: h.threads.lineage(p.thread),
    "threads.list": lambda h, p: h.threads.list(
        session_id=p.of(None, p.session), limit=p.of(50, 1), cursor=p.cursor
    ),
    "threads.merge": lambda h, p: h.threads.merge(p.thread, into=p.thread),
    "threads.restore": lambda h, p: h.threads.restore(p.thread, p.entry),
    "threads.rollback": lambda h, p: h.threads.rollback(p.thread, to=p.at),
    "threads.segments": lambda h, p: h.threads.segments(p.thread),
    "threads.snapshot": lambda h, p: h.threads.snapshot(p.thread, "new"),
    "threads.snapshots": lambda h, p: h.threads.snapshots(p.thread),
    "threads.stream": lambda h, p: h.threads.stream(session_id=p.of(None, p.session)),
    "threads.tree": lambda h, p: h.threads.tree(p.thread),
    "threads.update": lambda h, p: h.threads.update(p.thread, title="new"),
    "threads.update_branch": lambda h, p: h.threads.update_branch(p.entry, name="new"),
    "history.add_cost": lambda h, p: h.history.add_cost(model="x", total_cost="1", **_common(p)),
    "history.add_llm_request": lambda h, p: h.history.add_llm_request(model="x", **_common(p)),
    "history.add_llm_response": lambda h, p: h.history.add_llm_response(
        model="x", request_id=p.of("asked", "theirs"), **_common(p)
    ),
    "history.add_message": lambda h, p: h.history.add_message(role="user", **_common(p)),
    "history.add_token_usage": lambda h, p: h.history.add_token_usage(
        model="x", prompt_tokens=1, completion_tokens=1, **_common(p)
    ),
    "history.add_tool_call": lambda h, p: h.history.add_tool_call(tool_name="x", **_common(p)),
    "history.adopt": lambda h, p: _again(h.history.adopt, h.history.get(p.entry), p),
    "history.cost_statistics": lambda h, p: h.history.cost_statistics(
        thread_id=p.of(None, p.thread)
    ),
    "history.cost_statistics_by": lambda h, p: h.history.cost_statistics_by(
        p.of("model", "thread_id")
    ),
    "history.count": lambda h, p: h.history.count(session_id=p.of(None, p.session)),
    "history.delete_of": lambda h, p: h.history.delete_of(p.thread),
    "history.delete_of_session": lambda h, p: h.history.delete_of_session(p.session),
    "history.detach_of": lambda h, p: h.history.detach_of(p.session),
    "history.find": lambda h, p: h.history.find(p.entry),
    "history.get": lambda h, p: h.history.get(p.entry),
    "history.llm_statistics": lambda h, p: h.history.llm_statistics(thread_id=p.of(None, p.thread)),
    "history.messages": lambda h, p: h.history.messages(p.thread),
    "history.page": lambda h, p: h.history.page(
        thread_id=p.of(None, p.thread), limit=p.of(50, 1), cursor=p.cursor
    ),
    "history.stream": lambda h, p: h.history.stream(session_id=p.of(None, p.session)),
    "history.token_statistics": lambda h, p: h.history.token_statistics(
        session_id=p.of(None, p.session)
    ),
    "history.token_statistics_by": lambda h, p: h.history.token_statistics_by(
        p.of("model", "session_id")
    ),
    "checkpoints.adopt": lambda h, p: _again(h.checkpoints.adopt, h.checkpoints.load(p.at), p),
    "checkpoints.append": lambda h, p: h.checkpoints.append(p.thread, {"log": ["new"]}),
    "checkpoints.cleanup": lambda h, p: h.checkpoints.cleanup(p.thread, ONE, dry_run=p.of(0, 1)),
    "checkpoints.collect": lambda h, _: h.checkpoints.collect(),
    "checkpoints.copy": lambda h, p: h.checkpoints.copy(p.at, to=p.thread),
    "checkpoints.count": lambda h, p: h.checkpoints.count(p.thread),
    "checkpoints.count_of_session": lambda h, p: h.checkpoints.count_of_session(p.session),
    "checkpoints.delete": lambda h, p: h.checkpoints.delete(p.at),
    "checkpoints.delete_of": lambda h, p: h.checkpoints.delete_of(p.thread),
    "checkpoints.detach_of": lambda h, p: h.checkpoints.detach_of(p.session),
    "checkpoints.diff": lambda h, p: h.checkpoints.diff(p.at, p.at),
    "checkpoints.find": lambda h, p: h.checkpoints.find(p.at),
    "checkpoints.fork": lambda h, p: h.checkpoints.fork(p.at, id=p.of(None, "n")),
    "checkpoints.get": lambda h, p: h.checkpoints.get(p.at),
    "checkpoints.get_path": lambda h, p: h.checkpoints.get_path(p.at, p.of("log[0]", "step")),
    "checkpoints.held": lambda h, p: _then(h.checkpoints.get(p.at), h.checkpoints.held),
    "checkpoints.latest": lambda h, p: h.checkpoints.latest(p.thread),
    "checkpoints.latest_header": lambda h, p: h.checkpoints.latest_header(p.thread),
    "checkpoints.list": lambda h, p: h.checkpoints.list(p.thread, limit=p.of(50, 1)),
    "checkpoints.load": lambda h, p: h.checkpoints.load(p.at),
    "checkpoints.load_many": lambda h, p: h.checkpoints.load_many([p.at, "theirs", "c1"]),
    "checkpoints.newest_of": lambda h, p: _then(
        h.threads.segments(p.thread), h.checkpoints.newest_of
    ),
    "checkpoints.pin": lambda h, p: h.checkpoints.pin(p.at),
    "checkpoints.prune": lambda h, p: h.checkpoints.prune(p.of(None, p.thread), ONE),
    "checkpoints.save": lambda h, p: h.checkpoints.save(
        p.thread, {"log": ["other"]}, parent_id=p.of(None, p.at), id=p.of(None, p.at)
    ),
    "checkpoints.set_metadata": lambda h, p: h.checkpoints.set_metadata(p.at, {"n": 1}),
    "checkpoints.stats": lambda h, p: h.checkpoints.stats(p.of(None, p.thread)),
    "checkpoints.stream": lambda h, p: h.checkpoints.stream(
        metadata=p.of(None, {"by": "theirs"}), session_id=p.of(None, p.session)
    ),
    "checkpoints.tag": lambda h, p: h.checkpoints.tag(p.at, p.of("x", "theirs")),
    "checkpoints.tagged": lambda h, p: h.checkpoints.tagged(p.of(None, "theirs")),
    "checkpoints.upcast": lambda h, _: h.checkpoints.upcast(1, dict),
    "checkpoints.verify": lambda h, p: h.checkpoints.verify(thread_id=p.of(None, p.thread)),
    "states.bound": lambda h, _: h.states.bound(h.checkpoints._desk.sealer.values),  # noqa: SLF001
    "states.copy": lambda h, p: h.states.copy(p.at, to="n", thread_id=p.thread, parent_id=None),
    "states.delete": lambda h, p: h.states.delete([p.at]),
    "states.delete_thread": lambda h, p: h.states.delete_thread(p.thread),
    "states.find": lambda h, p: h.states.find(p.at),
    "states.find_many": lambda h, p: h.states.find_many([p.at, "theirs"]),
    "states.forget_writes": lambda h, p: h.states.forget_writes([p.at]),
    "states.headers": lambda h, p: h.states.headers(thread_id=p.of(None, p.thread)),
    "states.keys": lambda h, p: _then(h.checkpoints.get(p.at), h.states.keys),
    "states.may_have": lambda h, p: _then(
        h.checkpoints.get(p.at), lambda header: h.states.may_have(header, ["theirs"])
    ),
    "states.newest": lambda h, p: h.states.newest(p.thread),
    "states.open": lambda h, p: _then(h.checkpoints.get(p.at), h.states.open),
    "states.put": lambda h, p: h.states.put(p.of("n", p.at), p.thread, {"x": 1}),
    "states.put_writes": lambda h, p: h.states.put_writes(p.at, p.thread, WRITES, replace=True),
    "states.writes": lambda h, p: h.states.writes(p.at),
    "states.writes_of": lambda h, p: h.states.writes_of([p.at, "theirs"]),
    "states.written": lambda h, p: h.states.written([p.at, "theirs"]),
    "memories.draft": lambda h, p: h.memories.draft(p.name, {"v": 1}),
    "memories.found_by": lambda h, p: h.memories.found_by([p.name], dims=1),
    "memories.get": lambda h, p: h.memories.get([p.name]),
    "memories.namespaces": lambda h, p: h.memories.namespaces(p.of((), ("theirs",))),
    "memories.refresh": lambda h, p: _refreshed(h, p.name),
    "memories.scan": lambda h, p: h.memories.scan(p.of((), ("theirs",))),
    "memories.sweep": lambda h, _: h.memories.sweep(),
    "memories.there": lambda h, p: h.memories.there([p.name]),
    "memories.vectors": lambda h, p: h.memories.vectors(p.of((), ("theirs",))),
    "memories.write": lambda h, p: h.memories.write(
        [h.memories.draft(p.name, {"v": 2})], forget=[Name((), "x")]
    ),
    "records.count": lambda h, p: h.records.count(_kind(p)),
    "records.delete": lambda h, p: h.records.delete(p.entry, type=p.kind),
    "records.delete_many": lambda h, p: h.records.delete_many([p.entry, "theirs"], type="note"),
    "records.exists": lambda h, p: h.records.exists(p.entry, type=p.kind),
    "records.list": lambda h, p: h.records.list(_kind(p)),
    "records.load": lambda h, p: h.records.load(p.entry, type=p.kind),
    "records.load_many": lambda h, p: h.records.load_many([p.entry, "theirs"]),
    "records.page": lambda h, p: h.records.page(
        _kind(p), cursor=p.cursor, limit=p.of(100, 2), order=Order(p.of("created_at", "id"))
    ),
    "records.query": lambda h, p: h.records.query(p.of(*SELECTS), {}),
    "records.save": lambda h, p: h.records.save(
        {"id": p.entry, "type": "note", "space": "b", "session_id": p.session}
        if p.of(0, 1)
        else {"id": p.entry, "type": "note", "data": {"space": "b"}}
    ),
    "records.save_many": lambda h, p: h.records.save_many([{"id": p.entry, "type": "note"}]),
    "records.stream": lambda h, p: h.records.stream(_kind(p), batch_size=2),
    "records.transaction": lambda h, p: h.records.transaction(
        [
            {"op": "update", "id": p.entry, "data": {"data": {"n": 1}}},
            {"op": "delete", "id": "theirs", "type": "note"},
        ]
    ),
    "records.update": lambda h, p: h.records.update(p.entry, {"data": {"n": 1}}, type=p.kind),
}
"""Method by method, as `<manager>.<method>` or `<method>` of the handle."""


def _kind(pick: Pick) -> dict[str, Any] | None:
    kind = pick.kind
    where = pick.of({}, {"id": "theirs"}, {"space": "b"}, {"data.v": "theirs"})
    return where if kind is None else {"type": kind, **where}


def _common(pick: Pick) -> dict[str, Any]:
    return {
        "thread_id": pick.thread,
        "session_id": pick.of(None, pick.session),
        "id": pick.of(None, pick.entry),
        "idempotency_key": pick.of(None, "key"),
    }


async def _then(first: Any, act: Callable[[Any], Any]) -> object:  # noqa: ANN401 (awaitables)
    done = act(await first)
    return await done if hasattr(done, "__await__") else done


async def _again(adopt: Callable[..., Any], found: Any, pick: Pick) -> object:  # noqa: ANN401
    return await adopt(replace(await found, id=pick.of("theirs", "n", "r")))


async def _again_first(adopt: Callable[..., Any], found: Any, pick: Pick) -> object:  # noqa: ANN401
    items = list(await found)
    return await adopt(*[replace(item, id=pick.of("theirs", "n")) for item in items[:1]])


async def _refreshed(handle: Handle, name: Name) -> object:
    memories = [each for each in await handle.memories.get([name]) if each is not None]
    return await handle.memories.refresh(
        [replace(each, ttl=timedelta(days=2)) for each in memories]
    )


def public_names(handle: Storage) -> set[str]:
    """Return the names of all public methods of a handle and of its managers."""
    names = {name for name in dir(type(handle)) if not name.startswith("_")}
    managers: dict[str, object] = {k: v for k, v in vars(handle).items() if not k.startswith("_")}
    for owner, manager in managers.items():
        known = dir(type(manager))
        names |= {f"{owner}.{name}" for name in known if not name.startswith("_")}
    return names


async def outcome(case: Case, handle: Handle, pick: Pick) -> str:
    """Do one case, and write down everything that it answers, or the error with its facts."""
    try:
        answer: object = case(handle, pick)
        if isinstance(answer, Awaitable):
            answer = await cast("Awaitable[object]", answer)
        if isinstance(answer, AsyncIterator):
            rows = cast("AsyncIterator[object]", answer)
            answer = [item async for item in rows]
    except RopewalkError as error:
        return f"{type(error).__name__} {error.code}: {error.message} {told(error.facts)}"
    return told(answer)


def told(value: object) -> str:
    """Write a value down, without what differs from run to run or counts commits of others."""
    if isinstance(value, Commit):
        return f"commit by {value.actor!r} of {told(value.changes)}"
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        for name in ("token", "seq"):  # drawn by lot, and counted for all spaces together
            parts.pop(name, None)
        return f"{type(value).__name__}{told(parts)}"
    if isinstance(value, Mapping | set | frozenset | list | tuple):
        return _all_told(cast("object", value))
    if isinstance(value, Storage):
        return f"handle to {value.space_name}"
    text = repr(value)
    return type(value).__name__ if " object at 0x" in text else text


def _all_told(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value).items()
        return "{" + ", ".join(f"{told(k)}: {told(v)}" for k, v in pairs) + "}"
    items = [told(item) for item in cast("Iterable[object]", value)]
    if isinstance(value, set | frozenset):
        items.sort()
    return "[" + ", ".join(items) + "]"
