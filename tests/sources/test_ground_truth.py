"""Everything that a ground truth names comes out of the source, whole."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

from ropewalk.domain.checkpoint import Checkpoint, PendingWrite
from ropewalk.domain.history import Cost, EntryKind, TokenUsage
from ropewalk.domain.legacy.agents import CHANGE, SNAPSHOT
from ropewalk.domain.legacy.fields import Times
from ropewalk.domain.legacy.keeping import part
from ropewalk.domain.money import NANOS
from ropewalk.domain.source import Entity, Problem, Skipped, SourceItem
from ropewalk.domain.thread import Branch
from ropewalk.sources.legacy.reader import LegacySource

from .ground_truth import Account, account, samples, truth_of, unpacked
from .legacy.whole import write_whole
from .legacy.writing import ZONE

WRITTEN: Final = Path("written by the test")

WRITTEN_SUMS: Final = {"total_tokens": 0, "total_cost": 0.300000001, "cost_records": 1}
"""What the only cost of our own folder comes to."""


@pytest.fixture(params=[WRITTEN, *samples()], ids=lambda path: path.name)
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a legacy folder with a ground truth: our own, and the real one if it is there."""
    archive: Path = request.param
    if archive != WRITTEN:
        return unpacked(archive, tmp_path)
    return write_whole(tmp_path).root


async def items_of(root: Path) -> list[SourceItem]:
    """Read every item of a legacy folder."""
    findings = LegacySource(root, tz=ZONE).read()
    return [finding async for finding in findings if isinstance(finding, SourceItem)]


def is_adjacent(item: SourceItem) -> bool:
    """Tell whether an item comes from older files, or from those of other interfaces."""
    entity = item.entity
    kept = {} if isinstance(entity, PendingWrite) else part(entity.metadata)[1]
    return item.place.startswith("data/") or "generation" in kept


@pytest.mark.seed("7.1")
@pytest.mark.seed("7.3")
async def test_every_line_of_the_ground_truth_is_accounted_for(root: Path) -> None:
    """Entities turned back into the shape they came from hash as the truth says, line by line."""
    truth = truth_of(root)
    entities: list[Entity] = [item.entity for item in await items_of(root)]
    accounts = account(truth, entities, zone=ZONE)
    lines = Counter(line["kind"] for line in truth)
    assert {kind: Account(n, n) for kind, n in lines.items()} == accounts


async def test_digests_are_those_of_the_raw_items(root: Path) -> None:
    """The digest of an item is the hash that the truth has for it; rows have one of their own."""
    digests = Counter(item.digest for item in await items_of(root))
    rows = {"checkpoint", CHANGE, SNAPSHOT}
    wanted = Counter(line["sha256"] for line in truth_of(root) if line["kind"] not in rows)
    assert Counter() == wanted - digests


async def test_the_inventory_counts_what_is_read(root: Path) -> None:
    """A scan counts the very items that reading brings."""
    inventory = await LegacySource(root, tz=ZONE).scan()
    assert Counter(item.kind for item in await items_of(root)) == inventory.kinds


@pytest.mark.seed("7.1")
async def test_counts_are_those_of_the_manifest(root: Path) -> None:
    """As many of each kind come out as were written, and the newest checkpoint is the newest."""
    manifest: dict[str, Any] = json.loads((root / "manifest.json").read_text("utf-8"))
    items = [item for item in await items_of(root) if not is_adjacent(item)]
    kinds = Counter(item.kind for item in items)
    types = {kind.value: kinds[kind] for kind in EntryKind if kinds[kind]}
    assert manifest["history"]["by_type"] == types
    assert manifest["history"]["records_written"] == sum(types.values())
    assert manifest["sessions"]["count_written"] == kinds["session"]
    assert manifest["sessions"]["interactions_on_disk"] == kinds["interaction"]
    assert manifest["threads"]["count_written"] == kinds["thread"]
    assert manifest["checkpoints"]["rows"] == kinds["checkpoint"]
    checkpoints = [each.entity for each in items if isinstance(each.entity, Checkpoint)]
    for thread, told in manifest["checkpoints"]["per_thread"].items():
        own = [checkpoint for checkpoint in checkpoints if checkpoint.thread_id == thread]
        newest = max(own, key=lambda checkpoint: checkpoint.created_at)
        latest = newest.id, newest.workflow_id, Times(ZONE).write(newest.created_at)
        assert told["count"] == len(own)
        assert (told["latest_id"], told["latest_workflow_id"], told["latest_ts"]) == latest


@pytest.mark.seed("7.1")
async def test_sums_are_those_of_the_manifest(root: Path) -> None:
    """Tokens are what was used, and money what was paid, by session and over all."""
    whole: dict[str, Any] = json.loads((root / "manifest.json").read_text("utf-8"))["history"]
    told: dict[str, Any] = {**whole.get("per_session", {}), "": whole.get("global", WRITTEN_SUMS)}
    entities = [item.entity for item in await items_of(root)]
    for session, sums in told.items():
        usages = [
            e for e in entities if isinstance(e, TokenUsage) and session in ("", e.session_id)
        ]
        costs = [e for e in entities if isinstance(e, Cost) and session in ("", e.session_id)]
        assert sums["total_tokens"] == sum(usage.total_tokens for usage in usages)
        nanos = sum(cost.total_cost.nanos for cost in costs)
        assert round(sums["total_cost"] * NANOS) == nanos
        assert sums["cost_records"] == len(costs)


async def test_branches_are_those_of_the_manifest(root: Path) -> None:
    """Branches that lived in memory only are rebuilt, but for their time and status."""
    manifest: dict[str, Any] = json.loads((root / "manifest.json").read_text("utf-8"))
    branches = [item.entity for item in await items_of(root) if isinstance(item.entity, Branch)]
    rebuilt = {
        branch.id: {
            "branch_id": branch.id,
            "source_thread_id": branch.source_thread_id,
            "source_checkpoint_id": branch.checkpoint_id,
            "branch_name": branch.name,
            "metadata": branch.metadata,
            "new_thread_id": branch.thread_id,
        }
        for branch in branches
    }
    written = {each["branch_id"]: each for each in manifest["branches_in_memory_only"]["items"]}
    assert written.keys() == rebuilt.keys()
    assert all(rebuilt[id].items() <= written[id].items() for id in written)


async def test_adjacent_formats_are_counted_as_in_the_manifest(root: Path) -> None:
    """What other interfaces left is all brought, or told with the number of things in it."""
    manifest: dict[str, Any] = json.loads((root / "manifest.json").read_text("utf-8"))
    findings = LegacySource(root, tz=ZONE).read()
    skipped = Counter[str]()
    async for finding in findings:
        if isinstance(finding, Skipped):
            skipped[finding.format] += finding.items
        elif isinstance(finding, SourceItem) and finding.kind in {CHANGE, SNAPSHOT}:
            skipped[finding.kind] += 1
        elif isinstance(finding, SourceItem | Problem) and finding.place.startswith("data/"):
            skipped["api-" + finding.place.split("/")[1]] += 1
        elif isinstance(finding, SourceItem) and is_adjacent(finding):
            skipped[finding.kind] += finding.kind != "checkpoint"
    told = manifest["adjacent_formats"]
    graphs = told["storage/graph_checkpoints.db"]
    counts: dict[str, int] = {
        "api-sessions": told["data/sessions/metadata.db"]["rows"],
        "api-history": told["data/history"]["records"],
        CHANGE: told["storage/state_history"]["rows"],
        SNAPSHOT: told["storage/state_snapshots"]["rows"],
        "interaction": told["history/tui_replay_session.json"]["events"] + 1,
        "graph-checkpoints": graphs["checkpoints_rows"],
        "graph-writes": graphs["writes_rows"],
        "session": told.get("sessions", {}).get("older", 1),
    }
    assert counts == {format: skipped[format] for format in counts}
