"""Make bodies smaller where that pays, and never inflate more than a body may hold."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from zstandard import (
    MAX_COMPRESSION_LEVEL,
    ZstdCompressor,
    ZstdDecompressor,
    ZstdError,
    frame_content_size,
)

from ..domain.errors import Corrupt, Invalid
from ..domain.limits import MAX_OPENED_BYTES
from ..domain.ports import Dictionary
from .digests import DIGESTS
from .recipe import Encoded
from .training import packer, train

DEFAULT_LEVEL: Final = 1
"""On states of agents, level 3 takes 20 to 45 % more time and saves 2 to 7 % of the bytes."""

MIN_BYTES: Final = 1_024
"""Shorter bodies are left alone: opening them would take several times as long as parsing them."""

_SAVES_ONE_IN: Final = 8

PACK_LEVEL: Final = 6
"""For packed bodies bytes count more than time: on messages of 1.5 kB, level 6 with a dictionary
saves 7 % of what level 3 makes, in 55 microseconds instead of 12; level 9 takes 84 for nothing."""

PACK_BIG_BYTES: Final = 16 * 1024
"""Longer packed bodies are compressed at `QUICK_LEVEL` at most: they would take milliseconds."""

QUICK_LEVEL: Final = 3

PACK_MIN_BYTES: Final = 64
"""Packed bodies are many and little, and their bytes matter most: they are tried from here on."""

PACK_SAVES: Final = 8
"""Bytes that a packed body must lose by compression."""

LEAN_MOST_BYTES: Final = 16 * 1024
"""Longer bodies are compressed without a dictionary: they have enough to repeat themselves."""

_MOST_PACKERS: Final = 8
"""Compressors for packed bodies that each thread keeps, up to 650 kB each."""

_MOST_LEANERS: Final = 32
"""Compressors for bodies that lean on a dictionary that each thread keeps, about 100 kB each."""

_MOST_OPENERS: Final = 32
"""Decompressors with a dictionary that each thread keeps, about 100 kB each."""


class _Engines(threading.local):
    """What one thread works with: reusing it is quick, sharing it is not allowed."""

    def __init__(self, level: int, pack_level: int) -> None:
        self.compressor = ZstdCompressor(level=level)
        self.decompressor = ZstdDecompressor()
        self._level = level
        self._pack_level = pack_level
        self._packers: OrderedDict[tuple[str, int], tuple[bytes, ZstdCompressor]] = OrderedDict()
        self._leaners: OrderedDict[str, tuple[bytes, ZstdCompressor]] = OrderedDict()
        self._openers: OrderedDict[str, tuple[bytes, ZstdDecompressor]] = OrderedDict()
        self._last: tuple[bytes, ZstdDecompressor] | None = None

    def packer(self, dictionary: Dictionary | None, *, size: int) -> ZstdCompressor:
        """Return the one for packed bodies of this size with this dictionary."""
        level = self._pack_level
        if size > PACK_BIG_BYTES and level > QUICK_LEVEL:
            level = QUICK_LEVEL
        # No dictionary is empty, and none goes by an empty name.
        name, content = ("", b"") if dictionary is None else (dictionary.name, dictionary.content)
        kept = self._packers.get((name, level))
        if kept is not None and (kept[0] is content or kept[0] == content):
            self._packers.move_to_end((name, level))
            return kept[1]
        digest = None if dictionary is None else DIGESTS.find(dictionary)
        made = packer(level, digest)
        self._packers[name, level] = content, made
        if len(self._packers) > _MOST_PACKERS:
            self._packers.popitem(last=False)
        return made

    def leaner(self, dictionary: Dictionary) -> ZstdCompressor:
        """Return the one for bodies that lean on this dictionary."""
        name, content = dictionary.name, dictionary.content
        kept = self._leaners.get(name)
        if kept is not None and (kept[0] is content or kept[0] == content):
            self._leaners.move_to_end(name)
            return kept[1]
        made = packer(self._level, DIGESTS.find(dictionary))
        self._leaners[name] = content, made
        if len(self._leaners) > _MOST_LEANERS:
            self._leaners.popitem(last=False)
        return made

    def opener(self, dictionary: Dictionary | None) -> ZstdDecompressor:
        """Return the one that leans on this dictionary."""
        if dictionary is None:
            return self.decompressor
        content = dictionary.content
        last = self._last
        # Nearly all bodies of a page lean on one: that is told sooner here than below.
        if last is not None and last[0] is content:
            return last[1]
        name = dictionary.name
        kept = self._openers.get(name)
        if kept is not None and (kept[0] is content or kept[0] == content):
            self._openers.move_to_end(name)
            self._last = kept
            return kept[1]
        made = ZstdDecompressor(dict_data=DIGESTS.find(dictionary))
        self._last = self._openers[name] = content, made
        if len(self._openers) > _MOST_OPENERS:
            self._openers.popitem(last=False)
        return made

    @property
    def kept(self) -> tuple[int, int]:
        """Return how many compressors and decompressors are kept beside the two without one."""
        return len(self._packers) + len(self._leaners), len(self._openers)

    def forget_openers(self) -> None:
        """Give back the memory of decompressors: one keeps all that a damaged frame asked for."""
        self.decompressor = ZstdDecompressor()
        self._last = None
        self._openers.clear()


class Zstd:
    """Compress with Zstandard (RFC 8878), one frame that states its size.

    `level` goes from 1 (quick) to 22 (small). Bodies that are shorter than `min_bytes`, or that
    would not lose an eighth of their size, are left as they are and their seal does not name this
    step. Nothing beyond `MAX_OPENED_BYTES` is ever inflated.

    Packed bodies are compressed at `pack_level`, the long ones quickly, from `PACK_MIN_BYTES` on
    and where that saves `PACK_SAVES` bytes. Bodies that lean on a dictionary are compressed at
    `level` from `PACK_MIN_BYTES` to `LEAN_MOST_BYTES`, where an eighth is saved.
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
        self._local = _Engines(level, pack_level)

    def encode(self, data: bytes, aad: bytes) -> Encoded | None:  # noqa: ARG002 (protects nothing)
        """Return the frame, or `None` where it would not be worth opening."""
        if len(data) < self._min_bytes:
            return None
        frame = self._local.compressor.compress(data)
        if len(frame) > len(data) - len(data) // _SAVES_ONE_IN:
            return None
        return Encoded(frame)

    def decode(self, data: bytes, aad: bytes, *, parameter: str) -> bytes:  # noqa: ARG002
        """Return what the frame holds; raise `Corrupt` for anything but one whole, honest frame."""
        if parameter:
            message = f"zstd has no parameter {parameter!r}"
            raise Corrupt(message, code="bad_seal", parameter=parameter)
        return self._inflated(data, self._local.decompressor)

    def lean(self, data: bytes, *, dictionary: Dictionary) -> Encoded | None:
        """Return the frame and the name of its dictionary, or `None` as `encode` does.

        A body that is too long to gain by a dictionary is compressed without one. Raises `Corrupt`
        for a content that is no dictionary of its name.
        """
        size = len(data)
        if size > LEAN_MOST_BYTES:
            return self.encode(data, b"")
        if size < PACK_MIN_BYTES:
            return None
        try:
            frame = self._local.leaner(dictionary).compress(data)
        except ZstdError as error:
            message = f"the dictionary is none of Zstandard: {error}"
            raise Corrupt(message, code="bad_dictionary") from error
        if len(frame) > size - size // _SAVES_ONE_IN:
            return None
        return Encoded(frame, dictionary.name)

    def pack(self, data: bytes, *, dictionary: Dictionary | None) -> Encoded | None:
        """Return the frame and the name of its dictionary, or `None` where it saves too little."""
        if len(data) < PACK_MIN_BYTES:
            return None
        compressor = self._local.packer(dictionary, size=len(data))
        try:
            frame = compressor.compress(data)
        except ZstdError as error:
            message = f"the dictionary is none of Zstandard: {error}"
            raise Corrupt(message, code="bad_dictionary") from error
        if len(frame) > len(data) - PACK_SAVES:
            return None
        return Encoded(frame, "" if dictionary is None else dictionary.name)

    def unpack(self, data: bytes, *, dictionary: Dictionary | None) -> bytes:
        """Return what the frame holds; raise `Corrupt` as `decode`, and for a bad dictionary."""
        return self._inflated(data, self._local.opener(dictionary))

    def unpack_all(self, bodies: Sequence[bytes], *, dictionary: Dictionary | None) -> list[bytes]:
        """Return what `unpack` does for each, with no call for one but those of Zstandard."""
        decompress = self._local.opener(dictionary).decompress
        found: list[bytes] = []
        data = b""
        try:
            for data in bodies:
                size = frame_content_size(data)
                if not 0 < size <= MAX_OPENED_BYTES:
                    raise _bad_size(size)
                found.append(decompress(data, 0, False, False))  # noqa: FBT003 (as below)
        except ZstdError as error:
            raise self._bad_frame(data, error) from error
        return found

    def train(self, samples: Sequence[bytes], *, size: int) -> Dictionary | None:
        """Make a dictionary out of samples, as `training.train` does."""
        return train(samples, size=size, level=self._pack_level)

    def _inflated(self, data: bytes, engine: ZstdDecompressor) -> bytes:
        try:
            size = frame_content_size(data)
            if not 0 < size <= MAX_OPENED_BYTES:
                raise _bad_size(size)
            # Memory is taken for what the frame states; holding more or less, it fails, and so
            # it does where anything follows. Named arguments would double the time.
            return engine.decompress(data, 0, False, False)  # noqa: FBT003
        except ZstdError as error:
            raise self._bad_frame(data, error) from error

    def _bad_frame(self, data: bytes, error: ZstdError) -> Corrupt:
        # A decompressor that has met damage is not used again.
        self._local.forget_openers()
        message = f"the compressed bytes are not one whole Zstandard frame: {error}"
        return Corrupt(message, code="bad_frame", size=len(data))


def _check_level(level: int, *, field: str) -> None:
    if not 1 <= level <= MAX_COMPRESSION_LEVEL:
        message = f"{field} must be 1 to {MAX_COMPRESSION_LEVEL}, not {level}"
        raise Invalid(message, code="bad_level", field=field)


def _bad_size(size: int) -> Corrupt:
    if size > MAX_OPENED_BYTES:
        message = (
            f"the compressed bytes claim to hold {size} bytes; "
            f"max_opened_bytes is {MAX_OPENED_BYTES}"
        )
        return Corrupt(message, code="too_big", size=size, limit="max_opened_bytes")
    # Nothing is never compressed, and a decompressor would not look behind a frame of nothing.
    message = "the compressed bytes do not say how many bytes they hold, or hold none"
    return Corrupt(message, code="bad_frame", size=size)
