"""What is looked at of the parser's words and nodes: little, and the same in all its versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Kind(Protocol):
    """The kind of a word."""

    @property
    def name(self) -> str:
        """Its name, such as `L_PAREN`."""
        ...


class Word(Protocol):
    """A word of a text."""

    @property
    def text(self) -> str:
        """The word as it was written, without quotes."""
        ...

    @property
    def comments(self) -> Sequence[str]:
        """The comments that stand with it."""
        ...

    @property
    def token_type(self) -> Kind:
        """Its kind."""
        ...


class Node(Protocol):
    """A node of the parser's tree; its class has the name of what it is."""

    @property
    def args(self) -> Mapping[str, Any]:
        """Everything that hangs from it, by name."""
        ...

    @property
    def this(self) -> Any:  # noqa: ANN401 (a node, or a plain value)
        """What hangs from it first."""
        ...

    @property
    def expression(self) -> Any:  # noqa: ANN401 (a node)
        """What hangs from it second."""
        ...

    @property
    def expressions(self) -> Sequence[Any]:
        """The list that hangs from it."""
        ...


def name_of(node: Node) -> str:
    """Return what a node is, such as `Select` or `Column`."""
    return type(node).__name__
