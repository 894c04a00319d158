"""What is remembered of nodes is bounded, and belongs to a family and to whoever reads it."""

from __future__ import annotations

import pytest

from ropewalk.codecs.pipeline import make_pipeline
from ropewalk.services.checkpoints.cache import Cache, Kept
from ropewalk.trees.copies import made_of

pytestmark = pytest.mark.seed("3.4", "6.4")


def _name(number: int) -> bytes:
    return b"%032d" % number


def test_what_nobody_asked_for_longest_is_forgotten_first() -> None:
    """Of ten values for which there is room, those stay that were asked for."""
    kept: Kept[bytes] = Kept(10 * 1_000, len)
    for number in range(8):
        kept.put("family", {_name(number): bytes(800)})
    assert list(kept.take("family", [_name(1), _name(99)])) == [_name(1)]
    for number in range(8, 16):
        kept.put("family", {_name(number): bytes(800)})
        kept.take("family", [_name(1)])
    found = kept.take("family", map(_name, range(16)))
    assert len(found) == 10
    assert _name(1) in found
    assert _name(2) not in found


def test_what_is_bigger_than_all_the_room_is_not_kept() -> None:
    """Nothing is left of it, and the room is free for others."""
    kept: Kept[bytes] = Kept(1_000, len)
    kept.put("family", {_name(1): bytes(5_000)})
    kept.put("family", {_name(2): bytes(500)})
    assert list(kept.take("family", [_name(1), _name(2)])) == [_name(2)]


def test_one_family_knows_nothing_of_another() -> None:
    """The same name in two families is two nodes."""
    kept: Kept[bytes] = Kept(10_000, len)
    kept.put("one", {_name(1): b"a"})
    assert not kept.take("other", [_name(1)])


def test_what_was_made_is_for_whoever_makes_it_so() -> None:
    """Forms are the same for all who read them, and what is made of them is not."""
    cache = Cache(100_000)
    house, raw = make_pipeline().values, make_pipeline().values
    here, there = cache.joined("family", house), cache.joined("family", raw)
    made = made_of([1, 2], size=2)
    assert made is not None
    here.join({_name(1): (2, b"..")})
    here.keep({_name(1): made})
    assert {_name(1): (2, b"..")} == there.joined([_name(1)])
    assert not there.made([_name(1)])
    assert {_name(1): made} == cache.joined("family", house).made([_name(1)])
