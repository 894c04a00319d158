"""Take stock of a source by reading it: what the findings come to, as an inventory."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from ..domain.source import MAX_PROBLEMS, FormatCount, Inventory, Problem, SourceItem

if TYPE_CHECKING:
    from ..domain.source import Finding


async def take_stock(
    findings: AsyncGenerator[Finding, None], *, place: Path, format: str, files: Sequence[Path]
) -> Inventory:
    """Count the items by kind and gather the problems; nothing of the items is kept.

    `files` are those that the findings come from: their size, in bytes, is taken when all is read.
    """
    kinds = Counter[str]()
    problems: list[Problem] = []
    count = 0
    async with aclosing(findings):
        async for finding in findings:
            if isinstance(finding, SourceItem):
                kinds[finding.kind] += 1
            elif isinstance(finding, Problem):
                count += 1
                problems += [finding] if len(problems) < MAX_PROBLEMS else []
    found = FormatCount(
        format=format,
        files=len(files),
        items=kinds.total(),
        size=sum(path.stat().st_size for path in files),
        read=True,
    )
    return Inventory(
        place=str(place),
        kinds=kinds,
        formats=(found,),
        problems=tuple(problems),
        problem_count=count,
    )
