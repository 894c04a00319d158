"""`check`: decide whether a recorded history can have happened in a sound store."""

from __future__ import annotations

from collections import defaultdict

from .checker_claims import settle
from .checker_cycles import check_cycles
from .checker_edges import Graph, dependencies, in_time
from .checker_registers import check_registers
from .checker_versions import order_versions
from .histories import History
from .verdict import Level, Verdict


def check(history: History, *, level: Level = Level.STRICT) -> Verdict:
    """Return what in `history` cannot have happened at `level`.

    Every key must be a linearizable register, at the strictest level; transactions must have no
    cycle of dependencies that the level forbids; what was told must agree with the feed, where
    the history has one. The order in which a key got its values is known exactly, from versions
    and commit numbers, so what is reported did happen; without a feed, what got no answer and
    could be in several places gives no dependency.
    """
    settled = settle(history)
    anomalies = list(settled.anomalies)
    versions = order_versions(settled.transactions)
    anomalies += versions.anomalies
    times: Graph = defaultdict(list)
    if level is Level.STRICT:
        anomalies += check_registers(settled.transactions)
        for edge in in_time(settled.transactions):
            times[edge.before].append(edge)
    graph = dependencies(versions)
    anomalies += check_cycles(graph, times, settled.transactions, level)
    return Verdict(
        anomalies=tuple(anomalies),
        transactions=len(history.transactions),
        keys=len(versions.order),
        edges=sum(map(len, graph.values())) + sum(map(len, times.values())),
    )
