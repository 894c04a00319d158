"""Draw what hangs from what: sessions, their threads, and what was forked from those."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")

UNICODE: Final = ("├─ ", "│  ", "└─ ", "   ")
ASCII: Final = ("|- ", "|  ", "`- ", "   ")


def hang(
    things: Sequence[T], below: Callable[[T], Sequence[T]], pen: Sequence[str] = UNICODE
) -> Iterator[tuple[str, T]]:
    """Go through what hangs from one thing, from the top, with what to draw before each."""
    branch, down, last, nothing = pen
    # Depth first by hand: how deep threads were forked is not ours to limit.
    todo = [("", things)] if things else []
    while todo:
        indent, (thing, *rest) = todo.pop()
        yield indent + (branch if rest else last), thing
        if rest:
            todo.append((indent, rest))
        children = below(thing)
        if children:
            todo.append((indent + (down if rest else nothing), children))
