"""Damage to the files of sessions and threads: each kind in a file of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final, cast

from ropewalk.sources.text import BOM

from ..writing import MORNING, NOON, Tree, interaction
from .kinds import Brought, Damage, Outcome, Refused

Document = dict[str, object]


def session(id: str, *calls: object, **context: object) -> Document:
    """Make the file of a session."""
    whole: Document = {
        "session_id": id,
        "user_id": "ada",
        "thread_ids": [],
        "status": "active",
        "created_at": MORNING,
        "updated_at": NOON,
        "metadata": {},
        **context,
    }
    rest: Document = {"thread_configs": {}, "created_at": MORNING, "updated_at": NOON}
    return {"context": whole, "interactions": list(calls), **rest}


def thread(id: str, **more: object) -> Document:
    """Make the file of a thread, in the nested shape unless it says something else."""
    return {
        "thread_id": id,
        "graph_id": "graph_x",
        "status": "active",
        "created_at": MORNING,
        "updated_at": NOON,
        "metadata": {"title": "trains"},
        **more,
    }


def _place(kind: str, id: str) -> str:
    folder = "sessions" if kind == "session" else "storage/threads/thread_metadata"
    return f"{folder}/{id}.json"


def _text(document: Document) -> bytes:
    text = json.dumps(document, ensure_ascii=False, indent=2)
    return text.encode("utf-8", "backslashreplace")


def _broken(
    id: str,
    what: str,
    code: str,
    damage: Callable[[bytes], bytes],
    *,
    kind: str = "session",
    line: int = 1,
) -> Damage:
    """Make damage that leaves no document to read."""

    def plant(tree: Tree) -> Sequence[Outcome]:
        place = _place(kind, id)
        data = damage(_text(session(id) if kind == "session" else thread(id)))
        tree.path(place).write_bytes(data)
        return [Refused(code, f"{place}:{line}", data)]

    return Damage(id, what, plant)


def _odd(
    id: str,
    what: str,
    note: str | None,
    document: Document,
    *more: Outcome,
    kind: str = "session",
) -> Damage:
    """Make damage to one field of a document, which comes all the same."""

    def plant(tree: Tree) -> Sequence[Outcome]:
        tree.document(_place(kind, id), document)
        return [Brought(kind, id, document, note), *more]

    return Damage(id, what, plant)


def _without(document: Document, *keys: str) -> Document:
    return {key: value for key, value in document.items() if key not in keys}


def _context(id: str, *keys: str, **more: object) -> Document:
    document = session(id, **more)
    whole = cast("Document", document["context"])
    return {**document, "context": _without(whole, *keys)}


def _timeless(tree: Tree) -> Sequence[Outcome]:
    document = _without(_context("s-no-time", "created_at", "updated_at"), "created_at")
    document = {**document, "updated_at": "never"}
    tree.document(_place("session", "s-no-time"), document)
    return [Refused("no_time", _place("session", "s-no-time"), json_of(document))]


def json_of(value: object) -> bytes:
    """Write JSON in the one form that rejects have it in."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _bad_call(tree: Tree) -> Sequence[Outcome]:
    name = "s-bad-call"
    first, last = (interaction(f"{name}_{n}", name) for n in (1, 3))
    tree.document(_place("session", name), session(name, first, "hello", last))
    refused = Refused("not_object", f"{_place('session', name)}#interactions[1]", b'"hello"')
    calls = [Brought("interaction", f"{name}_{n}", None) for n in (1, 3)]
    return [Brought("session", name, session(name, first, last)), refused, *calls]


def _same_call(tree: Tree) -> Sequence[Outcome]:
    name = "s-same-call"
    calls = [interaction(f"{name}_1", name, content=text) for text in ("one", "two")]
    document = session(name, *calls)
    tree.document(_place("session", name), document)
    second = Brought("interaction", f"{name}_1~2", calls[1], "duplicate_id")
    return [Brought("session", name, document), Brought("interaction", f"{name}_1"), second]


def _call(id: str, what: str, note: str | None, **more: object) -> Damage:
    call = interaction(f"{id}_1", id, **more)
    return _odd(id, what, None, session(id, call), Brought("interaction", f"{id}_1", call, note))


def _backwards(tree: Tree) -> Sequence[Outcome]:
    name = "s-clock-back"
    calls = [interaction(f"{name}_{n}", name, timestamp=t) for n, t in ((2, NOON), (1, MORNING))]
    document = session(name, *calls)
    tree.document(_place("session", name), document)
    return [
        Brought("session", name, document),
        *(Brought("interaction", f"{name}_{n}") for n in (1, 2)),
    ]


def _id_taken(kind: str, make: Callable[..., Document]) -> Callable[[Tree], Sequence[Outcome]]:
    def plant(tree: Tree) -> Sequence[Outcome]:
        name = f"{kind[0]}-id-taken"
        first, second = make(name), make(name, status="paused")
        tree.document(_place(kind, name), first)
        tree.document(_place(kind, f"{name}x"), second)
        taken = Brought(kind, f"{name}~2", second, "duplicate_id")
        return [Brought(kind, name, first), taken]

    return plant


def _copied(kind: str, make: Callable[[str], Document]) -> Callable[[Tree], Sequence[Outcome]]:
    def plant(tree: Tree) -> Sequence[Outcome]:
        name = f"{kind[0]}-copied"
        tree.document(_place(kind, name), make(name))
        tree.document(f"backup/{kind}/{name}.json", make(name))
        return [Brought(kind, name, make(name), "same_document")]

    return plant


def _misnamed(kind: str, make: Callable[[str], Document]) -> Callable[[Tree], Sequence[Outcome]]:
    def plant(tree: Tree) -> Sequence[Outcome]:
        name = f"{kind[0]}-misnamed"
        tree.document(_place(kind, f"copy of {name}"), make(name))
        return [Brought(kind, name, make(name))]

    return plant


def _left_whole(tree: Tree) -> Sequence[Outcome]:
    place = "sessions/s-left-whole.tmp"
    tree.document(place, session("s-left-whole"))
    return [Refused("leftover", place)]


def _left_torn(tree: Tree) -> Sequence[Outcome]:
    place = "sessions/s-left-torn.tmp"
    tree.path(place).write_bytes(_text(session("s-left-torn"))[:70])
    document = session("s-left-torn")
    tree.document("sessions/s-left-torn.json", document)
    return [Refused("leftover", place), Brought("session", "s-left-torn", document)]


def _linked(tree: Tree) -> Sequence[Outcome]:
    tree.path("sessions/s-linked.json").symlink_to("elsewhere.json")
    return [Refused("symlink", "sessions/s-linked.json")]


def _strange(tree: Tree) -> Sequence[Outcome]:
    tree.document("sessions/s-strange.json", {"context": "words", "interactions": []})
    return [Refused("unknown", "sessions/s-strange.json")]


def _circle(tree: Tree) -> Sequence[Outcome]:
    outcomes: list[Outcome] = []
    for own, other, note in (("a", "b", None), ("b", "a", "dangling_thread")):
        id_ = f"t-circle-{own}"
        fork = {"branch_name": own, "source_thread_id": f"t-circle-{other}"}
        document = thread(id_, metadata=fork)
        tree.document(_place("thread", id_), document)
        outcomes += [Brought("thread", id_, document, note), Brought("branch", f"branch~{id_}")]
    return outcomes


def _fork(id: str, what: str, note: str, fork: Document, *, branch: str | None) -> Damage:
    document = thread(id, metadata=fork)
    more = [Brought("branch", f"branch~{id}", None, branch)] if branch else []
    return _odd(id, what, note or None, document, *more, kind="thread")


def _marked(tree: Tree) -> Sequence[Outcome]:
    """Write a session as an editor saves it that marks the order of bytes."""
    document = session("s-bom")
    tree.path(_place("session", "s-bom")).write_bytes(BOM + _text(document))
    return [Brought("session", "s-bom", document)]


def _timeless_thread(tree: Tree) -> Sequence[Outcome]:
    """Write a thread that tells no time at all."""
    document = _without(thread("t-no-time"), "created_at", "updated_at")
    tree.document(_place("thread", "t-no-time"), document)
    return [Refused("no_time", _place("thread", "t-no-time"), json_of(document))]


_TORN: Final = 9
"""Line in which a document is cut off."""

DOCUMENTS: Final = (
    _broken("s-torn", "the file was cut off", "torn", lambda data: b"".join(
        data.splitlines(keepends=True)[:_TORN])[:-3], line=_TORN),
    _broken("s-empty", "the file is empty", "not_json", lambda _: b""),
    _broken("s-zeros", "the file is zeros", "not_json", lambda data: b"\0" * len(data)),
    _broken("s-not-utf8", "a byte that no UTF-8 has", "not_utf8",
        lambda data: data.replace(b"ada", b"ad\xe4"), line=4),
    _broken("s-array", "an array instead of an object", "not_object",
        lambda data: b"[" + data + b"]"),
    _broken("s-tail", "the end of a longer version stands behind it", "not_json",
        lambda data: data + b"\n}", line=16),
    _broken("s-too-deep", "more brackets than anybody can follow", "too_deep",
        lambda _: b'{"context": ' + b"[" * 100_000),
    _broken("t-torn", "the file was cut off", "torn", lambda data: data[:60], kind="thread",
        line=4),
    _broken("t-not-utf8", "a byte that no UTF-8 has", "not_utf8",
        lambda data: data.replace(b"trains", b"tr\xe4ins"), kind="thread", line=8),
    Damage("s-no-time", "no time that can be read", _timeless),
    Damage("t-no-time", "no time that can be read", _timeless_thread),
    Damage("s-bom", "an editor has put a byte order mark before it", _marked),
    Damage("s-bad-call", "an interaction that is no object", _bad_call),
    Damage("s-same-call", "two interactions have one id", _same_call),
    Damage("s-clock-back", "the clock was set back between interactions", _backwards),
    Damage("s-id-taken", "two files have one id", _id_taken("session", session)),
    Damage("t-id-taken", "two files have one id", _id_taken("thread", thread)),
    Damage("s-copied", "the same file stands in two places", _copied("session", session)),
    Damage("t-copied", "the same file stands in two places", _copied("thread", thread)),
    Damage("s-misnamed", "the file was renamed", _misnamed("session", session)),
    Damage("t-misnamed", "the file was renamed", _misnamed("thread", thread)),
    Damage("s-left-whole", "a writer died before it renamed the file", _left_whole),
    Damage("s-left-torn", "a writer died while it wrote over a file", _left_torn),
    Damage("s-linked", "a link leads out of the folder", _linked),
    Damage("s-strange", "what should be an object is a text", _strange),
    Damage("t-circle", "two threads continue each other", _circle),
    _odd("s-bad-time", "a beginning that cannot be read", "time_guessed",
        session("s-bad-time", created_at="2025-13-45")),
    _odd("s-status", "a status that nobody knows", "unknown_status",
        session("s-status", status="sleeping")),
    _odd("s-dangling", "names a thread that is not there", "dangling_thread",
        session("s-dangling", thread_ids=["thread_gone"])),
    _odd("s-threads-text", "a text for a list of threads", None,
        session("s-threads-text", thread_ids="thread_1")),
    _odd("s-metadata", "a list for metadata", "odd_value", session("s-metadata", metadata=[1])),
    _odd("s-user", "a number for a user", "odd_value", session("s-user", user_id=7)),
    _odd("s-nan", "a bare NaN, which is no JSON", None,
        session("s-nan", metadata={"score": float("nan")})),
    _odd("s-no-id", "no id but the file's", None, _context("s-no-id", "session_id")),
    _odd("s-calls-text", "a text for the interactions", None,
        {**session("s-calls-text"), "interactions": "none"}),
    _call("s-call-time", "an interaction without a time", "time_guessed", timestamp=None),
    _call("s-call-thread", "an interaction of a thread that is not there", "dangling_thread",
        thread_id="thread_gone_too"),
    _call("s-call-text", "a number for a text", "odd_value", content=5),
    _odd("t-no-status", "no status, as older files", None,
        _without(thread("t-no-status"), "status"), kind="thread"),
    _odd("t-no-graph", "no graph", None, _without(thread("t-no-graph"), "graph_id"),
        kind="thread"),
    _odd("t-no-id", "no id but the file's marks", None,
        thread("t-no-id", last_error="gone", error_at=NOON), kind="thread"),
    _odd("t-bad-time", "a beginning that cannot be read", "time_guessed",
        thread("t-bad-time", created_at="07.11.2025"), kind="thread"),
    _odd("t-status", "a status that nobody knows", "unknown_status",
        thread("t-status", status="asleep"), kind="thread"),
    _odd("t-metadata", "a text for metadata", None, thread("t-metadata", metadata="none"),
        kind="thread"),
    _odd("t-levels", "both levels say something else", None,
        thread("t-levels", title="planes", total_steps=3), kind="thread"),
    _odd("t-dangling", "a session that is not there", "dangling_session",
        thread("t-dangling", session_id="session_gone"), kind="thread"),
    _odd("t-snapshot", "a snapshot without a time", None,
        thread("t-snapshot", last_snapshot="snap-1", last_snapshot_at="soon"),
        Brought("snapshot", "snap-1", None, "time_guessed"), kind="thread"),
    _fork("t-orphan", "a fork of a thread that is not there", "dangling_thread",
        {"branch_name": "b", "source_thread_id": "thread_gone"}, branch="dangling_thread"),
    _fork("t-lost-point", "a fork at a checkpoint that is not there", "",
        {"branch_name": "b", "source_thread_id": "t-status", "source_checkpoint_id": "gone"},
        branch="dangling_checkpoint"),
    _fork("t-fork-number", "a number for the source of a fork", "",
        {"branch_name": "b", "source_thread_id": 5}, branch=None),
)  # fmt: skip
