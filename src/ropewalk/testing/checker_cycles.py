"""Cycles in the dependencies of transactions, and what Adya calls them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from .checker_components import components
from .checker_edges import Edge, Graph, Why
from .histories import Transaction
from .verdict import Anomaly, Level

TRIED: Final = 100
"""Edges of one component from which a cycle is looked for."""

_WRITES: Final = frozenset({Why.WW})
_READS: Final = frozenset({Why.WW, Why.WR})
_ALL: Final = frozenset({Why.WW, Why.WR, Why.RW})

Path = tuple[Edge, ...]


def check_cycles(
    graph: Graph, times: Graph, transactions: Sequence[Transaction], level: Level
) -> list[Anomaly]:
    """Return the smallest cycle of each kind that `level` forbids, one for each component.

    `times` are the edges that follow from time alone; only the strictest level asks for them.
    """
    anomalies: list[Anomaly] = []
    for component in components(graph):
        anomalies += _cycles(component, transactions, level, strict=False)
    if level is Level.STRICT and not anomalies:
        both: Graph = defaultdict(list)
        for part in (graph, times):
            for node, edges in part.items():
                both[node] += edges
        for component in components(both):
            anomalies += _cycles(component, transactions, level, strict=True)
    return anomalies


def _cycles(
    inner: Graph, transactions: Sequence[Transaction], level: Level, *, strict: bool
) -> Iterator[Anomaly]:
    """Yield the gravest anomaly of a component in which everything leads to everything."""
    extra = {Why.RT} if strict else set[Why]()
    asked: list[tuple[str, Why, Callable[[Edge], Path | None]]] = [
        ("G0", Why.WW, lambda edge: _way(inner, edge, _WRITES | extra)),
        ("G1c", Why.WR, lambda edge: _way(inner, edge, _READS | extra)),
    ]
    if level is not Level.COMMITTED:
        asked.append(("G-single", Why.RW, lambda edge: _way(inner, edge, _READS | extra)))
        asked.append(("G-nonadjacent", Why.RW, lambda edge: _apart(inner, edge)))
    if level in (Level.SERIALIZABLE, Level.STRICT):
        asked.append(("G2", Why.RW, lambda edge: _way(inner, edge, _ALL | extra)))
    for name, why, find in asked:
        edges = sorted(
            (edge for leaving in inner.values() for edge in leaving if edge.why is why),
            key=lambda edge: transactions[edge.before].called,
        )
        best: Path | None = None
        for edge in edges[:TRIED]:
            path = find(edge)
            if path is not None and (best is None or len(path) < len(best)):
                best = path
        if best is not None:
            yield _told(name, best, transactions)
            return


def _told(name: str, cycle: Path, transactions: Sequence[Transaction]) -> Anomaly:
    if any(edge.listed for edge in cycle):
        what = "a phantom: a listing missed what comes before it"
    else:
        what = {
            "G0": "writes that replace each other in a circle",
            "G1c": "each saw what the other wrote",
            "G-single": "one saw the other's work in part: a lost update or a torn read",
            "G-nonadjacent": "a circle that no snapshots allow",
            "G2": "each missed what the other wrote: write skew",
        }[name]
    if any(edge.why is Why.RT for edge in cycle):
        name, what = f"{name} in time", f"{what}, against the order of time"
    names = {edge.before: f"T{number}" for number, edge in enumerate(cycle, start=1)}
    part = [f"{names[edge.before]} = {transactions[edge.before]}" for edge in cycle]
    part += [
        f"{names[edge.before]} before {names[edge.after]} ({edge.why}): {edge.story}"
        for edge in cycle
    ]
    return Anomaly(name, what, tuple(part))


def _way(inner: Graph, edge: Edge, allowed: frozenset[Why] | set[Why]) -> Path | None:
    """Return the shortest cycle that begins with `edge` and goes on over allowed edges."""
    came: dict[int, Edge] = {edge.after: edge}
    waiting = deque([edge.after])
    while waiting:
        node = waiting.popleft()
        for step in inner[node]:
            if step.why in allowed and step.after not in came:
                came[step.after] = step
                if step.after == edge.before:
                    return _back(came, edge)
                waiting.append(step.after)
    return None


def _back(came: dict[int, Edge], first: Edge) -> Path:
    path: list[Edge] = []
    node = first.before
    while True:
        step = came[node]
        path.append(step)
        if step is first:
            return tuple(reversed(path))
        node = step.before


def _apart(inner: Graph, edge: Edge) -> Path | None:
    """Return the shortest cycle that begins with an anti-dependency and never has two in a row."""
    start: tuple[int, bool] = edge.after, True
    came: dict[tuple[int, bool], tuple[tuple[int, bool], Edge] | None] = {start: None}
    waiting: deque[tuple[int, bool]] = deque([start])
    while waiting:
        place = waiting.popleft()
        node, after_rw = place
        for step in inner[node]:
            is_rw = step.why is Why.RW
            following = step.after, is_rw
            if step.why is Why.RT or (is_rw and after_rw) or following in came:
                continue
            came[following] = place, step
            if step.after == edge.before and not is_rw:
                path = [step]
                while (back := came[place]) is not None:
                    place, taken = back
                    path.append(taken)
                path = [edge, *reversed(path)]
                return tuple(path) if _is_simple(path) else None
            waiting.append(following)
    return None


def _is_simple(path: Sequence[Edge]) -> bool:
    visited = [edge.before for edge in path]
    ends_meet = all(one.after == two.before for one, two in pairwise(path))
    return ends_meet and len(set(visited)) == len(visited)
