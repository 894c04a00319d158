"""`Appender`: write a new entry below its thread and session, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, cast

from ..domain.errors import Conflict, Invalid
from ..domain.history import (
    Cost,
    Entry,
    HistoryEntry,
    LLMRequest,
    LLMResponse,
    Message,
    TokenUsage,
    ToolCall,
)
from ..domain.lease import LEASE_LOST
from ..domain.limits import is_short
from ..domain.moment import from_micros
from ..domain.money import Money
from ..domain.record import check_name
from ..door import DOOR
from ..stores.base import check_metadata
from . import manager
from .manager import ATTEMPTS

if TYPE_CHECKING:
    from ..stores.history import HistoryStore
    from .desk import Desk
    from .lineage import Lineage

ENTRY: Final = "history entry"
"""What an entry is called in messages."""

H = TypeVar("H", bound=Entry)


class Common(TypedDict, total=False):
    """What every `add_...` takes beside its own fields."""

    thread_id: str | None
    session_id: str | None
    metadata: Mapping[str, Any] | None
    id: str | None
    created_at: datetime | None
    idempotency_key: str | None


_COMMON: Final = frozenset(Common.__annotations__)

_NAMES: Final[Mapping[type[HistoryEntry], tuple[str, ...]]] = {
    Message: ("role",),
    ToolCall: ("tool_name",),
    LLMRequest: ("model", "provider"),
    LLMResponse: ("model", "finish_reason"),
    TokenUsage: ("model", "provider", "source"),
    Cost: ("model", "provider"),
}
"""The fields of each type that must be names."""


_LASTING: Final = frozenset({str, int, float, bool, type(None), Money})
"""Types of values that nobody can change."""


class Appender:
    """Append entries one by one, each in a batch that expects its thread to be as it was read.

    So an entry always has the session of its thread, and none is written to a thread that is
    deleted meanwhile.
    """

    def __init__(self, desk: Desk, store: HistoryStore, lineage: Lineage) -> None:
        """Write into `store`, asking `lineage` for the session of a thread."""
        self._desk = desk
        self._store = store
        self._lineage = lineage

    async def append(self, cls: type[H], own: Mapping[str, Any], common: Common) -> H:
        """Write an entry of type `cls` with its own fields and those it has in `common`.

        Raises what `History.add_message` says.
        """
        if not common.keys() <= _COMMON:
            unknown = min(common.keys() - _COMMON)
            message = f"unknown argument {unknown!r} for a {cls.__name__}"
            raise Invalid(message, code="unknown_argument", field=unknown)
        thread_id, session_id = common.get("thread_id"), common.get("session_id")
        if thread_id is None and session_id is None:
            message = "a history entry needs thread_id, session_id or both"
            raise Invalid(message, code="no_parent", field="thread_id")
        for field in _NAMES[cls]:
            if not is_short(own[field]):
                check_name(own[field], field=field)
        key, metadata = common.get("idempotency_key"), common.get("metadata")
        clock, created_at, id_ = self._desk.clock, common.get("created_at"), common.get("id")
        if not id_:
            id_ = clock.new_id() if key is None else _id_by(key, cls, thread_id, session_id)
        fixed: dict[str, Any] = {
            **own,
            "id": id_,
            "thread_id": thread_id,
            "created_at": from_micros(clock.now())
            if created_at is None
            else self._desk.moment(created_at),
            "metadata": {} if metadata is None else check_metadata(metadata),
            "idempotency_key": key,
        }
        # What can be changed is sealed as it is at the call; everything else may wait its turn.
        if not metadata and _LASTING.issuperset(map(type, own.values())) and not DOOR.is_open():
            await DOOR.enter()
        if thread_id is not None:
            if not is_short(thread_id):
                check_name(thread_id, field="thread_id")
            return await self._below(thread_id, session_id, cls, fixed)
        entry = cls(**fixed, session_id=session_id)
        try:
            await manager.add(self._desk, self._store, [entry])
        except Conflict as error:
            return await self._first(entry, error)
        return entry

    async def _below(
        self, thread_id: str, session_id: str | None, cls: type[H], fixed: Mapping[str, Any]
    ) -> H:
        """Write an entry below a thread, looking that up again where it has changed meanwhile."""
        attempt = 1
        while True:
            parent = await self._lineage.membership(thread_id, session_id)
            entry = cls(**fixed, session_id=parent.session_id or session_id)
            put = await self._store.put(entry, expect=0)
            try:
                await self._desk.commit((parent.check, put))
            except Conflict as error:
                if error.facts.get("key") != parent.check.key:
                    return await self._first(entry, error)
                self._lineage.forget(thread_id)
                if attempt == ATTEMPTS:
                    raise
            else:
                return entry
            attempt += 1

    async def _first(self, entry: H, error: Conflict) -> H:
        """Return the entry that was written first under the same idempotency key.

        Without such a key, and where a lease was lost, raises the conflict that was met.
        """
        if entry.idempotency_key is None or error.code == LEASE_LOST:
            raise error
        first = await manager.get(self._desk, self._store, ENTRY, entry.id)
        for field in fields(entry):
            if field.name != "created_at" and getattr(first, field.name) != getattr(
                entry, field.name
            ):
                message = (
                    f"idempotency key {entry.idempotency_key!r} was used before with another "
                    f"{field.name}; use a new key for a new entry"
                )
                raise Conflict(message, code="idempotency", id=entry.id, field=field.name)
        return cast("H", first)


def _id_by(
    key: object, cls: type[HistoryEntry], thread_id: str | None, session_id: str | None
) -> str:
    """Make the id that an idempotency key stands for below its parent, the same one each time."""
    parts = [cls.__name__, thread_id or "", session_id or "" if thread_id is None else ""]
    parts.append(check_name(key, field="idempotency_key"))
    digest = blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4, "big") + data)
    return digest.hexdigest()
