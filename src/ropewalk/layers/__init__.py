"""Coats round a backend, each of them a backend again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILTIN: Final[Mapping[str, str]] = {
    "breaker": "layers.breaker:BreakerLayer",
    "logs": "layers.logs:LogsLayer",
    "metrics": "layers.metrics:MetricsLayer",
    "readonly": "layers.readonly:ReadonlyLayer",
    "retry": "layers.retry:RetryLayer",
    "switch": "layers.switch:SwitchLayer",
}
"""Names of the layers, and where their classes stand, relative to the package."""

ORDER: Final[tuple[str, ...]] = (
    # What a line says is what the caller saw: refusals and repetitions included.
    "logs",
    # What is counted is what the caller saw, too, but not what writing a line takes.
    "metrics",
    # A refused write is refused once, and nothing below sees it.
    "readonly",
    # It counts what failed for good, repetitions included; once it is open, nobody waits for them.
    "breaker",
    # Whatever is below may fail for a moment; whatever is above hears of one operation.
    "retry",
    # Right above the store, so that everything else stays where it is when the store changes.
    "switch",
)
"""The order in which the layers stand, outermost first, with the reason for each place."""
