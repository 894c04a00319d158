"""`BackendContract`: the published suite that proves a back end, or a layer, right."""

from __future__ import annotations

import pytest

from ..domain.clock import FrozenClock
from .backend_batches import BatchContract
from .backend_conditions import ConditionContract
from .backend_contents import ContentContract, SpaceContract
from .backend_expectations import ExpectationContract
from .backend_feed import FeedContract
from .backend_life import DurableContract, ExpiryContract, LifeContract, Reopen, reopening
from .backend_retries import RetryContract
from .backend_scans import OpenScanContract, ScanContract
from .backend_tallies import TallyContract
from .backend_tasks import TaskContract

__all__ = [
    "BackendContract",
    "CoreContract",
    "DurableContract",
    "FeedContract",
    "Reopen",
    "TallyContract",
    "reopening",
]


class CoreContract(
    ContentContract,
    SpaceContract,
    BatchContract,
    ExpectationContract,
    RetryContract,
    TaskContract,
    ScanContract,
    OpenScanContract,
    ConditionContract,
    ExpiryContract,
    LifeContract,
):
    """What every back end owes, whatever powers it declares.

    Take it, and the contracts of the powers you declare, into a test class and give that class a
    fixture `backend`: an opened, empty store on the clock of the fixture `clock` (a layer takes
    it as well: a store with the layer round it). The suite needs pytest, pytest-asyncio in `auto`
    mode, Hypothesis, and the marker `seed` registered.
    """

    @pytest.fixture
    def clock(self) -> FrozenClock:
        """Stand still: many records then share a time, which is where orders go wrong."""
        return FrozenClock(tick=0)


class BackendContract(CoreContract, FeedContract, TallyContract):
    """What a back end owes that has all powers but durability; add `DurableContract` for that."""
