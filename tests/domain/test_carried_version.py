"""A `Put` may carry the version that the record had in another store."""

from __future__ import annotations

import pytest

from ropewalk.domain.change import Put
from ropewalk.domain.effect import Stamp, decide
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.record import Key

KEY = Key("s", "note", "a")


@pytest.mark.seed("1.4")
@pytest.mark.parametrize("current", [None, Stamp(6, 1)])
def test_the_version_of_a_copy_is_the_one_it_had(current: Stamp | None) -> None:
    """The record gets the version given, whether it is there with a smaller one or not at all."""
    effect = decide(Put(key=KEY, version=7), current, 10)
    assert effect.record is not None
    assert ("write", 7, 7) == (effect.action, effect.version, effect.record.version)


@pytest.mark.parametrize("present", [7, 8])
def test_a_version_never_falls_nor_stays(present: int) -> None:
    """A version that is not greater than the present one is a conflict that names both."""
    with pytest.raises(Conflict, match="versions only rise") as caught:
        decide(Put(key=KEY, version=7), Stamp(present, 1), 10)
    assert {"key": KEY, "expected": 7, "actual": present} == caught.value.facts


def test_an_expectation_counts_beside_a_version() -> None:
    """`expect` is checked first, also where the version is given."""
    with pytest.raises(Conflict) as caught:
        decide(Put(key=KEY, version=7, expect=0), Stamp(1, 1), 10)
    assert "exists" == caught.value.code


@pytest.mark.parametrize("version", [0, -1, True, 2**63])
def test_a_version_is_a_positive_integer(version: int) -> None:
    """Zero means absent, and beyond 64 bits nothing can be kept."""
    with pytest.raises(Invalid) as caught:
        Put(key=KEY, version=version)
    assert "version" == caught.value.facts["field"]
