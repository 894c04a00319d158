"""`decide` is the meaning of a change: what is written, raised, removed, refused or left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.change import ABSENT, Batch, Change, Check, Delete, Ensure, Put
from ropewalk.domain.effect import Effect, Stamp, decide
from ropewalk.domain.errors import Conflict, Invalid
from ropewalk.domain.limits import (
    MAX_BATCH_BYTES,
    MAX_BATCH_CHANGES,
    MAX_BODY_BYTES,
    MAX_INT64,
)
from ropewalk.domain.record import Key, Record
from ropewalk.testing.strategies import CHANGES

KEY = Key("s", "k", "a")
NOW = 1_000
THERE = Stamp(version=3, created_at=500)


@pytest.mark.seed("8.3")
def test_put_on_nothing_writes_version_one_now() -> None:
    """A first write takes its times from the store."""
    effect = decide(Put(key=KEY, body=b"x", seal="j", labels={"n": 1}), None, NOW)
    expected = Record(
        key=KEY,
        version=1,
        created_at=NOW,
        updated_at=NOW,
        labels={"n": 1},
        body=b"x",
        seal="j",
    )
    assert Effect("write", 1, ABSENT, expected) == effect


@pytest.mark.seed("8.3")
def test_put_on_a_record_counts_on_and_keeps_its_birth() -> None:
    """A rewrite keeps `created_at` and adds one to the version."""
    effect = decide(Put(key=KEY), THERE, NOW)
    assert effect.record is not None
    assert ("write", 4, 3, 500, NOW) == (
        effect.action,
        effect.version,
        effect.previous,
        effect.record.created_at,
        effect.record.updated_at,
    )


def test_put_may_say_its_times_and_everything_else() -> None:
    """Given times, parents and expiry are written as they are."""
    put = Put(key=KEY, created_at=-5, updated_at=7, session_id="s", thread_id="t", expires_at=9)
    for current in (None, THERE):
        record = decide(put, current, NOW).record
        assert record is not None
        assert (-5, 7, "s", "t", 9) == (
            record.created_at,
            record.updated_at,
            record.session_id,
            record.thread_id,
            record.expires_at,
        )


@pytest.mark.seed("5.2", "8.3")
@pytest.mark.parametrize("make", [Put, Delete, Check])
def test_a_record_of_another_life_is_a_conflict(make: Callable[..., Change]) -> None:
    """The version alone does not tell a record from the one that stood there before it."""
    assert 3 == decide(make(key=KEY, expect=3, made=500), THERE, NOW).previous
    for made in (499, 501, -500):
        with pytest.raises(Conflict) as error:
            decide(make(key=KEY, expect=3, made=made), THERE, NOW)
        assert ("made_anew", KEY) == (error.value.code, error.value.facts["key"])
    with pytest.raises(Conflict) as error:
        decide(make(key=KEY, expect=2, made=500), THERE, NOW)
    assert "version" == error.value.code


@pytest.mark.seed("5.2", "8.3")
@pytest.mark.parametrize("make", [Put, Delete, Check])
@pytest.mark.parametrize(
    ("expect", "current", "code"),
    [(0, THERE, "exists"), (2, THERE, "version"), (4, THERE, "version"), (3, None, "gone")],
)
def test_a_failed_expectation_is_a_conflict_with_its_facts(
    make: type[Put | Delete | Check], expect: int, current: Stamp | None, code: str
) -> None:
    """The error says which key, what was expected and what is there."""
    with pytest.raises(Conflict, match="s/k/a") as caught:
        decide(make(key=KEY, expect=expect), current, NOW)
    actual = current.version if current else ABSENT
    assert (code, {"key": KEY, "expected": expect, "actual": actual}) == (
        caught.value.code,
        caught.value.facts,
    )


def test_delete_removes_what_is_there() -> None:
    """A delete leaves absence; of nothing it has no effect."""
    assert Effect("delete", ABSENT, 3) == decide(Delete(key=KEY), THERE, NOW)
    assert Effect("delete", ABSENT, 3) == decide(Delete(key=KEY, expect=3), THERE, NOW)
    assert Effect("none", ABSENT, ABSENT) == decide(Delete(key=KEY), None, NOW)
    assert Effect("none", ABSENT, ABSENT) == decide(Delete(key=KEY, expect=0), None, NOW)


def test_delete_at_most_spares_what_is_newer() -> None:
    """The guard is no expectation: a newer record stays without a conflict."""
    assert "delete" == decide(Delete(key=KEY, at_most=3), THERE, NOW).action
    assert Effect("none", 3, 3) == decide(Delete(key=KEY, at_most=2), THERE, NOW)
    assert Effect("none", ABSENT, ABSENT) == decide(Delete(key=KEY, at_most=2), None, NOW)


def test_ensure_inserts_or_raises_and_never_lowers() -> None:
    """A content-addressed record is written once; later only its version rises."""
    ensure = Ensure(key=KEY, stamp=3, body=b"x", seal="j")
    inserted = decide(ensure, None, NOW)
    record = Record(key=KEY, version=3, created_at=NOW, updated_at=NOW, body=b"x", seal="j")
    assert Effect("write", 3, ABSENT, record) == inserted
    assert Effect("raise", 3, 2) == decide(ensure, Stamp(2, 0), NOW)
    assert Effect("none", 3, 3) == decide(ensure, THERE, NOW)
    assert Effect("none", 9, 9) == decide(ensure, Stamp(9, 0), NOW)


def test_check_has_no_effect() -> None:
    """A check that holds leaves everything, and reports the version."""
    assert Effect("none", 3, 3) == decide(Check(key=KEY, expect=3), THERE, NOW)
    assert Effect("none", 0, 0) == decide(Check(key=KEY, expect=0), None, NOW)


def test_the_last_version_is_the_last() -> None:
    """Beyond 64 bits there is no version: the put is refused, a delete is not."""
    top = Stamp(MAX_INT64, 0)
    with pytest.raises(Invalid, match="version"):
        decide(Put(key=KEY), top, NOW)
    assert "delete" == decide(Delete(key=KEY), top, NOW).action
    assert "none" == decide(Ensure(key=KEY, stamp=MAX_INT64), top, NOW).action


@given(CHANGES, st.none() | st.builds(Stamp, st.integers(1, 4), st.integers(-9, 9)))
def test_effects_are_consistent(change: Change, current: Stamp | None) -> None:
    """Whatever a change does, its effect fits together, and versions fall only to absence."""
    previous = current.version if current else ABSENT
    try:
        effect = decide(change, current, NOW)
    except Conflict as conflict:
        effect = Effect("none", previous, cast("int", conflict.facts["actual"]))
    assert previous == effect.previous
    assert (effect.action == "none") == (effect.version == previous)
    assert (effect.action == "write") == (effect.record is not None)
    assert effect.version == ABSENT or effect.version >= previous
    if effect.record is not None:
        assert (change.key, effect.version) == (effect.record.key, effect.record.version)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Put(key=KEY, body=cast("bytes", "text")), "body"),
        (lambda: Put(key=KEY, body=cast("bytes", bytearray(b"x"))), "body"),
        (lambda: Put(key=KEY, body=bytes(MAX_BODY_BYTES + 1)), "max_body_bytes"),
        (lambda: Ensure(key=KEY, stamp=1, body=bytes(MAX_BODY_BYTES + 1)), "max_body_bytes"),
        (lambda: Put(key=KEY, labels={"a": float("nan")}), r"labels\.a"),
        (lambda: Put(key=KEY, session_id=""), "session_id"),
        (lambda: Put(key=KEY, thread_id="\ud800"), "thread_id"),
        (lambda: Put(key=KEY, expect=-1), "expect"),
        (lambda: Put(key=KEY, expect=True), "expect"),
        (lambda: Put(key=KEY, created_at=2**63), "created_at"),
        (lambda: Put(key=KEY, updated_at=cast("int", 0.5)), "updated_at"),
        (lambda: Put(key=KEY, expires_at=cast("int", "soon")), "expires_at"),
        (lambda: Delete(key=KEY, expect=1, at_most=1), "at_most"),
        (lambda: Delete(key=KEY, at_most=-1), "at_most"),
        (lambda: Ensure(key=KEY, stamp=0), "stamp"),
        (lambda: Ensure(key=KEY, stamp=2**63), "stamp"),
        (lambda: Check(key=KEY, expect=-1), "expect"),
    ],
)
def test_a_change_that_nobody_could_keep_is_refused(make: Callable[[], Change], word: str) -> None:
    """The refusal comes when the change is made, and names the field or the limit."""
    with pytest.raises(Invalid, match=word):
        make()


@pytest.mark.seed("4.2")
def test_a_batch_holds_each_key_once() -> None:
    """A key that occurs twice would leave open what came first."""
    with pytest.raises(Invalid, match="twice") as caught:
        Batch((Put(key=KEY), Delete(key=KEY)))
    assert "duplicate" == caught.value.code
    assert 2 == len(Batch((Put(key=KEY), Delete(key=Key("t", "k", "a")))).changes)


@pytest.mark.seed("4.2")
def test_a_batch_has_limits() -> None:
    """Neither empty, nor too many changes, nor too many bytes, nor without an id."""
    with pytest.raises(Invalid, match="at least one"):
        Batch(())
    many = tuple(Check(key=Key("s", "k", str(n)), expect=0) for n in range(MAX_BATCH_CHANGES + 1))
    with pytest.raises(Invalid, match="max_batch_changes"):
        Batch(many)
    assert MAX_BATCH_CHANGES == len(Batch(many[1:]).changes)
    big = bytes(MAX_BODY_BYTES)
    count = MAX_BATCH_BYTES // MAX_BODY_BYTES
    puts = tuple(Put(key=Key("s", "k", str(n)), body=big) for n in range(count + 1))
    Batch(puts[1:])
    with pytest.raises(Invalid, match="max_batch_bytes"):
        Batch(puts)
    for id in ("", "x" * 2_000, "\ud800"):
        with pytest.raises(Invalid, match="batch id"):
            Batch((Put(key=KEY),), id=id)


def test_batches_get_ids_of_their_own() -> None:
    """Two batches made without an id are never taken for one."""
    assert 1_000 == len({Batch((Put(key=KEY),)).id for _ in range(1_000)})


@pytest.mark.parametrize("text", ["\ud800", "x" * 2_000, 7])
def test_an_actor_and_a_recipe_are_texts_that_can_be_written(text: object) -> None:
    """Lone surrogates, long texts and other types are refused by name; the empty text is fine."""
    key = Key("lab", "note", "a")
    Batch((Put(key=key, seal=""),), actor="")

    with pytest.raises(Invalid) as caught:
        Batch((Put(key=key),), actor=cast("str", text))
    assert "actor" == caught.value.facts["field"]
    for make in (Put, partial(Ensure, stamp=1)):
        with pytest.raises(Invalid) as caught:
            make(key=key, seal=cast("str", text))
        assert "seal" == caught.value.facts["field"]


def test_a_put_of_a_record_writes_it_as_it_is() -> None:
    """Everything but the version goes over, times included."""
    record = Record(
        key=KEY,
        version=7,
        created_at=1,
        updated_at=2,
        session_id="s",
        thread_id="t",
        labels={"a": 1},
        body=b"x",
        seal="msgpack",
        expires_at=9_999,
    )

    effect = decide(Put.of(record), None, NOW)

    assert replace(record, version=1) == effect.record
