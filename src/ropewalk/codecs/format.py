"""The stored form of typed values: extension codes of MessagePack, limits, and how they nest."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import ormsgpack

Value: TypeAlias = Any
"""What users keep: the body of an entity, or a part of one."""

# A code, once given, keeps its meaning for ever: stores hold it. 0 to 7 are LangGraph's, codes
# from 100 on belong to trees, and negative ones to MessagePack itself.
TUPLE: Final = 32
MAP: Final = 33
SET: Final = 34
FROZENSET: Final = 35
DEQUE: Final = 36
ORDERED: Final = 37
DEFAULTS: Final = 38
COUNTER: Final = 39
INTEGER: Final = 40
TEXT: Final = 41
BYTEARRAY: Final = 42
DATETIME: Final = 43
DATE: Final = 44
TIME: Final = 45
DURATION: Final = 46
OFFSET: Final = 47
ZONE: Final = 48
DECIMAL: Final = 49
FRACTION: Final = 50
COMPLEX: Final = 51
UUID: Final = 52
PATH: Final = 53
ARRAY: Final = 54
SCALAR: Final = 55
TYPED: Final = 63

OURS: Final = range(32, 100)
"""The codes that values of this and of later versions may have."""

MAX_DEPTH: Final = 255
"""Most lists, dictionaries and other containers inside one another (what ormsgpack can write)."""

MAX_TYPED_DEPTH: Final = 64
"""Most containers inside one another that are no plain list and no dictionary of plain texts."""

# Whatever is not plain is handed to us, and nothing is turned into something else on the way.
OPTIONS: Final = (
    ormsgpack.OPT_PASSTHROUGH_BIG_INT
    | ormsgpack.OPT_PASSTHROUGH_DATACLASS
    | ormsgpack.OPT_PASSTHROUGH_DATETIME
    | ormsgpack.OPT_PASSTHROUGH_ENUM
    | ormsgpack.OPT_PASSTHROUGH_SUBCLASS
    | ormsgpack.OPT_PASSTHROUGH_TUPLE
    | ormsgpack.OPT_PASSTHROUGH_UUID
)
