"""Which checkpoints a cleanup keeps, and the reason for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..stores.base import has_metadata

if TYPE_CHECKING:
    from datetime import datetime

    from ..domain.checkpoint import CheckpointHeader, CleanupPolicy


@dataclass(frozen=True, slots=True)
class Keep:
    """A policy, with what it has to know of the thread at this moment."""

    policy: CleanupPolicy
    fork_points: set[str]
    now: datetime


def judge(keep: Keep, header: CheckpointHeader, rank: int) -> str | None:
    """Return why the checkpoint stays, or `None`; `rank` counts from 0, the newest."""
    policy = keep.policy
    if rank == 0:
        return "newest"
    if header.id in keep.fork_points:
        return "a fork begins here"
    if policy.keep_last is not None and rank < policy.keep_last:
        return f"one of the last {policy.keep_last}"
    if policy.keep_for is not None and keep.now - header.created_at < policy.keep_for:
        return f"younger than {policy.keep_for}"
    if policy.keep_where and has_metadata(header.metadata, policy.keep_where):
        return "its metadata says so"
    return None
