"""Damage to history months: each kind in a file of its own, beside a sound line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ropewalk.domain.legacy.values import canonical
from ropewalk.sources.text import BOM, HEAD_BYTES, MAX_ITEM_BYTES

from ..writing import Tree, cost, line_of, message
from .kinds import Brought, Damage, Outcome, Refused

NL: Final = b"\n"
CUT: Final = b'{"record_id": "cut", "session_id": "session_1", "timestamp": "2025-11-'
CUT_INSIDE: Final = CUT + b'", "metadata": {"record_id": "inner"}'

Plot: TypeAlias = tuple[Sequence[bytes], Sequence[Outcome]]
"""The lines of a file, and what must come of them."""


def _at(name: str, number: int, month: str = "202511") -> str:
    return f"history/sessions/{month}/{name}.jsonl:{number}"


def _record(name: str, number: int = 1, **more: object) -> dict[str, object]:
    return message(f"{name}_{number}", name, **more)


def _line(name: str, number: int = 1, **more: object) -> bytes:
    return line_of(_record(name, number, **more))


def _come(name: str, number: int = 1, note: str | None = None, **more: object) -> Brought:
    """Return that a record comes as it was written."""
    return Brought("message", f"{name}_{number}", _record(name, number, **more), note)


def _month(id: str, what: str, plot: Callable[[str], Plot], *, month: str = "202511") -> Damage:
    """Make the damage of a file of lines; an id in `plot` is the name of its session as well."""

    def plant(tree: Tree) -> Sequence[Outcome]:
        lines, outcomes = plot(id)
        tree.lines(id, *lines, month=month)
        return outcomes

    return Damage(id, what, plant)


def _odd(id: str, what: str, note: str | None, **more: object) -> Damage:
    """Make the damage of one field of a message, which comes all the same."""
    return _month(
        id,
        what,
        lambda name: (
            [_line(name, 1, **more) + NL, _line(name, 2) + NL],
            [_come(name, 1, note, **more), _come(name, 2)],
        ),
    )


def _bad(id: str, what: str, code: str, data: bytes) -> Damage:
    """Make the damage of a line that cannot be read, between two that can."""
    return _month(
        id,
        what,
        lambda name: (
            [_line(name) + NL, data + NL, _line(name, 2) + NL],
            [_come(name), Refused(code, _at(name, 2), data), _come(name, 2)],
        ),
    )


def _unknown(id: str, what: str, **more: object) -> Damage:
    """Make the damage of a record of which nobody knows what it is."""

    def plot(name: str) -> Plot:
        record = {**_record(name), **more}
        record = {key: value for key, value in record.items() if value is not ...}
        raw = canonical(record)
        refused = Refused("unknown_record_type", _at(name, 1), raw)
        return [line_of(record) + NL, _line(name, 2) + NL], [refused, _come(name, 2)]

    return _month(id, what, plot)


def _renamed(id: str, what: str, record_id: object) -> Damage:
    """Make the damage of an id that cannot be one: the record gets one made of its content."""

    def plot(name: str) -> Plot:
        record = _record(name, record_id=record_id)
        if record_id is ...:
            del record["record_id"]
        known = Brought("message", f"~{name}", record, "replaced_id")
        return [line_of(record) + NL, _line(name, 2) + NL], [known, _come(name, 2)]

    return _month(id, what, plot)


def _costly(id: str, what: str, **more: object) -> Damage:
    """Make the damage of one field of a cost."""

    def plot(name: str) -> Plot:
        record = cost(f"{name}_1", name, **more)
        return [line_of(record) + NL], [Brought("cost", f"{name}_1", record, "odd_value")]

    return _month(id, what, plot)


def _twice(id: str, what: str, **more: object) -> Damage:
    """Make the damage of an id that is used a second time."""

    def plot(name: str) -> Plot:
        second = Brought("message", f"{name}_1~2", _record(name, 1, **more), "duplicate_id")
        return [_line(name) + NL, _line(name, 1, **more) + NL], [_come(name), second]

    return _month(id, what, plot)


def _without(record: dict[str, object], *keys: str) -> dict[str, object]:
    return {key: value for key, value in record.items() if key not in keys}


def _lost_time(name: str) -> Plot:
    record = _without(_record(name), "timestamp")
    return [line_of(record) + NL], [Refused("no_time", _at(name, 1, "invalid"), canonical(record))]


def _no_session(name: str) -> Plot:
    record = _without(_record(name), "session_id")
    return [line_of(record) + NL], [Brought("message", f"{name}_1", record, "session_guessed")]


def _elsewhere(tree: Tree) -> Sequence[Outcome]:
    place = "history/sessions/last-month/no-month.jsonl"
    tree.path(place).write_bytes(_line("no-month") + NL)
    return [Refused("unknown", place)]


def _wide(name: str) -> Plot:
    """Write a file in UTF-16, as some editors save: a line feed is in the middle of a character."""
    text = (_line(name) + NL).decode().encode("utf-16")
    first, _, rest = text.partition(NL)
    return [text], [
        Refused("not_utf8", _at(name, 1), first),
        Refused("not_json", _at(name, 2), rest),
    ]


MONTHS: Final = (
    _month("torn-last", "the writer died in its last line",
        lambda n: ([_line(n) + NL, CUT], [_come(n), Refused("torn", _at(n, 2), CUT)])),
    _month("torn-glued", "a torn line has the next record behind it",
        lambda n: ([CUT + _line(n) + NL], [Refused("torn", _at(n, 1), CUT), _come(n)])),
    _month("torn-glued-twice", "two torn lines and two records stand in one line",
        lambda n: ([CUT + _line(n) + CUT + _line(n, 2) + NL],
            [Refused("torn", _at(n, 1), CUT), _come(n), Refused("torn", _at(n, 1), CUT),
            _come(n, 2)])),
    _month("whole-glued", "a line feed is missing between two records",
        lambda n: ([_line(n) + _line(n, 2) + NL], [_come(n), _come(n, 2)])),
    _month("torn-nested", "the torn record holds a whole object",
        lambda n: ([CUT_INSIDE + NL, _line(n) + NL],
            [Refused("torn", _at(n, 1), CUT_INSIDE), _come(n)])),
    _month("glued-not-utf8", "the torn part ends within a character, and a record follows",
        lambda n: ([CUT + b"\xe4\xbd" + _line(n) + NL],
            [Refused("torn", _at(n, 1), CUT + b"\xe4\xbd"), _come(n)])),
    _month("crlf", "lines end as on Windows",
        lambda n: ([_line(n) + b"\r\n", _line(n, 2) + b"\r\n"], [_come(n), _come(n, 2)])),
    _month("bom", "an editor has put a byte order mark before the first line",
        lambda n: ([BOM + _line(n) + NL, _line(n, 2) + NL], [_come(n), _come(n, 2)])),
    _month("blank-lines", "empty lines stand in between",
        lambda n: ([NL, _line(n) + NL, b"  \n\r\n", _line(n, 2) + NL], [_come(n), _come(n, 2)])),
    _month("no-last-feed", "the last line has no line feed, and is whole",
        lambda n: ([_line(n)], [_come(n)])),
    _month("empty-file", "nothing was ever written into the file", lambda _: ([], [])),
    _month("utf-16", "the file was saved in UTF-16", _wide),
    _month("no-time-at-all", "no time, and a folder that is no month", _lost_time,
        month="invalid"),
    _month("no-session-id", "the record names no session", _no_session),
    Damage("no-month", "a file of lines stands in a folder that is no month", _elsewhere),
    _bad("not-utf8", "a byte that no UTF-8 has", "not_utf8", b'{"record_id": "x\xff"}'),
    _bad("not-json", "words instead of a record", "not_json", b"record lost, see above"),
    _bad("zeros", "a block that the file system never filled", "not_json", b"\0" * 4096),
    _bad("array", "an array instead of an object", "not_object", b'[{"record_id": "x"}]'),
    _bad("scalar", "a number instead of an object", "not_object", b"42"),
    _bad("too-deep", "more brackets than anybody can follow", "too_deep",
        b'{"record_id": ' + b"[" * 100_000),
    _bad("long-number", "an integer of 5,000 digits", "number_too_long",
        b'{"record_id": ' + b"9" * 5_000 + b"}"),
    _bad("single-quotes", "a record as Python shows it", "not_json",
        b"{'record_id': 'x', 'record_type': 'message'}"),
    _unknown("unknown-type", "a type of record that nobody knows", record_type="thought"),
    _unknown("no-type", "no type of record", record_type=...),
    _unknown("type-number", "a number for a type", record_type=7),
    _renamed("no-id", "a record without an id", ...),
    _renamed("empty-id", "an empty id", ""),
    _renamed("id-number", "a number for an id", 17),
    _renamed("long-id", "an id of 5,000 characters", "x" * 5_000),
    _renamed("id-half-pair", "half a pair of surrogates in an id", "id_\ud83d"),
    _twice("same-line-twice", "a retry wrote the very same line again"),
    _twice("id-twice", "two records have one id", content="another one"),
    _odd("no-timestamp", "no time of its own", "time_guessed", timestamp=None),
    _odd("bad-timestamp", "a time that is none", "time_guessed", timestamp="yesterday at noon"),
    _odd("epoch-timestamp", "seconds since 1970 for a time", None, timestamp=1762480800.25),
    _odd("offset-timestamp", "a time with an offset", None, timestamp="2025-11-07T10:00:00+02:00"),
    _odd("nan", "a bare NaN, which is no JSON", None, metadata={"score": float("nan")}),
    _odd("infinity", "a bare -Infinity", None, metadata={"score": float("-inf")}),
    _odd("big-integer", "an integer beyond 64 bits", None, metadata={"n": 10**40}),
    _odd("null-content", "a message without content", None, content=None),
    _odd("object-content", "an object for a text", None, content={"text": ["a", None]}),
    _odd("half-pair", "half a pair of surrogates in a text", None, content="cut \ud83d"),
    _odd("separators", "characters at which other programs break lines", None,
        content="a\u2028b\u2029c\x85d\x0be\x00f"),
    _odd("more-keys", "keys that nobody knows", None, mood="good", deep={"a": [{"b": None}]}),
    _odd("metadata-text", "a text for metadata", "odd_value", metadata="none"),
    _odd("metadata-legacy", "metadata with a key of ours", None, metadata={"legacy": {"a": 1}}),
    _odd("role-number", "a number for a role", "odd_value", message_type=3),
    _costly("tokens-text", "a text for a number of tokens", prompt_tokens="many"),
    _costly("tokens-huge", "more tokens than 64 bits count", total_tokens=2**70),
    _costly("cost-infinite", "an infinite price", total_cost=float("inf")),
    _costly("currency-word", "a word for a currency", currency="dollars"),
)  # fmt: skip


def plant_too_big(tree: Tree) -> Sequence[Outcome]:
    """Leave a hole of zeros that is longer than any line may be; it takes no room on disk."""
    name = "too-big"
    path = tree.root / tree.lines(name, _line(name) + NL)
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.truncate(file.tell() + MAX_ITEM_BYTES + 10)
        file.seek(0, 2)
        file.write(NL + _line(name, 2) + NL)
    # Of a line that is too long to be held, its beginning is put into the rejects.
    head = (bytes(HEAD_BYTES), MAX_ITEM_BYTES + 10 + len(NL))
    return [_come(name), Refused("too_big", _at(name, 2), head=head), _come(name, 2)]


BIG: Final = Damage("too-big", "a hole longer than any line may be", plant_too_big)
