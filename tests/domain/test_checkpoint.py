"""A header that is made in parts is one like any other."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from ropewalk.domain.checkpoint import CheckpointHeader, HeaderDraft, Trunk, TrunkDraft


def test_a_draft_becomes_a_header_like_any_other() -> None:
    """With every part that it was given, and frozen from then on."""
    whole = CheckpointHeader(
        id="c",
        thread_id="t",
        session_id="s",
        parent_id="p",
        workflow_id="w",
        metadata={"a": 1},
        size=2,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        updated_at=datetime(2026, 1, 2, tzinfo=UTC),
        version=3,
        namespace="n",
        tags=("one", "two"),
        pinned=True,
        trunk=Trunk("f", b"root", b"mac"),
    )
    draft = HeaderDraft()
    for field in dataclasses.fields(CheckpointHeader):
        setattr(draft, field.name, getattr(whole, field.name))
    made = draft.done()
    assert (CheckpointHeader, whole, whole.trunk) == (type(made), made, made.trunk)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.version = 1  # type: ignore[misc]
    assert 4 == dataclasses.replace(made, version=4).version


def test_a_draft_becomes_a_trunk_like_any_other() -> None:
    """Equal to one that was made alone, and frozen."""
    draft = TrunkDraft()
    draft.family, draft.root, draft.mac = "f", b"root", b"mac"
    made = draft.done()
    assert (Trunk, Trunk("f", b"root", b"mac")) == (type(made), made)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.family = "g"  # type: ignore[misc]
