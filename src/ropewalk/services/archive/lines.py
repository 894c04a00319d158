"""One record as one line of an archive and back: its header in plain sight, its body opened."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, cast

from ...domain.archive import Peeled, Peeler
from ...domain.errors import Corrupt, Invalid
from ...domain.ports import Dictionary
from ...domain.record import Key, Record
from ...stores.trees import DICTIONARY, NODE
from .nodes import packed_node, packed_tree, shown_node, shown_tree
from .wire import Json, bytes_of, fields_of, in_base64, number, packed, scalar, shown, under

RAW: Final = "raw"
"""The form of bytes that no serializer wrote."""

MOST_OPENED: Final = 64 * 1024 * 1024
"""A body that is longer when opened is written as it is stored: lines stay readable in memory."""

_TREES: Final = frozenset({"checkpoint", "write"})
"""Kinds whose letters say where a state begins."""

_HEADER: Final = frozenset(
    {
        *("space", "kind", "id", "version", "created_at", "updated_at", "expires_at"),
        *("session_id", "thread_id", "labels"),
    }
)
_BODY: Final = frozenset({"form", "body", "dictionary", "seal", "sealed"})


def encoded(line: Mapping[str, Json]) -> bytes:
    """Write one line: JSON in UTF-8, ended by a line feed."""
    text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def opened_line(
    record: Record, peeler: Peeler, dictionaries: Mapping[str, Dictionary], *, named: bool = False
) -> tuple[bytes, Peeled | None]:
    """Return the line of a record, and its body as it was opened.

    With `named`, it says of which space it is: archives of one space say that once. The body is
    `None` where it had to be left as it is stored.
    """
    line = _header(record, named=named)
    if not record.seal:
        if record.body:
            line["body"] = {"$bytes": in_base64(record.body)}
        return encoded(line), Peeled("", record.body or b"")
    try:
        peeled = peeler.peel(record, dictionaries=dictionaries)
    except (Corrupt, Invalid):
        return sealed_line(
            record, named=named
        ), None  # told by the count of what could not be opened
    if len(peeled.data) > MOST_OPENED:
        return sealed_line(record, named=named), None
    line["form"] = peeled.form
    if peeled.dictionary:
        line["dictionary"] = peeled.dictionary
    line["body"] = _shown_body(record.key.kind, peeled)
    return encoded(line), peeled


def sealed_line(record: Record, *, named: bool = False) -> bytes:
    """Return the line of a record whose body stays as it is stored."""
    sealed = in_base64(record.body or b"")
    return encoded({**_header(record, named=named), "seal": record.seal, "sealed": sealed})


def record_of(
    line: Mapping[str, Json],
    peeler: Peeler,
    dictionaries: dict[str, Dictionary],
    *,
    space: str,
    origin: str,
) -> Record:
    """Return the record of a line; an opened one belongs to `space`, sealed as that store does.

    One that is still sealed belongs to the space that it says, or to `origin`.
    A dictionary is added to `dictionaries`, for the nodes behind it. Raises `Corrupt` for a line
    that is none of a record, and as `Peeler.dress` does.
    """
    try:
        return _record(line, peeler, dictionaries, space=space, origin=origin)
    except (KeyError, TypeError, AttributeError, Invalid) as error:
        message = f"the line holds no record that a store could keep: {error}"
        raise Corrupt(message, code="bad_line") from error


def _header(record: Record, *, named: bool) -> dict[str, Json]:
    key = record.key
    line: dict[str, Json] = {"space": key.space} if named else {}
    line |= {
        "kind": key.kind,
        "id": key.id,
        "version": number(record.version),
        "created_at": number(record.created_at),
        "updated_at": number(record.updated_at),
    }
    for name in ("expires_at", "session_id", "thread_id"):
        value = getattr(record, name)
        if value is not None:
            line[name] = number(value) if isinstance(value, int) else value
    if record.labels:
        line["labels"] = {
            name: value if isinstance(value, bool | str) else number(value)
            for name, value in sorted(record.labels.items())
        }
    return line


def _shown_body(kind: str, peeled: Peeled) -> Json:
    if kind == NODE and peeled.form == RAW:
        return shown_node(peeled.data)
    if peeled.form == RAW:
        return {"$bytes": in_base64(peeled.data)}
    body = shown(peeled.data)
    holder = _tree_in(kind, body)
    if holder is not None:
        tree = under(holder[0], "$bytes")
        if tree is not None:
            holder[1](shown_tree(bytes_of(tree)))
    return body


def _packed_body(kind: str, form: str, body: Json) -> bytes:
    if kind == NODE and form == RAW:
        return packed_node(body)
    if form in ("", RAW):
        return bytes_of(fields_of(body)["$bytes"])
    holder = _tree_in(kind, body)
    if holder is not None:
        tree = under(holder[0], "$root")
        if tree is not None:
            holder[1]({"$bytes": in_base64(packed_tree(tree))})
    return packed(body)


def _tree_in(kind: str, body: Json) -> tuple[Json, Callable[[Json], None]] | None:
    """Return what a letter has where a state begins, and how to put something else there."""
    if kind not in _TREES or not isinstance(body, dict):
        return None
    data = fields_of(cast("Json", body)).get("data")
    if not isinstance(data, dict):
        return None
    fields = cast("dict[str, Json]", data)
    tree = fields.get("tree")
    if isinstance(tree, list):
        row = cast("list[Json]", tree)
        return (row[0], partial(row.__setitem__, 0)) if row else None
    return tree, partial(fields.__setitem__, "tree")


def _record(
    line: Mapping[str, Json],
    peeler: Peeler,
    dictionaries: dict[str, Dictionary],
    *,
    space: str,
    origin: str,
) -> Record:
    strange = line.keys() - _HEADER - _BODY
    if strange:
        message = f"no archive of this version has {', '.join(sorted(strange))}"
        raise Corrupt(message, code="bad_line")
    is_sealed = "sealed" in line
    place = line.get("space", origin) if is_sealed else space
    key = Key(_text(place), _text(line["kind"]), _text(line["id"]))
    seal, body = "", b""
    if is_sealed:
        seal, body = _text(line["seal"]), bytes_of(line["sealed"])
    elif "body" in line:
        form = _text(line.get("form", ""))
        body = _packed_body(key.kind, form, line["body"])
        if key.kind == DICTIONARY:
            dictionaries[key.id] = Dictionary(key.id, body)
        if form:
            name = _text(line.get("dictionary", ""))
            peeled = Peeled(form, body, name)
            sealed = peeler.dress(peeled, key, dictionary=dictionaries.get(name))
            seal, body = sealed.seal, sealed.body
    labels = fields_of(line.get("labels", {}))
    session, thread = line.get("session_id"), line.get("thread_id")
    return Record(
        key=key,
        version=_integer(line["version"]),
        created_at=_integer(line["created_at"]),
        updated_at=_integer(line["updated_at"]),
        expires_at=_integer(line["expires_at"]) if "expires_at" in line else None,
        session_id=None if session is None else _text(session),
        thread_id=None if thread is None else _text(thread),
        labels={name: scalar(value) for name, value in labels.items()},
        body=body,
        seal=seal,
    )


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    message = f"{value!r} is no text"
    raise Corrupt(message, code="bad_line")


def _integer(value: Json) -> int:
    found = scalar(value)
    if type(found) is int:
        return found
    message = f"{value!r} is no whole number"
    raise Corrupt(message, code="bad_line")
