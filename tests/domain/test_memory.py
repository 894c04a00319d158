"""Names of memories become ids and back, and no name is taken for another."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ropewalk.domain.errors import Invalid
from ropewalk.domain.memory import Name, namespace_of, path_of

LABELS = st.text(min_size=1).filter(lambda text: "." not in text and "\0" not in text)
NAMES = st.builds(Name, st.lists(LABELS, max_size=4).map(tuple), st.text())


@given(NAMES)
def test_an_id_is_read_back(name: Name) -> None:
    """The id of a name tells the name."""
    assert name == Name.of(name.id)


@given(NAMES, NAMES)
def test_a_prefix_is_whole_labels(one: Name, two: Name) -> None:
    """A path begins with another exactly where its namespace does."""
    whole = two.namespace[: len(one.namespace)] == one.namespace
    assert whole == path_of(two.namespace).startswith(path_of(one.namespace))
    assert whole == two.id.startswith(path_of(one.namespace))
    assert two.namespace == namespace_of(path_of(two.namespace))


@pytest.mark.seed("8.1")
@pytest.mark.parametrize("label", ["", "a.b", "a\0b", 7, None])
def test_a_bad_label_is_named(label: object) -> None:
    """A label that could be read as two, or is none, is refused."""
    with pytest.raises(Invalid, match="name it otherwise") as caught:
        Name(("fine", cast("str", label)), "k")
    assert "namespace" == caught.value.facts["field"]
