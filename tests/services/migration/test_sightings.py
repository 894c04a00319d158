"""What was met is remembered, and only that, in a few bytes for each."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.services.migration import sightings
from ropewalk.services.migration.sightings import Sightings


@settings(max_examples=40)
@given(st.lists(st.text()), st.lists(st.text()))
def test_it_knows_what_it_met(met: list[str], others: list[str]) -> None:
    """Whatever was added is in it, once; nothing else is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sightings, "_CHUNK", 4)
        found = Sightings()
        assert [text not in met[:at] for at, text in enumerate(met)] == [
            found.add(text) for text in met
        ]
    assert len(set(met)) == len(found)
    assert [text in met for text in others] == [text in found for text in others]


def test_it_takes_eight_bytes_for_each() -> None:
    """Thirty thousand ids, all but the latest settled, take little more than their hashes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sightings, "_CHUNK", 1_000)
        found = Sightings()
        tracemalloc.start()
        for number in range(30_000):
            found.add(f"name/message/{number}")
        size, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert 240_000 < size < 400_000
    assert peak < 900_000
