"""What a health check answers: healthy, degraded or down, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from .verified import Damage


class State(StrEnum):
    """Whether a store does all it promises, part of it, or nothing."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a store at one moment.

    `reasons` are sentences, one for each thing that is not as it should be, each with what to
    do; empty where the state is healthy. `facts` are figures for people and for metrics.
    `damages` are the findings of a thorough look, each of which is among the reasons as well;
    `records` those of which it is known what record is damaged beside its body, by key: the
    reasons name the first.
    """

    state: State
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, str | int | float] = field(default_factory=lambda: MappingProxyType({}))
    damages: tuple[str, ...] = ()
    records: tuple[Damage, ...] = ()
