"""Foreign formats that the house can read from, and never writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILTIN: Final[Mapping[str, str]] = {
    "jsonl": "sources.jsonl.reader:JsonlSource",
    "langgraph": "sources.langgraph.reader:LangGraphSource",
    "legacy": "sources.legacy.reader:LegacySource",
    "openai-agents": "sources.openai_agents.reader:OpenAIAgentsSource",
}
"""Names of the formats, and where their classes stand, relative to the package."""
