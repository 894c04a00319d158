"""`DefaultCheckpointPolicy`: a checkpoint for each reason that counts, and every so many states."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from .entities.moments import local_now
from .interfaces.checkpoints import ICheckpointPolicy

if TYPE_CHECKING:
    from .entities.checkpoints import CheckpointConfig


class DefaultCheckpointPolicy(ICheckpointPolicy):
    """Saves for the reasons of the configuration, and otherwise every `save_interval`-th time."""

    def __init__(self, config: CheckpointConfig) -> None:
        """Follow `config`; calls are counted from here on."""
        self._config = config
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str]] = Counter()

    def should_save_checkpoint(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401, ARG002 (a program's state, which another policy may look at)
        context: dict[str, Any],
    ) -> bool:
        """Tell whether to save one now."""
        if not self._config.enabled:
            return False
        if context.get("trigger_reason") in self._config.trigger_conditions:
            return True
        if not self._config.auto_save:
            return False
        with self._lock:
            self._calls[thread_id, workflow_id] += 1
            return self._calls[thread_id, workflow_id] % self._config.save_interval == 0

    def get_checkpoint_metadata(
        self,
        thread_id: str,
        workflow_id: str,
        state: Any,  # noqa: ANN401 (a program's state)
        context: dict[str, Any],
    ) -> dict[str, Any]:
        """Return the metadata of the one to be saved; `checkpoint_id` is the id that it gets."""
        return {
            "checkpoint_id": str(uuid4()),
            "thread_id": thread_id,
            "workflow_id": workflow_id,
            "step_count": context.get("step_count", _said(state, "step_count") or 0),
            "node_name": context.get("node_name", _said(state, "current_step")),
            "trigger_reason": context.get("trigger_reason"),
            "tags": list(context.get("tags", ())),
            "custom_data": dict(context.get("custom_data", {})),
            "created_at": local_now().isoformat(),
        }


def _said(state: Any, name: str) -> Any:  # noqa: ANN401 (a program's state)
    if isinstance(state, Mapping):
        return cast("Mapping[str, Any]", state).get(name)
    return getattr(state, name, None)
