"""Turn objects into bytes, fewer bytes and sealed bytes, and back again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BUILTIN: Final[Mapping[str, str]] = {
    "msgpack": "codecs.serialize:MsgPack",
    "zstd": "codecs.compress:Zstd",
    "crc32": "codecs.checksum:Crc32",
}
"""Steps of a seal and the classes behind them, named from the package and loaded when asked for."""
