"""One page of an ordered list, and how to get the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in order; `cursor` continues behind the last one, or is `None` at the end."""

    items: tuple[T, ...]
    cursor: str | None = None

    def __iter__(self) -> Iterator[T]:
        """Go through the items."""
        return iter(self.items)

    def __len__(self) -> int:
        """Count the items of this page."""
        return len(self.items)

    def map(self, make: Callable[[T], U]) -> Page[U]:
        """Return the same page of other items."""
        return Page(tuple(make(item) for item in self.items), self.cursor)
