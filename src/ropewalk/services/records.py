"""`Records`: the plain records, with policies for changes that meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from ..domain.change import ABSENT, Batch
from ..domain.effect import mismatch
from ..domain.errors import Conflict
from ..domain.policy import Policy, Reject, Retry
from ..domain.record import Key
from ..door import DOOR
from ..still import still
from ..stores.document import Document, document_of, read_document, read_updates
from ..stores.kinds import DOORS, check_writable
from ..stores.letter import open_letter
from ..stores.operations import check_expected
from ..stores.records import RecordStore
from .policies.forms import FIELDS
from .policies.settling import Settling, check_how, seen_of, settle

if TYPE_CHECKING:
    from .desk import Desk

Row: TypeAlias = Mapping[str, Any]


class Records(RecordStore):
    """The nine verbs, of which `save` and `update` take a policy."""

    def __init__(self, desk: Desk) -> None:
        """Keep the plain records of a desk's space."""
        super().__init__(desk.backend, desk.sealer, desk.clock, space=desk.space)
        self._desk = desk

    async def save(
        self, data: Row, *, expected_version: int | None = None, **how: Unpack[Settling[Row]]
    ) -> str:
        """Write a whole record, new or not, and return its id.

        `type` is required; without `id` a new one is made. What is not given is empty, except
        the `created_at` of a record that is there. A given `updated_at` is kept as it is. What
        `load` returned can be saved; its `version` says nothing, only `expected_version` (0: must
        not exist) and `base` do. Raises `Conflict` where the record has another version, unless a
        `policy` says otherwise: that of the call, or that of the type. With a policy and neither
        version nor base, the caller says to have seen nothing. Raises `Invalid` naming a wrong key.
        What is saved is `data` as it is at the call, objects of other types than JSON's as they
        are when it is this call's turn.
        """
        if how:
            check_how(how)
        expected = check_expected(expected_version)
        if not DOOR.is_open():
            data = still(data)
            await DOOR.enter()
        document = read_document(data, space=self._desk.space, new_id=self._desk.clock.new_id)
        key = document.key
        if not how:
            try:
                return await self._write(document, expect=expected)
            except Conflict:
                if expected is None or await self._desk.policy_of(key.kind) is None:
                    raise
        check_writable(key.kind, DOORS)
        stated = seen_of(how, expected)
        await self._settle(key, lambda _: document, seen=stated or ABSENT, how=how)
        return key.id

    async def update(
        self,
        id: str,
        updates: Row,
        *,
        expected_version: int | None = None,
        type: str | None = None,
        **how: Unpack[Settling[Row]],
    ) -> bool:
        """Merge changes into a record; return False where there is none.

        Dictionaries in `data` and `metadata` are merged at any depth, other values replace,
        `None` too. Without `expected_version` the merge is repeated on what others write
        meanwhile, so nothing is lost; with it, `Conflict` is raised where it differs, unless a
        `policy` says otherwise: that of the call, or that of the type. `Merge` needs as `base`
        the record that was read.
        """
        check_how(how)
        if not how:
            try:
                return await super().update(
                    id, updates, expected_version=expected_version, type=type
                )
            except Conflict as error:
                met = error.facts.get("key")
                if expected_version is None or not isinstance(met, Key):
                    raise
                if await self._desk.policy_of(met.kind) is None:
                    raise
        changes = read_updates(updates)
        seen = seen_of(how, check_expected(expected_version))
        found = await self.load(id, type=type)
        if found is None:
            return await super().update(id, updates, expected_version=seen, type=type)
        key = Key(self._desk.space, str(found["type"]), id)
        check_writable(key.kind, DOORS)

        def edit(present: Document | None) -> Document:
            if present is None:
                raise mismatch(key, expected=seen, actual=ABSENT)
            return present.merged(changes)

        await self._settle(key, edit, seen=seen, how=how)
        return True

    async def _settle(
        self,
        key: Key,
        edit: Callable[[Document | None], Document],
        *,
        seen: int | None,
        how: Settling[Row],
    ) -> None:
        base = how.get("base")

        async def policy() -> Policy:
            given = how.get("policy")
            if given is None and seen is not None:
                return await self._desk.policy_of(key.kind) or Reject()
            return given or Retry()

        await settle(
            _DocumentPlace(self._desk, key),
            edit,
            seen=seen,
            base=None if base is None else self._read_base(base, key),
            policy=policy,
            decided=how.get("decided"),
        )

    def _read_base(self, base: Row, key: Key) -> Document:
        known = {**base, "id": key.id, "type": key.kind}
        return read_document(known, space=key.space, new_id=self._desk.clock.new_id)


class _DocumentPlace:
    """Where one plain record stands, or may."""

    def __init__(self, desk: Desk, key: Key) -> None:
        self._desk = desk
        self._made: int | None = None
        self.key = key

    async def look(self) -> tuple[Document | None, int]:
        [record] = await self._desk.backend.get([self.key])
        if record is None:
            self._made = None
            return None, ABSENT
        self._made = record.created_at
        return document_of(record, await open_letter(self._desk.sealer, record)), record.version

    def apart(self, value: Document) -> dict[str, Any]:
        return {name: getattr(value, name) for name in FIELDS}

    def together(self, present: Document, merged: dict[str, Any]) -> Document:
        return present._replace(**merged)

    async def write(self, value: Document, *, expect: int) -> int:
        put = await value.put(self._desk.sealer, expect=expect, made=self._made)
        applied = await self._desk.backend.apply(Batch((put,), actor=self._desk.actor))
        return applied.versions[0]
