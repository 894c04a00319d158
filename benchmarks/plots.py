"""Plots as SVG, drawn by hand: lines over two logarithmic axes need no library of drawing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_WIDTH: Final = 760
_HEIGHT: Final = 380
_LEFT: Final = 64
_RIGHT: Final = 540
_TOP: Final = 40
_BOTTOM: Final = 332
_LINE: Final = 15
_COLOURS: Final = (
    "#0b6e4f",
    "#6fb98f",
    "#c1440e",
    "#e8a87c",
    "#5b4b8a",
    "#2e86ab",
    "#b5838d",
    "#8d99ae",
    "#d4a017",
    "#444444",
    "#999999",
)

Points = Sequence[tuple[float, float]]


class _Axis:
    """A logarithmic axis from the power of ten below the least to the one above the most."""

    def __init__(self, values: Sequence[float], *, begin: float, end: float) -> None:
        self._low = math.floor(math.log10(min(values)))
        self._high = max(self._low + 1, math.ceil(math.log10(max(values))))
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        """Return where a value stands."""
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._begin + share * (self._end - self._begin)

    def marks(self) -> list[tuple[float, str]]:
        """Return the powers of ten, where each stands and its text."""
        powers = range(self._low, self._high + 1)
        return [(self.at(10.0**power), f"{10.0**power:,g}") for power in powers]


def plot(title: str, lines: Mapping[str, Points], *, below: str) -> str:
    """Return a drawing of the lines by name; every coordinate must be above zero."""
    points = [point for line in lines.values() for point in line]
    across = _Axis([x for x, _ in points], begin=_LEFT, end=_RIGHT)
    up = _Axis([y for _, y in points], begin=_BOTTOM, end=_TOP)
    head = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {head}>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 22, title, size=14),
        _text((_LEFT + _RIGHT) / 2, _HEIGHT - 12, below, anchor="middle"),
    ]
    for y, mark in up.marks():
        parts += [_rule(_LEFT, y, _RIGHT, y), _text(_LEFT - 6, y + 4, mark, anchor="end")]
    for x, mark in across.marks():
        parts += [_rule(x, _TOP, x, _BOTTOM), _text(x, _BOTTOM + 16, mark, anchor="middle")]
    # The key stands in the order in which the lines end, so that it can be read beside them.
    ordered = sorted(lines, key=lambda name: -lines[name][-1][1])
    for place, name in enumerate(ordered):
        colour = _COLOURS[list(lines).index(name) % len(_COLOURS)]
        way = [(across.at(x), up.at(y)) for x, y in lines[name]]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in way)
        parts.append(
            f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in way]
        high = _TOP + 8 + place * (_LINE + 5)
        parts.append(
            f'<rect x="{_RIGHT + 16}" y="{high - 8}" width="12" height="8" fill="{colour}"/>'
        )
        parts.append(_text(_RIGHT + 34, high, name))
    return "\n".join([*parts, "</svg>\n"])


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="#dddddd"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 12) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}>{escape(text)}</text>"
