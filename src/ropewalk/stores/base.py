"""What every store of entities shares: entity to record and back, one at a time or in pages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar, cast

from ..domain.change import Check, Delete, Put
from ..domain.cursor import Cursor
from ..domain.errors import Invalid
from ..domain.labels import PARTIAL, Label, metadata_labels
from ..domain.limits import check_int64
from ..domain.moment import to_micros
from ..domain.page import Page
from ..domain.paging import Pages, Portion, pages_of, portion_of, records_of
from ..domain.query import OLDEST_FIRST, AnyOf, Condition, Order, Query, cursor_of
from ..domain.record import NO_LABELS, Key, Record
from .letter import Letter, open_letter, open_letters
from .paths import IS_PARTIAL

if TYPE_CHECKING:
    from datetime import datetime

    from ..domain.ports import Backend, Sealer
    from ..domain.tally import Tally

E = TypeVar("E")

MAX_PAGE = 1_000
"""Most items of one page."""


# A tuple: one is made for everything that is written, and a dataclass takes longer.
class Draft(NamedTuple):
    """An entity taken apart: what goes into the header, and what into the letter."""

    kind: str
    id: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime | None = None
    labels: Mapping[str, Label] = NO_LABELS
    session_id: str | None = None
    thread_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """Which entities of a store, in header terms; a store adds its space and its kinds."""

    kinds: tuple[str, ...] = ()
    session_id: str | None = None
    thread_id: str | None = None
    where: tuple[Condition | AnyOf, ...] = ()
    order: Order = OLDEST_FIRST
    after: Cursor | None = None
    until: Cursor | None = None
    limit: int | None = None


class EntityStore(ABC, Generic[E]):
    """Keep entities of one kind (or a few related ones) in records of one space.

    Reads go to the back end at once; writes are made as changes, for a service to commit
    together with others.
    """

    kinds: ClassVar[tuple[str, ...]]

    def __init__(self, backend: Backend, sealer: Sealer, *, space: str) -> None:
        """Keep to one space of `backend`, closing and opening bodies with `sealer`."""
        self._backend = backend
        self._sealer = sealer
        self._space = space

    @abstractmethod
    def draft(self, entity: E) -> Draft:
        """Take an entity apart."""

    @abstractmethod
    def build(self, record: Record, letter: Letter) -> E:
        """Put an entity together again."""

    def key(self, id: str, kind: str | None = None) -> Key:
        """Name the record of an entity."""
        return Key(self._space, kind or self.kinds[0], id)

    async def put(self, entity: E, *, expect: int | None) -> Put:
        """Make the change that writes `entity`, expecting the version given (0: absent).

        A new one keeps the time of its last change; afterwards that is when it is written.
        """
        draft = self.draft(entity)
        metadata, labels = draft.metadata, draft.labels
        created = to_micros(draft.created_at, field="created_at")
        changed, updated = (draft.updated_at if expect == 0 else None), None
        if changed is not None:
            # Most things that are new have one time for both.
            same = changed is draft.created_at
            updated = created if same else to_micros(changed, field="updated_at")
        key = Key(self._space, draft.kind, draft.id)
        sealed = await Letter(draft.data, metadata).seal(self._sealer, key)
        return Put(
            key=key,
            body=sealed.body,
            seal=sealed.seal,
            labels={**metadata_labels(metadata), **labels} if metadata else labels,
            session_id=draft.session_id,
            thread_id=draft.thread_id,
            created_at=created,
            updated_at=updated,
            expect=expect,
        )

    def remove(self, id: str, *, kind: str | None = None, expect: int | None = None) -> Delete:
        """Make the change that removes an entity."""
        return Delete(key=self.key(id, kind), expect=expect)

    async def open(self, record: Record) -> E:
        """Turn a record with its body into the entity; raise `Corrupt` where it is damaged."""
        return self.build(record, await open_letter(self._sealer, record))

    async def find(self, id: str) -> E | None:
        """Return the entity with this id, or `None`."""
        if len(self.kinds) > 1:
            return (await self.find_many([id]))[0]
        [record] = await self._backend.get((self.key(id),))
        return None if record is None else await self.open(record)

    async def header(self, id: str) -> Record | None:
        """Return the header of the entity with this id, or `None`; its body is not read."""
        records = await self._backend.get([self.key(id, kind) for kind in self.kinds], bodies=False)
        present = [record for record in records if record is not None]
        return present[0] if present else None

    async def find_many(self, ids: Sequence[str]) -> list[E | None]:
        """Return the entities of `ids` in that order, `None` where there is none."""
        keys = [self.key(id_, kind) for id_ in ids for kind in self.kinds]
        records = await self._backend.get(keys)
        found: list[E | None] = []
        for start in range(0, len(keys), len(self.kinds)):
            present = [r for r in records[start : start + len(self.kinds)] if r is not None]
            found.append(await self.open(present[0]) if present else None)
        return found

    async def exists(self, id: str) -> bool:
        """Tell whether there is an entity with this id; its body is not read."""
        return await self.header(id) is not None

    def query(self, find: Find, *, bodies: bool = True) -> Query:
        """Turn a search into a query of this store's space and kinds."""
        return Query(
            space=self._space,
            kinds=find.kinds or self.kinds,
            session_id=find.session_id,
            thread_id=find.thread_id,
            where=find.where,
            order=find.order,
            after=find.after,
            until=find.until,
            limit=find.limit,
            bodies=bodies,
        )

    async def portion(self, query: Query) -> Portion:
        """Read the beginning of an answer; what is behind it has a query of its own."""
        return await portion_of(self._backend, query)

    async def open_all(self, records: Iterable[Record]) -> list[E]:
        """Turn records with their bodies into entities, as `open` does each."""
        letters = await open_letters(self._sealer, records)
        return [self.build(record, letter) for record, letter in letters]

    def headers(self, find: Find) -> AsyncIterator[Record]:
        """Go through the headers of what matches; no body is read."""
        return records_of(self._backend, self.query(find, bodies=False))

    def pages(self, find: Find) -> Pages:
        """Go through the records of what matches in pages; closing it lets the back end go."""
        return pages_of(self._backend, self.query(find))

    def records(self, find: Find) -> AsyncIterator[Record]:
        """Go through the records of what matches, with their sealed bodies."""
        return records_of(self._backend, self.query(find))

    async def scan(self, find: Find) -> AsyncIterator[E]:
        """Go through what matches, opening one body at a time."""
        async for record in records_of(self._backend, self.query(find)):
            yield await self.open(record)

    async def tally(
        self, find: Find, sums: Sequence[str] = (), group_by: Sequence[str] = ()
    ) -> list[Tally]:
        """Count what matches and add up labels in the engine."""
        return await self._backend.tally(self.query(find, bodies=False), sums, group_by)

    async def count(self, find: Find) -> int:
        """Count what matches in the engine."""
        return (await self.tally(find))[0].count

    async def detach(self, session_id: str, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Put]:
        """Make the changes that take every record of a session out of it; bodies stay sealed."""
        async for record in self.records(Find(kinds=kinds, session_id=session_id)):
            yield replace(Put.of(record), session_id=None, updated_at=None, expect=record.version)

    async def page(
        self, find: Find, *, limit: int, cursor: str | None, metadata: Mapping[str, Any]
    ) -> Page[E]:
        """Return up to `limit` matching entities behind `cursor`, with these metadata values."""
        check_page(limit)
        find = replace(
            find,
            where=find.where + metadata_conditions(metadata),
            after=Cursor.decode(cursor) if cursor else None,
            limit=None if metadata else limit + 1,
        )
        items: list[E] = []
        last: Record | None = None
        async for record in records_of(self._backend, self.query(find)):
            letter = await open_letter(self._sealer, record)
            if not has_metadata(letter.metadata, metadata):
                continue
            if len(items) == limit and last is not None:
                return Page(tuple(items), cursor_of(last, find.order).encode())
            items.append(self.build(record, letter))
            last = record
        return Page(tuple(items))


class Lasting(Protocol):
    """What was read of a record: an entity, or its header."""

    @property
    def version(self) -> int:
        """The version of its record."""
        ...

    @property
    def created_at(self) -> datetime:
        """When its record was created."""
        ...


def unchanged(key: Key, entity: Lasting) -> Check:
    """Make the check that the record of an entity is the one that was read, and as it was."""
    made = to_micros(entity.created_at, field="created_at")
    return Check(key=key, expect=entity.version, made=made)


def check_page(limit: int) -> None:
    """Raise `Invalid` unless a page may have `limit` items."""
    if not 1 <= check_int64(limit, field="limit") <= MAX_PAGE:
        message = f"limit must be 1 to {MAX_PAGE} (max_page), not {limit}; use stream() for more"
        raise Invalid(message, code="bad_limit", field="limit")


def metadata_conditions(wanted: Mapping[str, Any]) -> tuple[AnyOf, ...]:
    """Say in header terms which records may have these metadata values.

    Exact for what fits into labels; a record marked partial always passes, to be decided by
    `has_metadata` on its opened body. A nested value is named by nesting, as in metadata itself.
    """
    labels = metadata_labels(wanted)
    return tuple(
        AnyOf((Condition(f"labels.{name}", "eq", value), IS_PARTIAL))
        for name, value in labels.items()
        if name != PARTIAL
    )


def has_metadata(actual: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether `actual` has every wanted value; `None` is wanted where absent will do."""
    for name, value in wanted.items():
        present = actual.get(name)
        if not _has(present, value):
            return False
    return True


def _has(present: object, wanted: object) -> bool:
    inner, sought = _nested(present), _nested(wanted)
    if inner is not None and sought is not None:
        return has_metadata(inner, sought)
    return _same(present, wanted)


def _nested(value: object) -> dict[str, Any] | None:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _same(left: object, right: object) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (left, right))
    return (numbers or type(left) is type(right)) and left == right


def check_metadata(metadata: object, *, field: str = "metadata") -> dict[str, Any]:
    """Return a copy of the user's metadata; raise `Invalid` unless it is a dict with text keys."""
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        message = f"{field} must be a dict, not {type(metadata).__name__}"
        raise Invalid(message, code="bad_type", field=field)
    checked: dict[str, Any] = {}
    for name, value in cast("Mapping[object, Any]", metadata).items():
        if not isinstance(name, str):
            message = f"{field} keys must be text, not {type(name).__name__} {name!r}"
            raise Invalid(message, code="bad_type", field=field)
        checked[name] = value
    return checked
