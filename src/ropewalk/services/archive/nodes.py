"""Nodes and roots of states as JSON and back, byte for byte, with the names of what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ...domain.errors import Corrupt, Invalid
from ...stores.checkpoints import MAC_BYTES
from ...trees.form import (
    BYTES,
    CHUNK,
    DICT,
    INNER,
    LEAF,
    LIST,
    SLOT,
    TEXT,
    VALUE,
    Branch,
    Ref,
    Row,
    Slot,
    Wrap,
    inner_body,
    leaf_body,
    pack_slot,
    read_inner,
    read_leaf,
    read_slot,
)
from ...trees.root import WHOLE, Root, pack_root, read_root
from .wire import Json, bytes_of, fields_of, in_base64, items_of, packed, shown

_ROWS: Final = {LIST: "list", DICT: "dict", TEXT: "text", BYTES: "bytes"}
_KINDS: Final = {name: kind for kind, name in _ROWS.items()}


def shown_node(body: bytes) -> Json:
    """Return a node's body as JSON; as bytes where it would not come back the same."""
    try:
        found = _shown_node(body)
        if packed_node(found) == body:
            return found
    except (Corrupt, RecursionError):
        return {"$bytes": in_base64(body)}
    return {"$bytes": in_base64(body)}


def packed_node(value: Json) -> bytes:  # noqa: PLR0911 (one for each form)
    """Return the body that `shown_node` was given; raise `Corrupt` for anything else."""
    match fields_of(value):
        case {"value": inner}:
            return VALUE + packed(inner)
        case {"slot": slot}:
            return SLOT + pack_slot(_slot(slot))
        case {"slots": slots}:
            return leaf_body([_slot(slot) for slot in items_of(slots)])
        case {"nodes": branches}:
            return inner_body(_branches(branches))
        case {"text": str() as text}:
            return CHUNK + text.encode()
        case {"bytes": text}:
            return CHUNK + bytes_of(text)
        case {"$bytes": text}:
            return bytes_of(text)
        case _:
            raise _damaged()


def shown_tree(tree: bytes) -> Json:
    """Return where a state begins, as a checkpoint keeps it, as JSON."""
    try:
        root = read_root(tree[MAC_BYTES:])
        slots = {name: _shown_slot(slot) for name, slot in root.slots.items()}
        found: Json = {
            "mac": tree[:MAC_BYTES].hex(),
            "values": root.values,
            "schema": root.schema,
            "state" if root.is_dict else "whole": slots if root.is_dict else slots[WHOLE],
        }
        if packed_tree(found) == tree:
            return {"$root": found}
    except (Corrupt, Invalid, RecursionError):
        return {"$bytes": in_base64(tree)}
    return {"$bytes": in_base64(tree)}


def packed_tree(value: Json) -> bytes:
    """Return the bytes that `shown_tree` was given, of what lies under `$root`."""
    match fields_of(value):
        case {
            "mac": str() as mac,
            "values": str() as values,
            "schema": int() as schema,
            "state": state,
        }:
            slots = {name: _slot(slot) for name, slot in fields_of(state).items()}
            root = Root(values, schema, is_dict=True, slots=slots)
        case {
            "mac": str() as mac,
            "values": str() as values,
            "schema": int() as schema,
            "whole": whole,
        }:
            root = Root(values, schema, is_dict=False, slots={WHOLE: _slot(whole)})
        case _:
            raise _damaged()
    return _unhexed(mac) + pack_root(root)


def _shown_node(body: bytes) -> Json:
    kind, rest = body[:1], body[1:]
    if kind == VALUE:
        return {"value": shown(rest)}
    if kind == SLOT:
        return {"slot": _shown_slot(read_slot(rest))}
    if kind == LEAF:
        return {"slots": [_shown_slot(slot) for slot in read_leaf(body)]}
    if kind == INNER:
        return {"nodes": _shown_branches(read_inner(body))}
    try:
        return {"text": rest.decode()}
    except UnicodeDecodeError:
        return {"bytes": in_base64(rest)}


def _shown_slot(slot: Slot) -> Json:
    if isinstance(slot, Ref):
        return _shown_ref(slot)
    if isinstance(slot, Row):
        return {
            "row": _ROWS[slot.kind],
            "total": slot.total,
            "height": slot.height,
            "nodes": _shown_branches(slot.tops),
            "tail": [_shown_slot(item) for item in slot.tail],
        }
    if isinstance(slot, Wrap):
        prefix = in_base64(slot.prefix)
        return {"typed": slot.code, "prefix": prefix, "inner": _shown_slot(slot.inner)}
    return {"value": shown(slot)}


def _shown_ref(ref: Ref) -> dict[str, Json]:
    return {"node": ref.digest.hex(), **({"deep": True} if ref.deep else {})}


def _shown_branches(branches: Sequence[Branch]) -> list[Json]:
    return [{**_shown_ref(branch.ref), "count": branch.total} for branch in branches]


def _slot(value: Json) -> Slot:
    match fields_of(value):
        case {"value": inner}:
            return packed(inner)
        case {"node": _}:
            return _ref(fields_of(value))
        case {
            "row": str() as kind,
            "total": int() as total,
            "height": int() as height,
            "nodes": tops,
            "tail": tail,
        } if kind in _KINDS:
            slots = tuple(_slot(item) for item in items_of(tail))
            return Row(_KINDS[kind], total, height, tuple(_branches(tops)), slots)
        case {"typed": int() as code, "prefix": prefix, "inner": inner}:
            return Wrap(code, bytes_of(prefix), _slot(inner))
        case _:
            raise _damaged()


def _ref(value: dict[str, Json]) -> Ref:
    return Ref(_unhexed(value["node"]), value.get("deep") is True)


def _branches(values: Json) -> list[Branch]:
    found: list[Branch] = []
    for value in items_of(values):
        match fields_of(value):
            case {"node": _, "count": int() as count}:
                found.append(Branch(_ref(fields_of(value)), count))
            case _:
                raise _damaged()
    return found


def _unhexed(text: object) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError as error:
        raise _damaged() from error


def _damaged() -> Corrupt:
    message = "a part of a state is written in a form that no archive has"
    return Corrupt(message, code="bad_node")
