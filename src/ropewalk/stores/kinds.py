"""Which kinds of records belong to a module of the house, and by which door they are written."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..domain.errors import Invalid

DOORS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "session": "storage.sessions.create",
        "interaction": "storage.sessions",
        "thread": "storage.threads.create",
        "branch": "storage.threads.fork",
        "snapshot": "storage.threads.snapshot",
        "message": "storage.history.add_message",
        "tool_call": "storage.history.add_tool_call",
        "llm_request": "storage.history.add_llm_request",
        "llm_response": "storage.history.add_llm_response",
        "token_usage": "storage.history.add_token_usage",
        "cost": "storage.history.add_cost",
        "checkpoint": "storage.checkpoints.save",
        "node": "storage.checkpoints.save",
        "family": "storage.checkpoints.save",
        "head": "storage.checkpoints.save",
        "dictionary": "storage.checkpoints.save",
        "secret": "storage.checkpoints.save",
        "write": "storage.states.put_writes",
        "memory": "storage.memories.write",
        "vector": "storage.memories.write",
        "migration": "storage.migrations.run",
        "migration_step": "storage.migrations.run",
        "migrated": "storage.migrations.run",
        "lease": "storage.lease",
        "fence": "storage.lease",
        "ticket": "storage.lease",
        "run": "storage.run",
        "step": "storage.run",
        "consumer": "storage.consumers.open",
        "policy": "storage.policies.keep",
        "declared_index": "storage.declare_index",
        "slow_shape": "storage.slow_shapes",
        "erasure": "storage.erasures.erase",
        "space": "storage.spaces.create",
        "grant": "storage.grants.give",
    }
)
"""Kind to the method (or the module) that keeps its rules."""

INNER: Final = frozenset(
    {
        *("node", "family", "head", "dictionary", "secret", "write", "vector"),
        *("lease", "fence", "ticket", "step"),
        *("space", "grant", "migration_step", "migrated", "consumer"),
        *("policy", "erasure", "declared_index", "slow_shape"),
    }
)
"""Kinds that are parts of others: seen only where named by type."""


def check_writable(kind: str, doors: Mapping[str, str]) -> None:
    """Raise `Invalid`, naming the door, for a kind whose rules another module keeps."""
    if kind in doors:
        message = (
            f"records of type {kind!r} are written by {doors[kind]}, which keeps their rules; "
            "storage.records only reads them: go through that door, or choose another type"
        )
        raise Invalid(message, code="house_kind", field="type", kind=kind)
