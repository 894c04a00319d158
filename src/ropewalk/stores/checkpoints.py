"""`CheckpointStore`: a checkpoint's header with the root of its state, in one record."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from ..domain.checkpoint import CheckpointHeader, HeaderDraft, TrunkDraft
from ..domain.errors import Corrupt, Invalid
from ..domain.limits import MAX_LABEL_NAME_BYTES, check_text
from ..domain.moment import from_micros
from ..domain.paging import page_of, records_of
from ..domain.query import Condition
from .base import Draft, EntityStore

if TYPE_CHECKING:
    from ..domain.labels import Label, Labels
    from ..domain.record import Record
    from .base import Find
    from .letter import Letter

MAC_BYTES: Final = 16

_PARTS: Final = 3

_HEXADECIMAL: Final = 32
_HYPHENATED: Final = 36
"""Characters of a UUID."""

TAG = "tag."
"""Prefix of the labels that say which tags a checkpoint has."""


class CheckpointStore(EntityStore[CheckpointHeader]):
    """Keep checkpoints so that lists never touch a state: of it there is the root alone."""

    kinds = ("checkpoint",)

    def draft(self, entity: CheckpointHeader) -> Draft:
        """Take a header apart; what is as usual is left out, since there are so many of them."""
        labels: dict[str, Label] = {"size": entity.size}
        if entity.workflow_id is not None:
            labels["workflow_id"] = entity.workflow_id
        if entity.namespace:
            labels["namespace"] = entity.namespace
        if entity.pinned:
            labels["pinned"] = True
        for tag in entity.tags:
            labels[TAG + tag] = True
        return Draft(
            kind="checkpoint",
            id=entity.id,
            data={"tree": _row(entity)},
            metadata=entity.metadata,
            created_at=entity.created_at,
            updated_at=entity.updated_at,
            labels=labels,
            session_id=entity.session_id,
            thread_id=entity.thread_id,
        )

    def build(self, record: Record, letter: Letter) -> CheckpointHeader:
        """Put a header together again."""
        labels = {**record.labels}
        size = labels.get("size", 0)
        draft = HeaderDraft()
        draft.id = record.key.id
        draft.thread_id = record.thread_id or ""
        draft.session_id = record.session_id
        draft.metadata = letter.metadata
        draft.size = size if isinstance(size, int) else 0
        draft.created_at = from_micros(record.created_at)
        # Most were never changed.
        same = record.updated_at == record.created_at
        draft.updated_at = draft.created_at if same else from_micros(record.updated_at)
        draft.version = record.version
        draft.workflow_id, draft.namespace, draft.tags, draft.pinned = None, "", (), False
        # Beside their size, most have no label.
        if len(labels) > 1:
            _fill_labelled(draft, labels)
        _fill_rooted(draft, record, letter)
        return draft.done()

    async def newest(self, find: Find) -> CheckpointHeader | None:
        """Return the first that a search finds, with its body read in one look."""
        query = self.query(find)
        portion = await page_of(self._backend, query)
        if portion is not None and (portion.records or portion.rest is None):
            return await self.open(portion.records[0]) if portion.records else None
        async with aclosing(records_of(self._backend, query)) as records:
            async for record in records:
                return await self.open(record)
        return None


def check_tag(name: str) -> str:
    """Return a tag if it may be one; raise `Invalid` otherwise."""
    return check_text(
        name,
        field="name",
        limit=MAX_LABEL_NAME_BYTES - len(TAG),
        limit_name="max_label_name_bytes",
    )


def with_tag(name: str | None) -> tuple[Condition, ...]:
    """Say in header terms: has this tag; nothing where any will do."""
    return () if name is None else (Condition(f"labels.{TAG}{check_tag(name)}", "eq", value=True),)


def check_delta(delta: object) -> Mapping[str, Any]:
    """Return what is to be appended; raise `Invalid` unless it is a dict with text keys."""
    # Nearly every delta is a dict, and whether one is a mapping takes longer to ask.
    if type(delta) is not dict and not isinstance(delta, Mapping):
        message = f"delta must be a dict of what changed, not {type(delta).__name__}"
        raise Invalid(message, code="bad_type", field="delta")
    for name in cast("Mapping[object, Any]", delta):
        if not isinstance(name, str):
            message = f"the keys of delta must be text, not {type(name).__name__} {name!r}"
            raise Invalid(message, code="bad_type", field="delta")
    return cast("Mapping[str, Any]", delta)


def _row(entity: CheckpointHeader) -> list[bytes | str | UUID | None]:
    """Return the tree, the parent, and the family where it is not the thread's own.

    A row without names, and without what is missing at its end: there are so many of them.
    """
    row: list[bytes | str | UUID | None] = [None, None, None]
    if entity.trunk is not None:
        row[0] = entity.trunk.mac + entity.trunk.root
        if entity.trunk.family != entity.thread_id:
            row[2] = entity.trunk.family
    if entity.parent_id is not None:
        row[1] = _short(entity.parent_id)
    while row and row[-1] is None:
        row.pop()
    return row


def _fill_rooted(draft: HeaderDraft, record: Record, letter: Letter) -> None:
    """Put in what `_row` wrote: the parent in full, and where the state begins."""
    row: list[object] = letter.data.get("tree", ())
    if type(row) is not list or len(row) > _PARTS:
        raise _no_root(record)
    tree, parent, family = (*row, None, None, None)[:_PARTS]
    if type(parent) is bytes:
        draft.parent_id = parent.hex()
    else:
        draft.parent_id = None if parent is None else str(parent)
    draft.trunk = None
    if tree is None:
        return
    if family is None:
        family = draft.thread_id
    if type(tree) is not bytes or type(family) is not str or len(tree) <= MAC_BYTES:
        raise _no_root(record)
    trunk = TrunkDraft()
    trunk.family = family
    trunk.root = tree[MAC_BYTES:]
    trunk.mac = tree[:MAC_BYTES]
    draft.trunk = trunk.done()


def _fill_labelled(draft: HeaderDraft, labels: Labels) -> None:
    """Put in what is kept in labels beside the size."""
    workflow_id = labels.get("workflow_id")
    draft.workflow_id = None if workflow_id is None else str(workflow_id)
    draft.namespace = str(labels.get("namespace", ""))
    draft.pinned = labels.get("pinned") is True
    draft.tags = tuple([name.removeprefix(TAG) for name in sorted(labels) if name.startswith(TAG)])


def _no_root(record: Record) -> Corrupt:
    message = f"{record.key} does not say where its state begins; restore it from a backup"
    return Corrupt(message, code="bad_root", key=record.key)


def _short(id: str) -> str | bytes | UUID:
    """Return an id as it is kept in a body: a UUID, in either spelling, takes half of its text."""
    try:
        if len(id) == _HEXADECIMAL:
            digits = bytes.fromhex(id)
            return digits if digits.hex() == id else id
        if len(id) == _HYPHENATED:
            short = UUID(id)
            return short if str(short) == id else id
    except ValueError:
        return id
    return id
