"""Long bytes are cut by their content: nothing is lost, and an edit moves what is near it."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ropewalk.trees.chunk import LEAST, MOST, boundary, chunks

from .growing import small_trees, words

PATTERN = boundary(7)


@given(
    data=st.binary(max_size=600),
    cuts=st.lists(st.integers(0, 600), max_size=6),
)
@settings(max_examples=200, deadline=None, database=None)
def test_pieces_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """However the bytes arrive, the chunks are the same, and together they are the bytes."""
    with small_trees():
        pieces = [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]
        found = list(chunks(iter(pieces), PATTERN))
        assert data == b"".join(found)
        assert list(chunks(iter([data]), PATTERN)) == found
        assert all(found)


@pytest.mark.parametrize(
    "data",
    [
        random.Random(1).randbytes(1_000_000),
        words(1, 1_000_000).encode(),
        b"a" * 1_000_000,
        b"\0\xff" * 500_000,
    ],
    ids=["random", "text", "one letter", "two bytes"],
)
def test_chunks_have_a_size(data: bytes) -> None:
    """None is longer than the most, and only the last is shorter than the least."""
    sizes = [len(chunk) for chunk in chunks(iter([data]), PATTERN)]
    assert len(data) == sum(sizes)
    assert max(sizes) <= MOST
    assert min(sizes[:-1]) >= LEAST


@pytest.mark.parametrize("secret", range(4))
@pytest.mark.parametrize("text", [True, False])
def test_an_edit_moves_few_chunks(secret: int, text: bool) -> None:
    """A few bytes more at the beginning, and nearly every chunk is as it was."""
    pattern = boundary(secret)
    data = words(secret, 1_000_000).encode() if text else random.Random(secret).randbytes(10**6)
    before = set(chunks(iter([data]), pattern))
    after = list(chunks(iter([data[:5000] + b"inserted" + data[5000:]]), pattern))
    changed = sum(chunk not in before for chunk in after)
    assert len(after) > 20
    assert changed <= 8


def test_boundaries_are_a_secret() -> None:
    """Two families cut the same text at different places."""
    data = words(3, 300_000).encode()
    one, other = (list(chunks(iter([data]), boundary(secret))) for secret in (1, 2))
    assert not set(one) & set(other)
