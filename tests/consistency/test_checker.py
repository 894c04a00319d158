"""The checker on histories written by hand: each anomaly of the books, and its sound neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest

from ropewalk.testing.checker import check
from ropewalk.testing.histories import Fate, History, Listing, Read, Step, Transaction, Write
from ropewalk.testing.verdict import Level

pytestmark = [pytest.mark.seed("5.1"), pytest.mark.seed("5.2"), pytest.mark.seed("8.3")]

_NUMBERS = count(1)


def _read(key: str, version: int) -> Read:
    """Read the value that `_did` gives to a version."""
    return Read(key, version, f"{key}{version}" if version else None)


def _did(
    *steps: Step,
    at: tuple[int, int | None] = (0, 100),
    seq: int = 0,
    fate: Fate = Fate.DONE,
    **writes: int,
) -> Transaction:
    """Return a transaction that set keys to versions (negative: deleted the record of that)."""
    installed = {
        key: (version - 1, version) if version > 0 else (-version, 0)
        for key, version in writes.items()
    }
    wrote = [Write(key, f"{key}{v}" if v > 0 else None, tag="red") for key, v in writes.items()]
    return Transaction(
        id=f"t{next(_NUMBERS)}",
        who="w",
        called=at[0],
        returned=at[1],
        fate=fate,
        steps=(*steps, *wrote),
        installed=installed if fate is Fate.DONE else {},
        seq=seq,
    )


def _codes(*transactions: Transaction, level: Level = Level.SERIALIZABLE) -> set[str]:
    return set(check(History(transactions), level=level).codes)


def test_one_after_the_other_is_sound() -> None:
    """Writes, reads, a deletion and a new life of a key, in order, are strictly serializable."""
    history = (
        _did(at=(0, 1), seq=1, x=1, y=1),
        _did(_read("x", 1), at=(2, 3), seq=2, x=2),
        _did(_read("x", 2), _read("y", 1), at=(4, 5)),
        _did(at=(6, 7), seq=3, x=-2),
        _did(_read("x", 0), at=(8, 9)),
    )
    verdict = check(History(history))
    assert ((), 5, 2) == (verdict.anomalies, verdict.transactions, verdict.keys)
    assert verdict.edges > 5


SINGLE = (_did(seq=1, x=1), _did(_read("x", 1), seq=2, x=2), _did(_read("x", 1), seq=3, x=3))
TORN = (_did(seq=1, x=1, y=1), _did(seq=2, x=2, y=2), _did(_read("x", 2), _read("y", 1)))
SKEW = (
    _did(seq=1, x=1, y=1),
    _did(_read("x", 1), _read("y", 1), seq=2, x=2),
    _did(_read("x", 1), _read("y", 1), seq=3, y=2),
)
CIRCLE = (_did(_read("y", 1), seq=1, x=1), _did(_read("x", 1), seq=2, y=1))
FORK = (
    _did(seq=1, x=1, y=1),
    _did(seq=2, x=2),
    _did(seq=3, y=2),
    _did(_read("x", 2), _read("y", 1)),
    _did(_read("x", 1), _read("y", 2)),
)
PHANTOM = (
    _did(Listing("red", ()), seq=1, x=1),
    _did(Listing("red", ()), seq=2, y=1),
)


@pytest.mark.parametrize(
    ("history", "code", "first"),
    [
        (SINGLE, "G-single", Level.SNAPSHOT),
        (TORN, "G-single", Level.SNAPSHOT),
        (FORK, "G-nonadjacent", Level.SNAPSHOT),
        (SKEW, "G2", Level.SERIALIZABLE),
        (PHANTOM, "G2", Level.SERIALIZABLE),
        (CIRCLE, "G1c", Level.COMMITTED),
    ],
    ids=["lost-update", "torn-read", "long-fork", "write-skew", "phantom", "circular"],
)
def test_a_cycle_is_named_and_forbidden_from_its_level_on(
    history: Sequence[Transaction], code: str, first: Level
) -> None:
    """Each cycle has Adya's name, and is allowed at every level below the one that forbids it."""
    levels = list(Level)[:3]
    expected = [
        {code} if levels.index(level) >= levels.index(first) else set[str]() for level in levels
    ]
    assert expected == [_codes(*history, level=level) for level in levels]


def test_writes_in_a_circle_are_g0() -> None:
    """Two batches that each replaced a part of the other are a dirty write."""
    assert "G0" in _codes(
        _did(seq=1, x=1, y=2), _did(seq=2, x=2, y=1), _did(seq=3, y=3), level=Level.COMMITTED
    )


def test_what_was_refused_is_never_read() -> None:
    """A value of a refused batch is an aborted read (G1a), one that nobody wrote is garbage."""
    refused = _did(fate=Fate.REFUSED, x=1)
    assert {"G1a"} == _codes(refused, _did(_read("x", 1)))
    assert {"garbage"} == _codes(_did(_read("x", 1)))


def test_what_was_replaced_within_is_never_read() -> None:
    """A value that its own unit replaced is an intermediate read (G1b)."""
    unit = _did(Write("x", "draft"), seq=1, x=1)
    assert {"G1b"} == _codes(unit, _did(Read("x", 1, "draft")))


@pytest.mark.parametrize(
    "steps",
    [
        (_read("x", 1), _read("x", 2)),
        (_read("x", 1), Listing("red", (Read("x", 1, "another life"),))),
        (Write("x", "mine"), _read("x", 1)),
        (Write("x", None), _read("x", 1)),
        (Write("x", "mine", None, "blue"), Listing("blue", ())),
        (Write("x", None), Listing("red", (_read("x", 1),))),
    ],
)
def test_a_unit_that_contradicts_itself(steps: tuple[Step, ...]) -> None:
    """Within a unit a record changes only by the unit's own writes."""
    others = _did(seq=1, x=1), _did(seq=2, x=2)
    assert "internal" in _codes(*others, _did(*steps, fate=Fate.REFUSED))


def test_versions_follow_from_each_other() -> None:
    """A version that is used twice, or left out, is told, and so is an ignored expectation."""
    assert "versions" in _codes(_did(seq=1, x=1), _did(seq=2, x=1))
    assert "versions" in _codes(_did(seq=1, x=1), _did(seq=2, x=3))
    ignored = replace(_did(seq=2, x=2), steps=(Write("x", "x2", 7),))
    assert {"lost update"} == _codes(_did(seq=1, x=1), ignored)


def test_a_stale_read_is_against_time() -> None:
    """Old values may be read by the letter of serializability, and not once time counts."""
    history = (
        _did(at=(0, 1), seq=1, x=1),
        _did(at=(2, 3), seq=2, x=2),
        _did(_read("x", 1), at=(4, 5)),
    )
    assert set() == _codes(*history)
    assert {"not linearizable", "G-single in time"} == _codes(*history, level=Level.STRICT)


def test_an_overlapping_read_may_see_either() -> None:
    """A read that overlaps a write sees the old value or the new one."""
    for version in (1, 2):
        history = (
            _did(at=(0, 1), seq=1, x=1),
            _did(at=(2, 9), seq=2, x=2),
            _did(_read("x", version), at=(3, 4)),
        )
        assert set() == _codes(*history, level=Level.STRICT)


def test_what_was_seen_does_not_disappear() -> None:
    """Once somebody saw the new value, nobody may see the old one, though the write goes on."""
    history = (
        _did(at=(0, 1), seq=1, x=1),
        _did(at=(2, 9), seq=2, x=2),
        _did(_read("x", 2), at=(3, 4)),
        _did(_read("x", 1), at=(5, 6)),
    )
    assert "not linearizable" in _codes(*history, level=Level.STRICT)


def test_what_got_no_answer_may_have_happened_or_not() -> None:
    """A batch without an answer may be seen at any time afterwards, or never, and only whole."""
    first = _did(at=(0, 1), seq=1, x=1, y=1)
    lost = Transaction(
        id="lost",
        who="w",
        called=2,
        returned=None,
        fate=Fate.UNKNOWN,
        steps=(Write("x", "x2"), Write("y", "y2")),
    )
    for x, y, wrong in ((1, 1, set[str]()), (2, 2, set[str]()), (2, 1, {"G-single"})):
        last = _did(_read("x", x), _read("y", y), at=(5, 6))
        assert wrong == _codes(first, lost, last, level=Level.STRICT)


def test_a_refusal_must_have_had_a_reason() -> None:
    """A batch that was refused for a version that the record cannot have had is found out."""
    refused = Transaction(
        id="refused",
        who="w",
        called=2,
        returned=3,
        fate=Fate.REFUSED,
        steps=(Write("x", "other", 1),),
        refused=("x", 2),
    )
    history = _did(at=(0, 1), seq=1, x=1), refused
    assert {"not linearizable"} == _codes(*history, level=Level.STRICT)


def test_the_part_that_is_shown_is_small() -> None:
    """Of a long history only the few operations are shown that cannot be put in order."""
    long = [_did(at=(10 * n, 10 * n + 5), seq=n, x=n) for n in range(1, 400)]
    reads = [_did(_read("x", n), at=(10 * n + 6, 10 * n + 8)) for n in range(1, 400)]
    stale = _did(_read("x", 199), at=(10 * 200 + 6, 10 * 200 + 8))
    found = check(History((*long, *reads, stale))).anomalies
    assert {"not linearizable", "G-single in time"} == {anomaly.code for anomaly in found}
    assert [True, True] == [len(anomaly.part) <= 6 for anomaly in found]
    assert "read x at 199" in str(found[0])


def test_a_long_history_takes_little_time() -> None:
    """Ten callers at once on one key, a thousand writes: the search hardly ever turns back."""
    moves: list[Transaction] = []
    for n in range(1, 1_000):
        moves.append(_did(at=(10 * n, 10 * n + 90), seq=n, x=n))
        moves.append(_did(_read("x", n), at=(10 * n + 1, 10 * n + 60)))
    assert check(History(tuple(moves))).is_clean
