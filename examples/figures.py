"""What was measured of both stores, as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, TypeAlias

_SHOWN: Final = 20
_ALL: Final = slice(None)

Payload: TypeAlias = "dict[str, Payload] | str | int | float | bool"


@dataclass(frozen=True, slots=True)
class Measured:
    """One store: bytes of its file, its checkpoints, and the seconds that each turn took.

    `busy` are the seconds of the processor, in which other programs on the machine do not count.
    """

    name: str
    size: int
    checkpoints: int
    seconds: Sequence[float]
    busy: Sequence[float]

    def turn(self, part: slice = _ALL) -> float:
        """Return the milliseconds of a turn, the median over a part of all."""
        return 1_000 * median(self.seconds[part])

    def work(self, part: slice = _ALL) -> float:
        """Return the milliseconds of the processor in a turn, the median over a part of all."""
        return 1_000 * median(self.busy[part])

    def payload(self, width: int) -> Payload:
        """Return the figures, with their units; `width` turns are the first, and the last."""
        return {
            "saver": self.name,
            "file_bytes": self.size,
            "checkpoints": self.checkpoints,
            "turn_ms": round(self.turn(), 2),
            "turn_ms_first": round(self.turn(slice(width)), 2),
            "turn_ms_last": round(self.turn(slice(-width, None)), 2),
            "processor_ms": round(self.work(), 2),
            "processor_ms_first": round(self.work(slice(width)), 2),
            "processor_ms_last": round(self.work(slice(-width, None)), 2),
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """Both stores after the same conversation; `same` says that they gave back the same ends."""

    turns: int
    messages: int
    interrupts: int
    fork_after: int
    same: bool
    ropewalk: Measured
    langgraph: Measured

    @property
    def ratio(self) -> float:
        """How many times smaller the file of Ropewalk is."""
        return self.langgraph.size / self.ropewalk.size

    def payload(self) -> Payload:
        """Return everything for programs."""
        width = self._width
        return {
            "turns": self.turns,
            "messages": self.messages,
            "interrupts": self.interrupts,
            "fork_after_turn": self.fork_after,
            "same_state": self.same,
            "ratio": round(self.ratio, 2),
            "ropewalk": self.ropewalk.payload(width),
            "langgraph": self.langgraph.payload(width),
        }

    def text(self) -> str:
        """Return a table, and what was done, in words."""
        ours, theirs, width = self.ropewalk, self.langgraph, self._width
        rows = [
            ("", ours.name, theirs.name, ""),
            ("file", _size(ours.size), _size(theirs.size), f"{self.ratio:.0f} times smaller"),
            ("checkpoints", f"{ours.checkpoints:,}", f"{theirs.checkpoints:,}", ""),
        ]
        parts = (
            ("a turn", _ALL),
            (f"  the first {width}", slice(width)),
            (f"  the last {width}", slice(-width, None)),
        )
        rows += [
            (what, f"{ours.turn(part):.0f} ms", f"{theirs.turn(part):.0f} ms", _work(*sides))
            for what, part in parts
            if (sides := (ours.work(part), theirs.work(part)))
        ]
        wide = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            f"{row[0]:<{wide[0]}}  {row[1]:>{wide[1]}}  {row[2]:>{wide[2]}}  {row[3]}".rstrip()
            for row in rows
        ]
        head = (
            f"A LangGraph graph, {self.turns} turns, {self.messages:,} messages, "
            f"stopped for a person {'once' if self.interrupts == 1 else self.interrupts}, "
            f"forked after turn {self.fork_after}"
        )
        told = "the same" if self.same else "NOT the same"
        return "\n".join([head, "", *lines, "", f"The state at both ends is {told} in both files."])

    @property
    def _width(self) -> int:
        return min(_SHOWN, self.turns // 2)


def _work(ours: float, theirs: float) -> str:
    return f"of the processor: {ours:.0f} and {theirs:.0f} ms"


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
