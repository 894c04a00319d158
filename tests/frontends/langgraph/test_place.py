"""Where checkpoints stand: three names made one, reversibly and in the order of the ids."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.graph import before, behind
from ropewalk.frontends.langgraph.place import Place

pytestmark = pytest.mark.seed("3.4")

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
TRICKY = st.text("019ab-+,/| !\0~é", min_size=1, max_size=5)


@given(NAMES | TRICKY, NAMES | TRICKY, st.just("") | NAMES | TRICKY)
def test_a_place_can_be_read_out_of_its_id(checkpoint: str, thread: str, namespace: str) -> None:
    """Thread, namespace and checkpoint come back, whatever characters are in them."""
    place = Place(thread, namespace, checkpoint)

    assert place == Place.parse(place.id)


@given(TRICKY | NAMES, TRICKY | NAMES, NAMES, TRICKY)
def test_ids_sort_as_the_checkpoints_do(one: str, other: str, thread: str, space: str) -> None:
    """Within a thread and a namespace the order of ids is that of LangGraph's checkpoint ids."""
    left, right = (Place(thread, space, name).id for name in (one, other))

    assert (one < other, one == other) == (left < right, left == right)


@given(TRICKY | NAMES, TRICKY | NAMES, TRICKY)
def test_bounds_lie_right_before_and_behind(one: str, other: str, thread: str) -> None:
    """The bound of an id parts those before it from it, the other one it from those behind."""
    id_ = Place(thread, "", one).id

    assert (one < other) == (id_ < before(other))
    assert (one <= other) == (id_ < behind(other))


def test_an_id_begins_with_the_id_that_langgraph_shows() -> None:
    """The beginning of a checkpoint's id finds it, and thread and namespace stay readable."""
    plain = Place("t-1", "", "1f0b2c3d-0000-6000-8000-000000000000")
    nested = Place("t-1", "child:4a|leaf:5b", "1f0b2c3d-0000-6000-8000-000000000000")

    assert "1f0b2c3d-0000-6000-8000-000000000000+t-1" == plain.id
    assert "1f0b2c3d-0000-6000-8000-000000000000+t-1+child:4a|leaf:5b" == nested.id


def test_a_configuration_names_a_place() -> None:
    """Thread, namespace and checkpoint are read; the namespace may be missing, ids be no text."""
    thread = UUID(int=7)

    assert Place("t") == Place.of({"configurable": {"thread_id": "t"}})
    assert Place("7") == Place.of({"configurable": {"thread_id": 7, "checkpoint_id": None}})
    assert Place(str(thread), "n:1", "c") == Place.of(
        {"configurable": {"thread_id": thread, "checkpoint_ns": "n:1", "checkpoint_id": "c"}}
    )


@pytest.mark.parametrize("configurable", [{}, {"thread_id": None}, {"thread_id": ""}])
def test_a_configuration_without_a_thread_is_refused(configurable: dict[str, object]) -> None:
    """The error names the field and shows what to pass."""
    with pytest.raises(Invalid, match="configurable") as caught:
        Place.of({"configurable": configurable})

    assert ("no_thread", "thread_id") == (caught.value.code, caught.value.facts["field"])


def test_names_that_are_too_long_together_are_refused() -> None:
    """What would not fit into an id is refused with the limit and a way out."""
    fits = Place("t" * 1_019, "", "abcd")
    over = Place("t" * 1_020, "", "abcd")

    assert 1_024 == len(fits.id)
    with pytest.raises(Invalid, match="max_id_bytes") as caught:
        _ = over.id
    assert "too_long" == caught.value.code


def test_a_place_without_a_checkpoint_has_no_id() -> None:
    """Writes for no checkpoint are refused, and so is an id that is not of this form."""
    with pytest.raises(Invalid, match="names none"):
        _ = Place("t").id
    with pytest.raises(Invalid, match="no id of a LangGraph checkpoint"):
        Place.parse("t-1")
