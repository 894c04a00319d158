"""A key names one record; a record is live until the very instant it expires."""

from __future__ import annotations

import copy
import dataclasses

import pytest

from ropewalk.domain.errors import Invalid
from ropewalk.domain.limits import MAX_ID_BYTES
from ropewalk.domain.record import NO_LABELS, Key, KeyDraft, Record, RecordDraft


@pytest.mark.seed("5.3")
def test_keys_are_values() -> None:
    """Equal parts make equal keys, in any space else another one; they sort and are readable."""
    assert Key("s", "k", "a") == Key("s", "k", "a")
    assert (
        len({Key("s", "k", "a"), Key("t", "k", "a"), Key("s", "l", "a"), Key("s", "k", "b")}) == 4
    )
    assert [Key("a", "k", "z"), Key("b", "a", "a")] == sorted(
        [Key("b", "a", "a"), Key("a", "k", "z")]
    )
    assert "s/k/a" == str(Key("s", "k", "a"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        Key("s", "k", "a").id = "b"  # type: ignore[misc]


@pytest.mark.parametrize("part", ["space", "kind", "id"])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", "empty"),
        ("x" * (MAX_ID_BYTES + 1), "too_long"),
        ("\u00e9" * MAX_ID_BYTES, "too_long"),
        ("\ud83e", "bad_text"),
        (3, "bad_type"),
        (None, "bad_type"),
    ],
)
def test_a_part_that_cannot_be_kept_is_refused(part: str, value: object, code: str) -> None:
    """The refusal names the part: nobody searches which of three texts was wrong."""
    parts: dict[str, object] = {"space": "s", "kind": "k", "id": "a", part: value}
    with pytest.raises(Invalid, match=part) as caught:
        Key(**parts)  # type: ignore[arg-type]
    assert (code, part) == (caught.value.code, caught.value.facts["field"])


@pytest.mark.parametrize("id", ["\0", "..", "a/b", " ", "x" * MAX_ID_BYTES, "\U0001f9f6" * 256])
def test_any_other_text_is_an_id(id: str) -> None:
    """NUL, paths, blanks and emoji are ids like others, up to the limit."""
    assert id == Key("s", "k", id).id


def test_a_record_expires_at_its_instant() -> None:
    """At `expires_at` it is gone, one microsecond before it is there; without, it stays."""
    record = Record(key=Key("s", "k", "a"), version=1, created_at=0, updated_at=0)
    assert record.is_live(2**63)
    brief = dataclasses.replace(record, expires_at=10)
    assert [True, False, False] == [brief.is_live(now) for now in (9, 10, 11)]


def test_a_plain_record_has_labels_that_nobody_can_change() -> None:
    """The empty labels are shared, hence read-only."""
    record = Record(key=Key("s", "k", "a"), version=1, created_at=0, updated_at=0)
    assert record.labels is NO_LABELS
    with pytest.raises(TypeError):
        record.labels["a"] = 1  # type: ignore[index]


def test_a_draft_becomes_a_key_like_any_other() -> None:
    """Equal, with the same hash and order, a copy like it, and frozen from then on."""
    draft = KeyDraft()
    draft.space, draft.kind, draft.id = "s", "k", "a"
    made = draft.done()
    assert (Key, Key("s", "k", "a")) == (type(made), made)
    assert hash(Key("s", "k", "a")) == hash(made)
    assert made == copy.copy(made) < Key("s", "k", "b")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.id = "b"  # type: ignore[misc]


def test_many_keys_are_made_at_once() -> None:
    """Each is like one that was made alone, and frozen."""
    made = Key.all_trusted("s", "k", ["a", "b"])
    assert [Key("s", "k", "a"), Key("s", "k", "b")] == made
    assert [Key, Key] == [type(key) for key in made]
    with pytest.raises(dataclasses.FrozenInstanceError):
        made[0].id = "c"  # type: ignore[misc]


def test_a_draft_becomes_a_record_like_any_other() -> None:
    """With every field that it was given, and frozen from then on."""
    whole = Record(
        key=Key("s", "k", "a"),
        version=2,
        created_at=3,
        updated_at=4,
        session_id="one",
        thread_id="two",
        labels={"a": 5},
        body=b"six",
        seal="seven",
        expires_at=8,
    )
    draft = RecordDraft()
    for field in dataclasses.fields(Record):
        setattr(draft, field.name, getattr(whole, field.name))
    made = draft.done()
    assert (Record, whole) == (type(made), made)
    assert [True, False] == [made.is_live(now) for now in (7, 8)]
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.version = 1  # type: ignore[misc]
    assert 9 == dataclasses.replace(made, version=9).version
