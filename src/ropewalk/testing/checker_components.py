"""The parts of a graph in which everything leads to everything.

R. Tarjan, Depth-First Search and Linear Graph Algorithms (1972), without recursion.
"""

from __future__ import annotations

from collections.abc import Iterator

from .checker_edges import Edge, Graph


def components(graph: Graph) -> Iterator[Graph]:
    """Yield the strongly connected parts with more than one node, each with its own edges."""
    walk = _Walk(graph)
    for root in list(graph):
        if root not in walk.index:
            yield from walk.begin(root)


class _Walk:
    """A depth-first walk, which remembers how far up each node leads back."""

    def __init__(self, graph: Graph) -> None:
        self.index: dict[int, int] = {}
        self._graph = graph
        self._low: dict[int, int] = {}
        self._stack: list[int] = []
        self._on_stack: set[int] = set()
        self._way: list[tuple[int, Iterator[Edge]]] = []

    def begin(self, root: int) -> Iterator[Graph]:
        """Walk everything that can be reached from `root` and was not seen yet."""
        self._enter(root)
        while self._way:
            node, edges = self._way[-1]
            if self._goes_on(node, edges):
                continue
            self._way.pop()
            if self._way:
                self._lower(self._way[-1][0], self._low[node])
            if self._low[node] == self.index[node]:
                members = self._members(node)
                if len(members) > 1:
                    yield {
                        member: [e for e in self._graph.get(member, ()) if e.after in members]
                        for member in members
                    }

    def _enter(self, node: int) -> None:
        self.index[node] = self._low[node] = len(self.index)
        self._stack.append(node)
        self._on_stack.add(node)
        self._way.append((node, iter(self._graph.get(node, ()))))

    def _goes_on(self, node: int, edges: Iterator[Edge]) -> bool:
        """Follow the edges of `node` to the next one that leads to something new."""
        for edge in edges:
            if edge.after not in self.index:
                self._enter(edge.after)
                return True
            if edge.after in self._on_stack:
                self._lower(node, self.index[edge.after])
        return False

    def _lower(self, node: int, to: int) -> None:
        self._low[node] = min(self._low[node], to)

    def _members(self, node: int) -> set[int]:
        """Take a finished part off the stack."""
        members: set[int] = set()
        while node not in members:
            member = self._stack.pop()
            self._on_stack.discard(member)
            members.add(member)
        return members
