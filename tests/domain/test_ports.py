"""What a back end does not declare is refused by name."""

from __future__ import annotations

import pytest

from ropewalk.backends.memory import MemoryBackend
from ropewalk.domain.clock import FrozenClock
from ropewalk.domain.errors import Invalid
from ropewalk.domain.ports import Capability, require


@pytest.mark.seed("1.3")
def test_a_missing_capability_is_named() -> None:
    """The refusal says what is missing and what is there."""
    backend = MemoryBackend(clock=FrozenClock())
    require(backend, Capability.FEED)
    with pytest.raises(Invalid, match=r"'durable'.*feed, tally") as caught:
        require(backend, Capability.DURABLE)
    assert ("unsupported", "durable") == (caught.value.code, caught.value.facts["capability"])
