"""Markdown tables, and what was required beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

ABSENT: Final = "–"


@dataclass(frozen=True, slots=True)
class Requirement:
    """A bound on a figure: at least `least`, or at most `most`; `absent` says why there is none."""

    what: str
    measured: float | None
    least: float | None = None
    most: float | None = None
    unit: str = "×"
    absent: str = "not measured"

    @property
    def holds(self) -> bool | None:
        """Tell whether the figure keeps the bound, `None` where there is no figure."""
        if self.measured is None:
            return None
        if self.least is not None and self.measured < self.least:
            return False
        return self.most is None or self.measured <= self.most

    def row(self) -> list[str]:
        """Return what was asked, the bound, the figure, and whether it holds."""
        bound = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        verdict = {True: "yes", False: "**no**", None: self.absent}[self.holds]
        measured = ABSENT if self.measured is None else f"{number(self.measured)} {self.unit}"
        return [self.what, f"{bound} {self.unit}", measured, verdict]


@dataclass(frozen=True, slots=True)
class Section:
    """The tables of one question; `name` is the file that they are written to.

    `plots` are drawings in SVG by name; `note` says of what the figures are medians, where that is
    another thing than elsewhere.
    """

    name: str
    title: str
    blocks: tuple[str, ...]
    requirements: tuple[Requirement, ...] = ()
    plots: Mapping[str, str] = field(default_factory=dict[str, str])
    note: str = ""

    def markdown(self) -> str:
        """Return the section: the requirements first, then every table."""
        parts = [f"## {self.title}"]
        if self.requirements:
            head = ("", "required", "measured", "holds")
            parts.append(table(head, [each.row() for each in self.requirements]))
        return "\n\n".join([*parts, *self.blocks]) + "\n"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is text, the others are figures."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def number(value: float | None) -> str:
    """Return three digits that mean something, or a dash."""
    if value is None:
        return ABSENT
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def kilobytes(value: float | None) -> str:
    """Return bytes as thousands of bytes."""
    return number(None if value is None else value / 1e3)


def megabytes(value: float | None) -> str:
    """Return bytes as millions of bytes."""
    return number(None if value is None else value / 1e6)


def milliseconds(value: float | None) -> str:
    """Return microseconds as milliseconds."""
    return number(None if value is None else value / 1e3)


def ratio(above: float | None, below: float | None) -> float | None:
    """Return how many times `below` goes into `above`, where both were measured."""
    return None if above is None or not below else above / below
