"""`Journal`: what a store knows of the migrations into it, in records of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from ...domain.address import redacted, without_secrets
from ...domain.change import Delete, Put
from ...domain.errors import Corrupt, NotFound
from ...domain.migration import Deletions, OnConflict, Plan, RunStatus, journal_id
from ...domain.query import Condition, Order, Query
from ...domain.record import Key, Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from ...domain.source import Item
    from ..desk import Desk

RUN: Final = "migration"
STEP: Final = "migration_step"
ITEM: Final = "migrated"

NEW: Final = "new"
REPLACED: Final = "replaced"
SAME: Final = "same"
KEPT: Final = "kept"
"""What became of an item: the last one means that the target has other content, left there."""

LAST: Final = "last"
"""In the place of a run's id: the newest run there is."""

_BY_ID: Final = Order("id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What became of one source item when it was last brought.

    `digest` is the item's, `content` that of the record that was written, whose `version` it was;
    both are empty where nothing was written. `revision` is the version of this note itself.
    """

    kind: str
    source_id: str
    digest: str
    run: str
    how: str
    version: int = 0
    content: bytes = b""
    revision: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """The header of a run: its plan, where it stands, and how many steps it has taken.

    `told` is what the report is made of. `families` are those whose nodes a rollback has to look
    at, `late` the kinds and ids that it removes in the end. `position` is the number of the
    source's commit up to which a copy follows it. `revision` is the version of the
    record: each step raises it.
    """

    id: str
    plan: Plan
    status: RunStatus
    started_at: int
    ended_at: int | None = None
    since_last: bool = False
    steps: int = 0
    told: Mapping[str, Any]
    families: tuple[str, ...] = ()
    late: tuple[tuple[str, str], ...] = ()
    position: int | None = None
    revision: int = 0


class Journal:
    """Reads and makes the records of migrations in one space; commits nothing."""

    def __init__(self, desk: Desk) -> None:
        """Work at `desk`."""
        self._desk = desk

    def run_key(self, run: str) -> Key:
        """Name the header of a run."""
        return Key(self._desk.space, RUN, run)

    def step_key(self, run: str, number: int, part: str = "") -> Key:
        """Name one step of a run: what one batch replaced; `part` is a body set aside."""
        return Key(self._desk.space, STEP, f"{run}.{number:012}{part}")

    def item_key(self, name: str, kind: str, source_id: str) -> Key:
        """Name the note about one source item."""
        return Key(self._desk.space, ITEM, journal_id(name, kind, source_id))

    async def put_run(self, state: RunState, *, expect: int) -> Put:
        """Make the change that writes the header of a run; passwords stay out of it."""
        plan = state.plan
        value = {
            "plan": {
                "name": plan.name,
                "format": plan.format,
                "place": redacted(plan.place),
                "options": without_secrets(plan.options),
                "url": redacted(plan.url),
                "space": plan.space,
                "kinds": list(plan.kinds),
                "on_conflict": plan.on_conflict.value,
                "deletions": plan.deletions.value,
                "allow_loss": list(plan.allow_loss),
                "batch": plan.batch,
            },
            "status": state.status.value,
            "started_at": state.started_at,
            "ended_at": state.ended_at,
            "since_last": state.since_last,
            "steps": state.steps,
            "told": dict(state.told),
            "families": list(state.families),
            "late": [list(pair) for pair in state.late],
            "position": state.position,
        }
        return await self.put(self.run_key(state.id), value, expect=expect)

    async def put_item(self, name: str, known: Known) -> Put:
        """Make the change that writes the note about an item, over the one of `revision`."""
        key = self.item_key(name, known.kind, known.source_id)
        value = [
            *(known.kind, known.source_id, known.digest, known.run),
            *(known.how, known.version, known.content),
        ]
        return await self.put(key, value, expect=known.revision)

    def drop_item(self, name: str, known: Known) -> Delete:
        """Make the change that forgets an item."""
        key = self.item_key(name, known.kind, known.source_id)
        return Delete(key=key, expect=known.revision)

    async def put(self, key: Key, value: object, *, expect: int) -> Put:
        """Make the change that writes a record of the journal."""
        sealed = await self._desk.sealer.seal(value, key)
        return Put(key=key, body=sealed.body, seal=sealed.seal, expect=expect)

    async def find(self, name: str, items: Sequence[Item]) -> list[Known | None]:
        """Return what is known of these items, in their order."""
        return await self.known(name, [(item.kind, item.source_id) for item in items])

    async def known(self, name: str, items: Sequence[tuple[str, str]]) -> list[Known | None]:
        """Return what is known of items by their kinds and ids, in their order."""
        keys = [self.item_key(name, kind, source_id) for kind, source_id in items]
        records = await self._desk.backend.get(keys)
        return [None if record is None else await self._known(record) for record in records]

    async def items(self, name: str, kind: str | None = None) -> AsyncIterator[Known]:
        """Go through what was brought under a plan's name, of one kind or of all."""
        prefix = f"{name}/" if kind is None else f"{name}/{kind}/"
        rows = cast(
            "AsyncGenerator[Record, None]", self._desk.backend.scan(self._query(ITEM, prefix))
        )
        async with aclosing(rows):
            async for record in rows:
                yield await self._known(record)

    async def count_items(self, name: str) -> int:
        """Count what was brought under a plan's name."""
        [row] = await self._desk.backend.tally(replace(self._query(ITEM, f"{name}/"), bodies=False))
        return row.count

    def _query(self, kind: str, prefix: str, *, newest_first: bool = False) -> Query:
        where = (Condition("id", "prefix", prefix),) if prefix else ()
        order = Order("id", descending=True) if newest_first else _BY_ID
        return Query(space=self._desk.space, kinds=(kind,), where=where, order=order)

    async def runs(self, name: str | None = None) -> tuple[RunState, ...]:
        """Return the runs into this space, newest first, of one plan or of all."""
        rows = self._desk.backend.scan(self._query(RUN, "", newest_first=True))
        found = [await self._run(record) async for record in rows]
        return tuple(run for run in found if name is None or run.plan.name == name)

    async def get(self, run: str) -> RunState:
        """Return a run by its id, by the beginning of its id, or the `last` one."""
        runs = await self.runs()
        found = [r for r in runs if run in (r.id, LAST)]
        found = found or [r for r in runs if r.id.startswith(run)]
        if not found or (len(found) > 1 and run != LAST):
            which = "no" if not found else "more than one"
            message = f"there is {which} migration {run!r}: `ropewalk migrate status` lists them"
            raise NotFound(message, code="no_run", run=run)
        return found[0]

    async def steps(self, run: str) -> AsyncIterator[Record]:
        """Go through the steps of a run that are not taken back yet, newest first."""
        query = self._query(STEP, f"{run}.", newest_first=True)
        rows = cast("AsyncGenerator[Record, None]", self._desk.backend.scan(query))
        async with aclosing(rows):
            async for record in rows:
                if record.key.id.count(".") == 1:
                    yield record

    async def opened(self, record: Record) -> Any:  # noqa: ANN401 (what the journal wrote)
        """Return what a record of the journal holds."""
        return await self._desk.sealer.unseal(record)

    async def _known(self, record: Record) -> Known:
        match await self.opened(record):
            case [
                str() as kind,
                str() as source_id,
                str() as digest,
                str() as run,
                str() as how,
                int() as version,
                bytes() as content,
            ]:
                return Known(
                    kind=kind,
                    source_id=source_id,
                    digest=digest,
                    run=run,
                    how=how,
                    version=version,
                    content=content,
                    revision=record.version,
                )
            case _:
                raise _damaged(record.key)

    async def _run(self, record: Record) -> RunState:
        value = await self.opened(record)
        try:
            plan = value["plan"]
            return RunState(
                id=record.key.id,
                plan=Plan(
                    name=plan["name"],
                    format=plan["format"],
                    place=plan["place"],
                    options=plan["options"],
                    url=plan["url"],
                    space=plan["space"],
                    kinds=tuple(plan["kinds"]),
                    on_conflict=OnConflict(plan["on_conflict"]),
                    deletions=Deletions(plan["deletions"]),
                    allow_loss=tuple(plan["allow_loss"]),
                    batch=plan["batch"],
                ),
                status=RunStatus(value["status"]),
                started_at=value["started_at"],
                ended_at=value["ended_at"],
                since_last=value["since_last"],
                steps=value["steps"],
                told=value["told"],
                families=tuple(value["families"]),
                late=tuple((kind, id_) for kind, id_ in value["late"]),
                position=value.get("position"),
                revision=record.version,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(record.key) from error


def _damaged(key: Key) -> Corrupt:
    message = f"{key} is no record of a migration, or a damaged one: restore it from a backup"
    return Corrupt(message, code="bad_journal", key=key)
