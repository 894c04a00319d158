"""Make bodies smaller where that pays, and never inflate more than a body may hold."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, cast

from ..domain.errors import Corrupt, Invalid
from ..domain.limits import MAX_OPENED_BYTES
from ..domain.ports import Dictionary
from .dictionaries import DIGESTS
from .recipe import Encoded
from .training import packer, train

if sys.version_info >= (3, 14):
    from compression.zstd import (
        CompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
        get_frame_info,
    )
else:
    from backports.zstd import (
        CompressionParameter,
        ZstdCompressor,
        ZstdDecompressor,
        ZstdDict,
        ZstdError,
        get_frame_info,
    )

DEFAULT_LEVEL: Final = 1
"""On states of agents, level 3 takes 20 to 45 % more time and saves 2 to 7 % of the bytes."""

MIN_BYTES: Final = 1_024
"""Shorter bodies are left alone: opening them would take several times as long as parsing them."""

_SAVES_ONE_IN: Final = 8

PACK_LEVEL: Final = 9
"""For packed bodies bytes count more than time: on messages of 1.5 kB, level 9 saves 5 to 8 % of
what level 3 makes, in 80 microseconds instead of 15; level 12 saves hardly more."""

PACK_BIG_BYTES: Final = 16 * 1024
"""Longer packed bodies are compressed at `QUICK_LEVEL` at most: they would take milliseconds."""

QUICK_LEVEL: Final = 3

PACK_MIN_BYTES: Final = 64
"""Packed bodies are many and little, and their bytes matter most: they are tried from here on."""

PACK_SAVES: Final = 8
"""Bytes that a packed body must lose by compression."""

_MOST_PACKERS: Final = 8
"""Compressors for packed bodies that each thread keeps, about 150 kB each."""


class _Compressors(threading.local):
    """One compressor for each thread: reusing it is quick, sharing it is not allowed."""

    def __init__(self, level: int, pack_level: int) -> None:
        self.compressor = ZstdCompressor(level=level)
        self._pack_level = pack_level
        self._packers: OrderedDict[tuple[str, int], ZstdCompressor] = OrderedDict()

    def find(self, dictionary: Dictionary | None, *, size: int) -> ZstdCompressor:
        """Return the one for packed bodies of this size with this dictionary.

        Those used last are kept.
        """
        big = size > PACK_BIG_BYTES
        level = min(self._pack_level, QUICK_LEVEL) if big else self._pack_level
        name = "" if dictionary is None else dictionary.name, level
        digest = None if dictionary is None else DIGESTS.find(dictionary)
        found = self._packers.get(name)
        if found is None:
            found = packer(level, digest)
            self._packers[name] = found
            if len(self._packers) > _MOST_PACKERS:
                self._packers.popitem(last=False)
        self._packers.move_to_end(name)
        return found


class Zstd:
    """Compress with Zstandard (RFC 8878), one frame that states its size.

    `level` goes from 1 (quick) to 22 (small). Bodies that are shorter than `min_bytes`, or that
    would not lose an eighth of their size, are left as they are and their seal does not name this
    step. Nothing beyond `MAX_OPENED_BYTES` is ever inflated.

    Packed bodies are compressed at `pack_level`, the long ones quickly, from `PACK_MIN_BYTES` on
    and where that saves `PACK_SAVES` bytes.
    """

    name: str = "zstd"

    def __init__(
        self,
        *,
        level: int = DEFAULT_LEVEL,
        min_bytes: int = MIN_BYTES,
        pack_level: int = PACK_LEVEL,
    ) -> None:
        """Choose how hard to try; raise `Invalid` for a level that does not exist."""
        _check_level(level, field="level")
        _check_level(pack_level, field="pack_level")
        if min_bytes < 0:
            message = f"min_bytes must be 0 or more, not {min_bytes}"
            raise Invalid(message, code="bad_limit", field="min_bytes")
        self._min_bytes = min_bytes
        self._pack_level = pack_level
        self._local = _Compressors(level, pack_level)

    def encode(self, data: bytes, aad: bytes) -> Encoded | None:  # noqa: ARG002 (protects nothing)
        """Return the frame, or `None` where it would not be worth opening."""
        if len(data) < self._min_bytes:
            return None
        frame = self._local.compressor.compress(data, mode=ZstdCompressor.FLUSH_FRAME)
        if len(frame) > len(data) - len(data) // _SAVES_ONE_IN:
            return None
        return Encoded(frame)

    def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:  # noqa: ARG002
        """Return what the frame holds; raise `Corrupt` for anything but one whole, honest frame."""
        if parameter:
            message = f"zstd has no parameter {parameter!r}"
            raise Corrupt(message, code="bad_seal", parameter=parameter)
        return _inflated(data, None)

    def pack(self, data: bytes, *, dictionary: Dictionary | None) -> Encoded | None:
        """Return the frame and the name of its dictionary, or `None` where it saves too little."""
        if len(data) < PACK_MIN_BYTES:
            return None
        try:
            compressor = self._local.find(dictionary, size=len(data))
        except ZstdError as error:
            message = f"the dictionary is none of Zstandard: {error}"
            raise Corrupt(message, code="bad_dictionary") from error
        frame = compressor.compress(data, mode=ZstdCompressor.FLUSH_FRAME)
        if len(frame) > len(data) - PACK_SAVES:
            return None
        return Encoded(frame, "" if dictionary is None else dictionary.name)

    def unpack(self, data: bytes, *, dictionary: Dictionary | None) -> bytes:
        """Return what the frame holds; raise `Corrupt` as `decode`, and for a bad dictionary."""
        return _inflated(data, None if dictionary is None else DIGESTS.find(dictionary))

    def train(self, samples: Sequence[bytes], *, size: int) -> Dictionary | None:
        """Make a dictionary out of samples, as `training.train` does."""
        return train(samples, size=size, level=self._pack_level)


def _check_level(level: int, *, field: str) -> None:
    _, most = CompressionParameter.compression_level.bounds()
    if not 1 <= level <= most:
        message = f"{field} must be 1 to {most}, not {level}"
        raise Invalid(message, code="bad_level", field=field)


def _inflated(data: bytes, digest: ZstdDict | None) -> bytes:
    try:
        # The stubs leave out that a frame need not state its size.
        size = cast("int | None", get_frame_info(data).decompressed_size)
        if size is None or size > MAX_OPENED_BYTES:
            message = (
                f"the compressed bytes claim to hold {size} bytes; "
                f"max_opened_bytes is {MAX_OPENED_BYTES}"
            )
            raise Corrupt(message, code="too_big", size=size, limit="max_opened_bytes")
        # One byte more than promised is asked for, so that a longer content shows itself.
        frame = ZstdDecompressor(zstd_dict=digest)
        opened = frame.decompress(data, max_length=size + 1)
    except ZstdError as error:
        message = f"the compressed bytes are no Zstandard frame: {error}"
        raise Corrupt(message, code="bad_frame", size=len(data)) from error
    if not frame.eof or frame.unused_data or len(opened) != size:
        message = "the compressed bytes are not one whole Zstandard frame"
        raise Corrupt(message, code="bad_frame", size=len(data))
    return opened
