"""Every checkpoint once, and behind its parent wherever that is possible."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.source import Problem
from ropewalk.sources.langgraph.order import Read, parents_first
from ropewalk.sources.langgraph.rows import CheckpointRow

pytestmark = pytest.mark.seed("7.2")

Parents = dict[tuple[str, str], dict[str, str | None]]

NAMES = st.sampled_from("abcdefgh")
PARENTS = st.dictionaries(
    st.tuples(st.sampled_from(["t", "u"]), st.sampled_from(["", "n"])),
    st.dictionaries(NAMES, st.none() | NAMES | st.just("gone"), max_size=8),
)


class Table:
    """Rows in memory, which count how often they are read again."""

    def __init__(self, parents: Parents) -> None:
        self.parents = parents
        self.fetched = 0

    def rows(self) -> Iterator[Read]:
        """Go through all by thread, namespace and id."""
        for (thread, namespace), line in sorted(self.parents.items()):
            for id_ in sorted(line):
                yield self._row(thread, namespace, id_)

    def has(self, thread: str, namespace: str, id: str) -> bool:
        """Tell whether there is such a row."""
        return id in self.parents[thread, namespace]

    def fetch(self, thread: str, namespace: str, id: str) -> Iterator[Read]:
        """Read one again."""
        self.fetched += 1
        yield self._row(thread, namespace, id)

    def _row(self, thread: str, namespace: str, id: str) -> CheckpointRow:
        return CheckpointRow(
            place=id,
            thread=thread,
            namespace=namespace,
            id=id,
            parent=self.parents[thread, namespace][id],
            form=None,
            checkpoint=None,
            metadata=None,
        )


def _in_circle(line: dict[str, str | None], id: str) -> bool:
    """Tell whether the ancestors of a checkpoint never end."""
    walked: list[str] = []
    here: str | None = id
    while here in line and here not in walked:
        walked.append(here)
        here = line[here]
    return here in line


@given(PARENTS)
def test_each_once_and_behind_its_parent(parents: Parents) -> None:
    """Also where ids do not rise, parents are missing, or stand in a circle."""
    table = Table(parents)
    found = [row for row in parents_first(table.rows(), table) if isinstance(row, CheckpointRow)]

    named = [(row.thread, row.namespace, row.id) for row in found]
    everything = [(*key, id_) for key, line in parents.items() for id_ in line]
    assert sorted(everything) == sorted(named)
    for at, row in enumerate(found):
        line = parents[row.thread, row.namespace]
        if row.parent in line and not _in_circle(line, row.id):
            assert (row.thread, row.namespace, row.parent) in named[:at]


def test_nothing_is_read_twice_where_ids_rise() -> None:
    """The usual case costs one look at each row; what cannot be read passes through."""
    line = {"a": None, "b": "a", "c": "b", "d": "b"}
    table = Table({("t", ""): dict(line)})
    problem = Problem(code="x", place="p", reason="r")
    found = list(parents_first([problem, *table.rows()], table))
    assert [problem, *table.rows()] == found
    assert 0 == table.fetched
