"""`CheckpointConfig` and `CheckpointMetadata`: how checkpoints are made, and what is noted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

_KINDS: Final = ("sqlite", "memory")


@dataclass
class CheckpointConfig:
    """When checkpoints are made by themselves, and how many are kept."""

    enabled: bool = True
    storage_type: str = "sqlite"
    auto_save: bool = True
    save_interval: int = 5
    max_checkpoints: int = 100
    retention_days: int = 30
    trigger_conditions: list[str] = field(default_factory=lambda: ["tool_call", "state_change"])
    db_path: str | None = None
    compression: bool = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CheckpointConfig:
        """Return the configuration of its dictionary; other keys are left out."""
        names = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in names})

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as a dictionary."""
        return asdict(self)

    def validate(self) -> list[str]:
        """Return what is wrong with it, in a sentence each."""
        errors: list[str] = []
        if self.storage_type not in _KINDS:
            errors.append(f"storage_type must be one of {', '.join(_KINDS)}")
        errors.extend(
            f"{name} must be 1 or more"
            for name in ("save_interval", "max_checkpoints", "retention_days")
            if getattr(self, name) <= 0
        )
        if not self.trigger_conditions:
            errors.append("trigger_conditions must name at least one reason")
        return errors


@dataclass
class CheckpointMetadata:
    """What is noted beside a checkpoint that was made by itself."""

    checkpoint_id: str
    session_id: str
    workflow_id: str
    step_count: int = 0
    node_name: str | None = None
    trigger_reason: str | None = None
    tags: list[str] = field(default_factory=list[str])
    custom_data: dict[str, Any] = field(default_factory=dict[str, Any])
