"""The seeds' transaction operations: read strictly, folded in order into one change a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from ..domain.change import ABSENT, Change, Delete
from ..domain.effect import mismatch
from ..domain.errors import Conflict, Invalid
from ..domain.limits import check_int64
from ..domain.record import Key, check_name
from ..domain.spelling import did_you_mean
from .document import Document, check_dict, check_keys, read_document, read_updates

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..domain.ports import Sealer
    from ..domain.record import Record

Verb: TypeAlias = Literal["save", "update", "delete"]

_VERBS: Final[Mapping[str, Verb]] = {"save": "save", "update": "update", "delete": "delete"}
_KEYS: Final = frozenset({"op", "type", "id", "data", "expected_version"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One checked step of a transaction; `kind` `None` stands for whichever kind has the id."""

    verb: Verb
    id: str
    kind: str | None = None
    document: Document | None = None
    updates: Mapping[str, Any] | None = None
    expected: int | None = None


def read_operation(raw: object, *, space: str, new_id: Callable[[], str]) -> Operation:
    """Check one operation; raise `Invalid` naming the key that is wrong.

    `op` says what to do, and then `type` is the record's; where there is no `op`, `type` says
    what to do. Id and type may stand in the operation or in its `data`.
    """
    given = check_keys(raw, _KEYS, what="an operation")
    verb = _verb(given.get("op", given.get("type")))
    data = check_dict(given.get("data", {}), field="data")
    id_ = _one("id", given.get("id"), data.pop("id", None))
    kind = _one("type", given.get("type") if "op" in given else None, data.pop("type", None))
    expected = check_expected(given.get("expected_version"))
    if verb == "save":
        named = {name: value for name, value in (("id", id_), ("type", kind)) if value is not None}
        document = read_document({**data, **named}, space=space, new_id=new_id)
        key = document.key
        return Operation(verb=verb, id=key.id, kind=key.kind, document=document, expected=expected)
    if id_ is None:
        message = f"{verb} needs the id of a record"
        raise Invalid(message, code="missing", field="id")
    if verb == "delete" and data:
        message = f"delete takes no data, but an id; it was given {', '.join(map(str, data))}"
        raise Invalid(message, code="unknown_key", field="data")
    return Operation(
        verb=verb,
        id=id_,
        kind=kind,
        updates=read_updates(data) if verb == "update" else None,
        expected=expected,
    )


def check_expected(value: object) -> int | None:
    """Return an expected version (0: absent) or `None`; raise `Invalid` for anything else."""
    if value is None:
        return None
    version = check_int64(value, field="expected_version")
    if version < ABSENT:
        message = f"expected_version must be 0 (absent) or a version, not {version}"
        raise Invalid(message, code="bad_version", field="expected_version")
    return version


def _verb(word: object) -> Verb:
    if isinstance(word, str) and word in _VERBS:
        return _VERBS[word]
    hint = did_you_mean(str(word), _VERBS)
    message = f"an operation says what to do under 'op', not {word!r}: {hint}"
    raise Invalid(message, code="unknown_operation", field="op")


def _one(name: str, outside: object, inside: object) -> str | None:
    """Return the name that stands in an operation or in its data; refuse two different ones."""
    named = [check_name(value, field=name) for value in (outside, inside) if value is not None]
    if len(set(named)) > 1:
        message = f"an operation names two values of {name}: {named[0]!r} and {named[1]!r}"
        raise Invalid(message, code="two_values", field=name)
    return named[0] if named else None


@dataclass(slots=True)
class _Entry:
    """What is known of one record, and what the operations so far make of it."""

    key: Key
    base: int | None = None
    """The version that was read; `None` where nothing was read."""
    present: bool = False
    document: Document | None = None
    expected: int | None = None
    since: int | None = None
    """When the record that was read was created, in microseconds."""
    pinned: bool = False
    """The outcome rests on what was read, so the batch expects that very record."""
    written: bool = False
    replaced: bool = False

    @property
    def expect(self) -> int | None:
        """The version that the batch shall expect."""
        return self.base if self.expected is None and self.pinned else self.expected

    @property
    def made(self) -> int | None:
        """When the record must have been created; `None` where a version is all that is known."""
        return self.since if self.expected is None and self.pinned else None


class Ledger:
    """Fold operations, in order, over the records that were read for them."""

    def __init__(self, space: str, now: Callable[[], int]) -> None:
        self._space = space
        self._now = now
        self._entries: dict[Key, _Entry] = {}

    def note(self, key: Key, record: Record | None, document: Document | None) -> None:
        """Take down what was read under a key: nothing, a header, or the whole document."""
        if record is None:
            self._entries[key] = _Entry(key, ABSENT)
            return
        present = _Entry(key, record.version, present=True, document=document)
        present.since = record.created_at
        self._entries[key] = present

    def fold(self, operation: Operation) -> bool:
        """Do one operation on paper; tell whether the record was there for it.

        Raises `Conflict` where what was read is not at the expected version.
        """
        entry = self._entry(operation)
        if entry is None:
            _check_gone(self._space, operation)
            return False
        _expect(entry, operation.expected)
        if operation.document is not None:
            self._save(entry, operation.document)
            return True
        if operation.verb == "delete":
            found = entry.present or entry.base is None
            entry.present, entry.document = False, None
            entry.pinned, entry.written, entry.replaced = False, True, True
            return found
        if entry.document is None:
            return False
        entry.document = entry.document.merged(operation.updates or {})
        entry.pinned = entry.pinned or not entry.written
        entry.written = True
        return True

    def _save(self, entry: _Entry, document: Document) -> None:
        if document.created_at is None and entry.written:
            before = entry.document
            at = self._now() if before is None else before.created_at
            document = document._replace(created_at=at)
        entry.present, entry.document = True, document
        entry.pinned, entry.written = False, True

    def _entry(self, operation: Operation) -> _Entry | None:
        if operation.kind is not None:
            key = Key(self._space, operation.kind, operation.id)
            return self._entries.setdefault(key, _Entry(key))
        found = [e for e in self._entries.values() if e.key.id == operation.id and e.present]
        if len(found) > 1:
            raise ambiguous(operation.id, (entry.key.kind for entry in found))
        return found[0] if found else None

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that the operations write."""
        return frozenset(entry.key.kind for entry in self._entries.values() if entry.written)

    async def changes(self, sealer: Sealer) -> tuple[Change, ...]:
        """Make one change of each record that the operations touch."""
        changes: list[Change] = []
        for entry in self._entries.values():
            if not entry.written:
                continue
            if entry.document is not None:
                expect, made = entry.expect, entry.made
                changes.append(await entry.document.put(sealer, expect=expect, made=made))
            elif entry.base != ABSENT or entry.expected is not None:
                changes.append(Delete(key=entry.key, expect=entry.expect))
        return tuple(changes)

    def may_retry(self, conflict: Conflict) -> bool:
        """Tell whether a conflict is with what we read, not with what the caller expected."""
        key = conflict.facts.get("key")
        entry = self._entries.get(key) if isinstance(key, Key) else None
        return entry is not None and entry.pinned and entry.expected is None


def ambiguous(id_: str, kinds: Iterable[str]) -> Invalid:
    """Make the error for an id that several kinds have."""
    names = sorted(kinds)
    message = f"several records have the id {id_!r}, of the types {', '.join(names)}: say type=..."
    return Invalid(message, code="ambiguous", field="id", id=id_, kinds=names)


def _expect(entry: _Entry, expected: int | None) -> None:
    if expected is None:
        return
    if entry.expected not in (None, expected):
        message = (
            f"two operations expect {entry.key} at versions {entry.expected} and {expected}; "
            "both mean the version before the transaction, so name it once"
        )
        raise Invalid(message, code="two_values", field="expected_version", key=entry.key)
    if entry.base is not None and entry.base != expected:
        raise mismatch(entry.key, expected=expected, actual=entry.base)
    entry.expected = expected


def _check_gone(space: str, operation: Operation) -> None:
    expected = operation.expected
    if expected not in (None, ABSENT):
        message = (
            f"{operation.id!r} was expected at version {expected}, but it is not there (any more)"
        )
        raise Conflict(
            message, code="gone", space=space, id=operation.id, expected=expected, actual=ABSENT
        )
