"""Where leaves and inner nodes end: a question of content alone, so that equal content meets.

The rule is that of content-defined chunking (Muthitacharoen et al., LBFS, 2001) over whole items
instead of bytes, and weighted by size as in Dolt's prolly trees.
"""

from __future__ import annotations

from typing import Final

from .form import Ref, Slot, pack_slot
from .keys import TreeKeys

LEAF_TARGET: Final = 160
INNER_TARGET: Final = 300

_CHANCES: Final = 2**32
REF_BYTES: Final = 18
_OVERHEAD: Final = 2
_CHANCE_BYTES: Final = 4
_MOST: Final = 3


class Cutter:
    """Say behind which entries a node ends; `filled` is what has come since the last end."""

    __slots__ = ("_least", "_most", "_share", "filled")

    def __init__(self, target: int, filled: int = 0) -> None:
        """Aim at nodes of `target` bytes: half of it at least, three times it at most.

        The later half of a node is a matter of chance, no more: what is open at the end of a row
        is written at every step, and the less nodes differ in size, the less of it there is.
        """
        self._least = target // 2
        self._most = target * _MOST
        self._share = _CHANCES // (target - self._least)
        self.filled = filled

    def ends(self, weight: int, chance: int) -> bool:
        """Take one more entry of `weight` bytes; tell whether the node ends behind it."""
        self.filled += weight
        if self.filled < self._least:
            return False
        if self.filled < self._most and chance >= self._share * weight:
            return False
        self.filled = 0
        return True


def toss(slot: Slot, keys: TreeKeys) -> tuple[int, int]:
    """Return what an entry weighs, in bytes, and the chance that decides about an end behind it."""
    if isinstance(slot, Ref):
        return REF_BYTES, int.from_bytes(slot.digest[:_CHANCE_BYTES])
    packed = slot if isinstance(slot, bytes) else pack_slot(slot)
    return len(packed) + _OVERHEAD, keys.chance(packed)
