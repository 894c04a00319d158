"""LangGraph's metadata in the header of a checkpoint, and what of it only the state can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointMetadata, get_checkpoint_metadata

from ...domain.graph import REST, Parts, parted


def taken(config: RunnableConfig, metadata: CheckpointMetadata) -> Parts:
    """Take the metadata of a checkpoint apart, with what the run's configuration adds to them."""
    return parted(cast("Mapping[str, Any]", get_checkpoint_metadata(config, metadata)))


def has_rest(header: Mapping[str, Any]) -> bool:
    """Tell whether some of the metadata stand in the state."""
    return REST in header
