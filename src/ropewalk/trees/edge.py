"""The right edge of a tree of leaves: all that an append has to know, and to write anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from .cut import INNER_TARGET, Cutter
from .form import Branch, Ref, inner_body

FEW: Final = 2
"""So many branches may stand in a row itself, instead of an inner node that holds them."""

MANY: Final = 8
"""So many for a dictionary, of which any leaf may change next: the inner node would each time."""

_WEIGHT: Final = 21
"""What a branch takes, roughly; the same for all, so that boundaries depend on names alone."""

_CHANCE_BYTES: Final = 4

Emit: TypeAlias = Callable[[bytes], bytes]
"""Keep a node's body, and return its name."""


class Edge:
    """The open nodes of each level of inner nodes, lowest first; closed ones are above already.

    What comes out depends on the leaves alone, not on how they were added. `closed` are the names
    of the nodes that will stay as leaves are added, `open` those that the last fold made.
    """

    __slots__ = ("_cutters", "_levels", "closed", "open")

    def __init__(self, branches: Iterable[Branch], emit: Emit) -> None:
        """Begin with these leaves."""
        self._levels: list[list[Branch]] = [[]]
        self._cutters = [Cutter(INNER_TARGET)]
        self.closed: set[bytes] = set()
        self.open: set[bytes] = set()
        for branch in branches:
            self.add(branch, emit)

    @classmethod
    def reopen(cls, levels: Sequence[Sequence[Branch]]) -> Edge:
        """Go on where a stored tree ends: its right-most node of each level, lowest first."""
        edge = cls((), _no_node)
        edge._levels = [list(level) for level in levels] or [[]]
        edge._cutters = [
            Cutter(INNER_TARGET, filled=_WEIGHT * len(level)) for level in edge._levels
        ]
        # A node that ends at a cut is closed: its branch stands one level above, as its last.
        for at, level in enumerate(edge._levels):
            if _is_closed(level):
                edge._levels[at] = []
                edge._cutters[at] = Cutter(INNER_TARGET)
            elif at + 1 < len(edge._levels):
                # The open node's own branch is made anew at every fold.
                edge._levels[at + 1].pop()
                edge._cutters[at + 1].filled -= _WEIGHT
        return edge

    def add(self, branch: Branch, emit: Emit) -> None:
        """Put one more leaf behind the last."""
        at = 0
        while True:
            if at == len(self._levels):
                self._levels.append([])
                self._cutters.append(Cutter(INNER_TARGET))
            level = self._levels[at]
            level.append(branch)
            if not self._cutters[at].ends(_WEIGHT, _chance(branch)):
                return
            branch = _inner(level, emit)
            self.closed.add(branch.ref.digest)
            self._levels[at] = []
            at += 1

    def fold(self, emit: Emit, *, most: int = FEW) -> tuple[int, tuple[Branch, ...]]:
        """Return the height of the tree and the branches at its top, `most` at the most."""
        carried: list[Branch] = []
        self.open = set()
        top = len(self._levels) - 1
        for at, level in enumerate(self._levels):
            branches = level + carried
            if at == top and len(branches) <= most:
                return (at + 1 if branches else 0), tuple(branches)
            carried = [_inner(branches, emit)] if branches else []
            self.open.update(branch.ref.digest for branch in carried)
        return top + 2, tuple(carried)


def _inner(branches: Sequence[Branch], emit: Emit) -> Branch:
    digest = emit(inner_body(branches))
    return Branch(Ref(digest, deep=True), sum(branch.total for branch in branches))


def _chance(branch: Branch) -> int:
    return int.from_bytes(branch.ref.digest[-_CHANCE_BYTES:])


def _is_closed(level: Sequence[Branch]) -> bool:
    cutter = Cutter(INNER_TARGET)
    ended = False
    for branch in level:
        ended = cutter.ends(_WEIGHT, _chance(branch))
    return ended


def _no_node(body: bytes) -> bytes:
    raise AssertionError(body)
