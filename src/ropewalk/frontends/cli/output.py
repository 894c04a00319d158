"""`Output`: data to stdout, talk to stderr; tables on a terminal, plain lines in a pipe, JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from .text import ago, clean, padded, stamp, width

if TYPE_CHECKING:
    from .command import Invocation
    from .payload import Json

_BETWEEN: Final = "  "
_FLEXIBLE: Final = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its heading; numbers stand to the right, `flexible` texts go to a new line."""

    name: str
    right: bool = False
    style: str = ""
    flexible: bool = False


class Output:
    """Where a command writes to, and in which form."""

    def __init__(self, invocation: Invocation) -> None:
        """Look at what the user asked for and at what stdout is."""
        self.json = invocation.json
        self.on_terminal = sys.stdout.isatty() and not self.json
        dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
        self.color = self.on_terminal and not invocation.no_color and not dumb
        self.encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        self.draws = can_write("─│●", self.encoding)

    def emit(self, payload: Json) -> None:
        """Write the answer as one JSON document."""
        from .payload import dumps

        self.line(dumps(payload, encoding=self.encoding))

    def line(self, text: str = "") -> None:
        """Write a line of the answer."""
        # click would look at stdout by itself and leave colours in for a terminal alone.
        click.echo(text, color=self.color)

    def say(self, text: str) -> None:
        """Write a line for the user that is no part of the answer."""
        click.echo(text, err=True)

    def styled(self, text: str, **style: Any) -> str:  # noqa: ANN401 (what click takes)
        """Return `text` in a colour or a weight, if there are colours."""
        return click.style(text, **style) if self.color and text else text

    def heading(self, text: str) -> None:
        """Write a heading, with an empty line before it."""
        self.line()
        self.line(self.styled(text, bold=True))

    def moment(self, moment: datetime | None, now: datetime) -> str:
        """Write a time: how long ago for a person, the instant for a program."""
        if moment is None:
            return ""
        return ago(moment, now) if self.on_terminal else stamp(moment)

    def number(self, number: int) -> str:
        """Write a number: in groups of three digits for a person."""
        return f"{number:,}" if self.on_terminal else str(number)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> None:
        """Write a table; its cells are cleaned of control characters."""
        cells = [[clean(cell) for cell in row] for row in rows]
        if self.on_terminal:
            self._rich(columns, cells)
        else:
            for line in plain_table(columns, cells):
                self.line(line)

    def _rich(self, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        lines = box.SIMPLE_HEAD if self.draws else box.ASCII2
        table = Table(box=lines, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(
                column.name,
                justify="right" if column.right else "left",
                style=column.style,
                no_wrap=not column.flexible,
                min_width=_FLEXIBLE if column.flexible else None,
            )
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        palette: Literal["auto"] | None = "auto" if self.color else None
        Console(file=sys.stdout, color_system=palette, highlight=False).print(table)


def can_write(signs: str, encoding: str) -> bool:
    """Tell whether an encoding has all these signs."""
    try:
        signs.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Go through the lines of a table without colours or borders, headings first."""
    headings = [column.name.upper() for column in columns]
    widths = [max(map(width, cells)) for cells in zip(headings, *rows, strict=True)]
    for row in (headings, *rows):
        cells = (
            padded(cell, columns_wide, right=column.right)
            for cell, columns_wide, column in zip(row, widths, columns, strict=True)
        )
        yield _BETWEEN.join(cells).rstrip()
