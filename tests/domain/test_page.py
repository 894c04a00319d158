"""A page is a few items in order and the way to the next."""

from __future__ import annotations

import dataclasses

import pytest

from ropewalk.domain.page import Page


def test_a_page_is_a_collection() -> None:
    """It can be counted and gone through, again and again."""
    page = Page(("a", "b"), "next")
    assert (2, ["a", "b"], ["a", "b"]) == (len(page), list(page), list(page))
    assert not Page(())
    assert Page(()).cursor is None


def test_a_mapped_page_keeps_its_place() -> None:
    """Other items, the same cursor."""
    assert Page((1, 2), "next") == Page(("a", "bb"), "next").map(len)


def test_a_page_is_a_value() -> None:
    """Equal pages are equal, and none can be changed."""
    assert Page((1,), "c") == Page((1,), "c")
    with pytest.raises(dataclasses.FrozenInstanceError):
        Page((1,)).items = ()  # type: ignore[misc]
