"""Make a dictionary out of samples: several are tried, and what was held out says which is best."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ..domain.errors import Invalid
from ..domain.ports import Dictionary
from .dictionaries import MAGIC, MIN_BYTES, named

if sys.version_info >= (3, 14):
    from compression.zstd import (
        CompressionParameter,
        ZstdCompressor,
        ZstdDict,
        ZstdError,
        finalize_dict,
        train_dict,
    )
else:
    from backports.zstd import (
        CompressionParameter,
        ZstdCompressor,
        ZstdDict,
        ZstdError,
        finalize_dict,
        train_dict,
    )

MIN_SAMPLES: Final = 8
"""Fewer say nothing about the bodies to come."""

MIN_SIZE: Final = 256
"""No dictionary that is made may be held below this size, in bytes."""

_HELD_OUT_ONE_IN: Final = 4

_GAIN_ONE_IN: Final = 20
"""A dictionary must save this part of the compressed bytes, 5 %."""


def train(samples: Sequence[bytes], *, size: int, level: int) -> Dictionary | None:
    """Return the dictionary of at most `size` bytes that makes the held-out samples smallest.

    Tried are: what the samples have in common (fast COVER, as libzstd trains), the last samples
    as they are, and these with statistics of all (RFC 8878, 5). Each fourth sample is held out
    while they are compared; the best is made anew out of all. Returns `None` for fewer than
    `MIN_SAMPLES`, and where the held-out samples would not lose a twentieth of their compressed
    size. Takes some 100 ms for 100 kB; other threads go on meanwhile.

    Raises `Invalid` for a size below `MIN_SIZE`.
    """
    if size < MIN_SIZE:
        message = f"a dictionary has {MIN_SIZE} bytes or more, not {size}"
        raise Invalid(message, code="bad_limit", field="size")
    samples = [sample for sample in samples if sample]
    if len(samples) < MIN_SAMPLES:
        return None
    held = samples[_HELD_OUT_ONE_IN - 1 :: _HELD_OUT_ONE_IN]
    seen = [sample for at, sample in enumerate(samples) if (at + 1) % _HELD_OUT_ONE_IN]
    best: Callable[[Sequence[bytes], int, int], bytes | None] | None = None
    least = _total(held, None, level) * (_GAIN_ONE_IN - 1) // _GAIN_ONE_IN
    for way in _WAYS:
        content = way(seen, size, level)
        if content is not None and (total := _total(held, content, level)) <= least:
            best, least = way, total - 1
    content = None if best is None else best(samples, size, level)
    return None if content is None else named(content)


def _common(samples: Sequence[bytes], size: int, level: int) -> bytes | None:
    del level
    try:
        return train_dict(samples, size).dict_content
    except ZstdError:  # too few samples to find what they share: the other ways need fewer
        return None


def _last(samples: Sequence[bytes], size: int, level: int) -> bytes | None:
    del level
    # What lies nearest to the end is cheapest to point at, and the newest is the likeliest.
    content = b"".join(samples)[-size:]
    while content.startswith(MAGIC):
        content = content[1:]
    return content if len(content) >= MIN_BYTES else None


def _last_with_statistics(samples: Sequence[bytes], size: int, level: int) -> bytes | None:
    content = _last(samples, size, level)
    if content is None:
        return None
    try:
        made = finalize_dict(ZstdDict(content, is_raw=True), samples, size, level)
    except ZstdError:  # nothing repeats, so there are no statistics
        return None
    return made.dict_content


_WAYS: Final = (_common, _last_with_statistics, _last)


def packer(level: int, digest: ZstdDict | None) -> ZstdCompressor:
    """Return a compressor for packed bodies; their seal names the dictionary, not their frame."""
    options: Mapping[int, int] = {
        CompressionParameter.compression_level: level,
        CompressionParameter.dict_id_flag: 0,
    }
    return ZstdCompressor(
        options=options, zstd_dict=None if digest is None else digest.as_digested_dict
    )


def _total(samples: Sequence[bytes], content: bytes | None, level: int) -> int:
    """Return the bytes of all samples, each compressed by itself where that makes it smaller."""
    compressor = packer(level, None if content is None else ZstdDict(content, is_raw=True))
    frames = (compressor.compress(each, mode=ZstdCompressor.FLUSH_FRAME) for each in samples)
    return sum(min(map(len, pair)) for pair in zip(samples, frames, strict=True))
