"""Everything that a ground truth names comes out of the source, whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from ropewalk.domain.source import Entity, SourceItem
from ropewalk.sources.legacy.reader import LegacySource

from .ground_truth import Account, account, samples, truth_of, unpacked
from .legacy.whole import write_whole
from .legacy.writing import ZONE

WRITTEN: Final = Path("written by the test")


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
    """The digest of an item is the hash that the truth has for it; states have one of their own."""
    digests = Counter(item.digest for item in await items_of(root))
    wanted = Counter(line["sha256"] for line in truth_of(root) if line["kind"] != "checkpoint")
    assert Counter() == wanted - digests


async def test_the_inventory_counts_what_is_read(root: Path) -> None:
    """A scan counts the very items that reading brings."""
    inventory = await LegacySource(root, tz=ZONE).scan()
    assert Counter(item.kind for item in await items_of(root)) == inventory.kinds
