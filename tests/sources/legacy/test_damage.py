"""Whatever is damaged is brought as it is said here, or refused by name; nothing else is lost."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import pytest

import ropewalk
from ropewalk.domain.checkpoint import Checkpoint, PendingWrite
from ropewalk.domain.legacy.agents import PACKED, agent_row
from ropewalk.domain.legacy.fields import Times
from ropewalk.domain.legacy.keeping import part
from ropewalk.domain.legacy.shapes import (
    DOCUMENT,
    history_record,
    interaction_object,
    session_document,
    thread_document,
)
from ropewalk.domain.legacy.values import canonical
from ropewalk.domain.migration import Plan, RunReport, VerifyReport
from ropewalk.domain.plain import PlainRecord
from ropewalk.domain.session import Interaction, Session
from ropewalk.domain.source import Entity, Inventory, Note, SourceItem
from ropewalk.domain.thread import Branch, Snapshot, Thread
from ropewalk.frontends.cli.migrate_report import Rejects
from ropewalk.services.storage import Storage
from ropewalk.sources.legacy.reader import LegacySource

from ..ground_truth import Account, account
from .damage.agents import AGENTS
from .damage.documents import DOCUMENTS
from .damage.elder import ELDERS
from .damage.kinds import Brought, Damage, Outcome, Refused
from .damage.months import BIG, MONTHS
from .damage.rows import ROWS
from .estate import Estate
from .writing import ZONE, Tree

KINDS: Final = (*MONTHS, BIG, *DOCUMENTS, *ROWS, *ELDERS, *AGENTS)
TIMES: Final = Times(ZONE)

Reject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Move:
    """A folder with every kind of damage in it, once it was moved into a store."""

    estate: Estate
    planted: Mapping[str, list[Outcome]]
    scanned: Inventory
    report: RunReport
    verified: VerifyReport
    again: RunReport
    rejects: list[Reject]
    items: Mapping[tuple[str, str], SourceItem]
    notes: set[tuple[str | None, str | None, str]]
    stored: Mapping[tuple[str, str], Entity]

    def id_of(self, brought: Brought) -> str:
        """Return the id of an item; one that begins with a tilde was made of its content."""
        if not brought.id.startswith("~"):
            return brought.id
        name = brought.id.removeprefix("~")
        for (kind, id_), item in self.items.items():
            if kind == brought.kind and id_.startswith(f"{kind}~") and name in repr(item.entity):
                return id_
        raise KeyError(brought.id)


@pytest.fixture(scope="module")
def move(tmp_path_factory: pytest.TempPathFactory) -> Move:
    """Write the folder, look at it, move it, compare it with what came, and move it again."""
    folder = tmp_path_factory.mktemp("damage")
    estate = Estate(Tree(folder / "legacy"))
    estate.write()
    planted = {kind.id: list(kind.plant(estate.tree)) for kind in KINDS}
    return asyncio.run(_moved(estate, planted, folder))


async def _moved(estate: Estate, planted: Mapping[str, list[Outcome]], folder: Path) -> Move:
    source = LegacySource(estate.tree.root, tz=ZONE)
    plan = Plan(name="damage", format="legacy", allow_loss=("*",), batch=200)
    file = Rejects(folder / "rejects.jsonl")
    async with ropewalk.open(f"sqlite:///{folder / 'new.db'}") as storage:
        scanned = await source.scan()
        report = await storage.migrations.run(source, plan, rejected=file.add)
        file.close()
        verified = await storage.migrations.verify(source, plan)
        findings = [finding async for finding in source.read()]
        items = {(f.kind, f.source_id): f for f in findings if isinstance(f, SourceItem)}
        stored = {key: await _stored(storage, item.entity) for key, item in items.items()}
        again = await storage.migrations.run(source, plan)
    return Move(
        estate=estate,
        planted=planted,
        scanned=scanned,
        report=report,
        verified=verified,
        again=again,
        rejects=[json.loads(line) for line in file.path.read_text("utf-8").splitlines()],
        items=items,
        notes={(f.kind, f.source_id, f.code) for f in findings if isinstance(f, Note)},
        stored=stored,
    )


async def _stored(storage: Storage, entity: Entity) -> Entity:  # noqa: PLR0911 (one a kind)
    """Read an entity again, from the store."""
    match entity:
        case Session():
            return await storage.sessions.get(entity.id)
        case Interaction():
            page = await storage.sessions.interactions(entity.session_id, limit=100)
            [found] = [each for each in page if each.id == entity.id]
            return found
        case Thread():
            return await storage.threads.get(entity.id)
        case Branch():
            page_of = await storage.threads.branches(entity.source_thread_id)
            [branch] = [each for each in page_of if each.id == entity.id]
            return branch
        case Snapshot():
            [snapshot] = [
                each
                for each in await storage.threads.snapshots(entity.thread_id)
                if each.id == entity.id
            ]
            return snapshot
        case Checkpoint():
            return await storage.checkpoints.load(entity.id)
        case PlainRecord():
            row = await storage.records.load(entity.id, type=entity.kind) or {}
            own = {name: row[name] for name in row.keys() - {"type", "expires_at"}}
            return PlainRecord(kind=row["type"], **own)
        case _:
            return await storage.history.get(entity.id)


def calls_of(move: Move, session: Session) -> Iterator[Interaction]:
    """Go through the interactions of a session, as the store has them."""
    for entity in move.stored.values():
        if isinstance(entity, Interaction) and entity.session_id == session.id:
            yield entity


def shape(move: Move, entity: Entity) -> object:  # noqa: PLR0911 (one a kind)
    """Put an entity of the store back into the shape that it was read from."""
    match entity:
        case Session():
            metadata, kept = part(entity.metadata)
            if kept.get("generation") == "api":
                return metadata
            calls = sorted(calls_of(move, entity), key=lambda each: (each.created_at, each.id))
            return session_document(entity, calls, times=TIMES)
        case Interaction():
            kept = part(entity.metadata)[1]
            return kept.get(DOCUMENT) or interaction_object(entity, times=TIMES)
        case Thread():
            return thread_document(entity, times=TIMES)
        case Checkpoint():
            return [entity.state]
        case PlainRecord():
            is_row = entity.kind in PACKED
            return agent_row(entity, times=TIMES) if is_row else entity.data
        case Branch() | Snapshot() | PendingWrite():
            return None
        case _:
            return history_record(entity, times=TIMES)


def alike(left: object, right: object) -> bool:
    """Tell whether two values are the same; bytes have no JSON, and NaN is not itself."""
    try:
        return canonical(left) == canonical(right)
    except TypeError:
        return left == right


def raw_of(reject: Reject) -> bytes | None:
    """Return the item that a line of the rejects holds."""
    raw: Any = reject["raw"]
    if isinstance(raw, Mapping):
        return base64.b64decode(cast("Mapping[str, str]", raw)["$base64"])
    return None if raw is None else str(raw).encode("utf-8", "surrogatepass")


@pytest.mark.seed("7.1")
@pytest.mark.seed("7.3")
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.id)
def test_a_kind_of_damage(move: Move, kind: Damage) -> None:
    """It is brought as the table says, and told; or it is in the rejects, with place and item."""
    for outcome in move.planted[kind.id]:
        if isinstance(outcome, Refused):
            found = [
                reject
                for reject in move.rejects
                if (outcome.code, outcome.place) == (reject["code"], reject["place"])
            ]
            assert found, f"{kind.what}: nothing says {outcome}"
            assert all(reject["reason"] and reject["loss"] for reject in found)
            if outcome.raw is not None:
                assert outcome.raw in [raw_of(reject) for reject in found]
            if outcome.head is not None:
                [(raw, size)] = [(raw_of(reject), reject.get("size")) for reject in found]
                assert outcome.head == (raw, size)
        else:
            id_ = move.id_of(outcome)
            entity = move.stored[outcome.kind, id_]
            if outcome.raw is not None:
                assert alike(outcome.raw, shape(move, entity)), kind.what
            if outcome.note is not None:
                assert (outcome.kind, id_, outcome.note) in move.notes, kind.what


def test_there_are_sixty_kinds() -> None:
    """At least sixty kinds, each with a name of its own, and each does something."""
    assert len(KINDS) == len({kind.id for kind in KINDS}) >= 60
    assert all(kind.what for kind in KINDS)


@pytest.mark.seed("7.3")
def test_nothing_else_is_refused(move: Move) -> None:
    """The rejects hold what the table says and the formats that are not read, and nothing more."""
    wanted = Counter(
        (outcome.code, outcome.place)
        for outcomes in move.planted.values()
        for outcome in outcomes
        if isinstance(outcome, Refused)
    )
    told = Counter((reject["code"], reject["place"]) for reject in move.rejects)
    left = {reject["place"]: raw_of(reject) for reject in move.rejects}
    skipped = {place: left[place] for _, place in told - wanted}
    assert move.estate.skipped == skipped
    assert Counter() == wanted - told


@pytest.mark.seed("7.1")
@pytest.mark.seed("7.3")
def test_nothing_else_is_lost(move: Move) -> None:
    """Everything undamaged, of all generations, is in the store as the ground truth has it."""
    estate = move.estate
    damaged = {
        (outcome.kind, move.id_of(outcome))
        for outcomes in move.planted.values()
        for outcome in outcomes
        if isinstance(outcome, Brought)
    }
    sound = [entity for key, entity in move.stored.items() if key not in damaged]
    accounts = account(estate.tree.truth, sound, zone=ZONE)
    lines = Counter(line["kind"] for line in estate.tree.truth)
    assert {str(kind): Account(n, n) for kind, n in lines.items()} == accounts
    for id_, event in estate.events.items():
        assert alike(event, shape(move, move.stored["interaction", id_]))
    for id_, metadata in estate.rows.items():
        assert alike(metadata, shape(move, move.stored["session", id_]))
    for id_, told in estate.branches.items():
        branch = move.stored["branch", id_]
        assert told == {name: getattr(branch, name) for name in told}
    for id_, thread in estate.snapshots.items():
        snapshot = move.stored["snapshot", id_]
        assert isinstance(snapshot, Snapshot)
        assert thread == snapshot.thread_id


@pytest.mark.seed("7.3")
def test_what_came_is_compared_and_stays(move: Move) -> None:
    """No difference, nothing refused by the target, and a second run has nothing to do."""
    assert (0, {}) == (move.verified.difference_count, move.report.refused)
    assert sum(move.verified.items.values()) == len(move.items)
    assert move.report.brought == move.verified.items
    assert 0 == move.again.changes
    told = {reject["place"] for reject in move.rejects}
    assert {problem.place for problem in move.scanned.problems} <= told
