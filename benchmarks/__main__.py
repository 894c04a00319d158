"""Measure, print, and write the tables: `python -m benchmarks [--quick] [--only QUESTION]`."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from . import (
    bodies,
    conversations,
    growth,
    moving,
    paths,
    prices,
    pruning,
    reading,
    shapes,
    sizes,
    stalls,
    transfers,
)
from .page import PAGE, RESULTS, machine, refresh, write
from .scale import FULL, QUICK, Scale
from .tables import Section

_QUESTIONS: Final[Mapping[str, Callable[[Scale, Path], Section | Awaitable[Section]]]] = {
    "growth": growth.measure,
    "shapes": shapes.measure,
    "reading": reading.measure,
    "pruning": pruning.measure,
    "stalls": stalls.measure,
    "paths": paths.measure,
    "conversations": conversations.measure,
    "sizes": sizes.measure,
    "prices": prices.measure,
    "bodies": bodies.measure,
    "transfers": transfers.measure,
    "moving": moving.measure,
}


def main() -> int:
    """Run what was asked for; with `--quick` or `--only` the page stays as it is."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, short and few runs")
    parser.add_argument("--only", choices=_QUESTIONS, action="append", help="one question")
    parser.add_argument("--runs", type=int, help="how often everything is repeated")
    parser.add_argument("--rounds", type=int, help="how many slices of each call are measured")
    parser.add_argument("--slice", type=float, help="seconds of a slice")
    parser.add_argument("--million", action="store_true", help="also a store of a million records")
    parser.add_argument("--folder", type=Path, help="where the stores are made")
    parser.add_argument("--output", type=Path, help="where the tables go")
    given = parser.parse_args()
    scale = QUICK if given.quick else FULL
    if given.runs is not None:
        big = tuple((size, given.runs) for size, _ in scale.big)
        scale = replace(scale, runs=given.runs, big=big)
    if given.rounds is not None:
        scale = replace(scale, rounds=given.rounds)
    if given.slice is not None:
        scale = replace(scale, slice=given.slice)
    if given.million:
        scale = replace(scale, sizes=(*scale.sizes, 1_000_000))
    started = time.monotonic()
    sections: list[Section] = []
    for name, question in _QUESTIONS.items():
        if given.only and name not in given.only:
            continue
        print(f"{time.monotonic() - started:6.0f} s  {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            section = _run(question, scale, Path(folder))
        if given.quick:  # What is required is required of the full lengths.
            section = replace(section, requirements=())
        print(section.markdown(), flush=True)
        sections.append(section)
    print(machine())
    note = f"Medians of {scale.runs} interleaved runs."
    if given.output is not None:
        write(sections, given.output, note=note)
    elif not given.quick and not given.only:
        write(sections, RESULTS, note=note)
        refresh(PAGE, RESULTS)
    print(f"{time.monotonic() - started:6.0f} s  done", file=sys.stderr)
    return 0


def _run(
    question: Callable[[Scale, Path], Section | Awaitable[Section]], scale: Scale, folder: Path
) -> Section:
    async def ask() -> Section:
        found = question(scale, folder)
        return await found if inspect.isawaitable(found) else found

    return asyncio.run(ask())


if __name__ == "__main__":
    sys.exit(main())
