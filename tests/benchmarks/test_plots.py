"""Plots are drawings that a browser reads, and show what is more as higher."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SPACE: Final = "{http://www.w3.org/2000/svg}"

DRAW: Final = """
from benchmarks.plots import plot
slow, quick = [(1, 20.0), (1_000, 3.0)], [(1, 900.0), (10, 2_000.0), (1_000, 4_500.0)]
print(plot("a <title>", {"slow & steady": slow, "quick": quick}, below="tasks"))
"""


def test_a_plot_shows_every_line() -> None:
    """A line has a point for each figure, more is further up, and names are escaped."""
    command = [sys.executable, "-c", DRAW]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    drawn = ET.fromstring(run.stdout)  # noqa: S314 (we have written it ourselves)
    lines = [each.attrib["points"].split() for each in drawn.iter(f"{SPACE}polyline")]
    [quick, slow] = [[float(point.split(",")[1]) for point in line] for line in lines]
    texts = [each.text for each in drawn.iter(f"{SPACE}text")]

    assert [3, 2] == [len(quick), len(slow)]
    assert sorted(quick, reverse=True) == quick
    assert sorted(slow) == slow
    assert max(quick) < min(slow)
    assert {"a <title>", "slow & steady", "quick", "tasks", "1", "1,000", "10,000"} <= {*texts}
