"""Make a dictionary out of samples: several are tried, and what was held out says which is best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdError, train_dictionary

from ..domain.errors import Invalid
from ..domain.ports import Dictionary
from .dictionaries import MAGIC, MIN_BYTES, named

MIN_SAMPLES: Final = 8
"""Fewer say nothing about the bodies to come."""

MIN_SIZE: Final = 256
"""No dictionary that is made may be held below this size, in bytes."""

_HELD_OUT_ONE_IN: Final = 4

_GAIN_ONE_IN: Final = 20
"""A dictionary must save this part of the compressed bytes, 5 %."""

_SEGMENT: Final = 1_000
"""The length of a segment, in bytes: libzstd by itself tries 50 to 2,000, but needs more samples.

With 8 to 400 messages of two sorts, all ways together save 1.4 % more than they did with the last
messages and statistics of all in place of segments (2.3 % less to 4.9 % more), in half the time."""

_MATCH: Final = 8
"""Bytes that count as a repetition."""

_TABLE_LOG: Final = 18
"""Repetitions are counted in a table of two to this power, a megabyte."""


def train(samples: Sequence[bytes], *, size: int, level: int) -> Dictionary | None:
    """Return the dictionary of at most `size` bytes that makes the held-out samples smallest.

    Tried are: what the samples have in common, as libzstd finds it by itself (fast COVER) and in
    long segments, and the last samples as they are. Each fourth sample is held out while they are
    compared; the best is made anew out of all. Returns `None` for fewer than `MIN_SAMPLES`, and
    where the held-out samples would not lose a twentieth of their compressed size. Takes some
    100 ms for 100 kB; other threads go on meanwhile.

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
    del level  # with any parameter, libzstd would not choose the others itself
    try:
        return train_dictionary(size, list(samples)).as_bytes()
    except ZstdError:  # too few samples to find what they share: the other ways need fewer
        return None


def _in_segments(samples: Sequence[bytes], size: int, level: int, *, segment: int) -> bytes | None:
    size = min(size, sum(map(len, samples)))
    if segment > size:
        return None
    try:
        made = train_dictionary(
            size, list(samples), k=segment, d=_MATCH, f=_TABLE_LOG, split_point=1.0, level=level
        )
    except ZstdError:  # nothing repeats, so there are no statistics
        return None
    return made.as_bytes()


def _in_long_segments(samples: Sequence[bytes], size: int, level: int) -> bytes | None:
    return _in_segments(samples, size, level, segment=_SEGMENT)


def _in_halves(samples: Sequence[bytes], size: int, level: int) -> bytes | None:
    half = min(size, sum(map(len, samples))) // 2
    return _in_segments(samples, size, level, segment=half)


def _last(samples: Sequence[bytes], size: int, level: int) -> bytes | None:
    del level
    # What lies nearest to the end is cheapest to point at, and the newest is the likeliest.
    content = b"".join(samples)[-size:]
    while content.startswith(MAGIC):
        content = content[1:]
    return content if len(content) >= MIN_BYTES else None


_WAYS: Final = (_common, _in_long_segments, _in_halves, _last)


def packer(level: int, digest: ZstdCompressionDict | None) -> ZstdCompressor:
    """Return a compressor for packed bodies; their seal names the dictionary, not their frame."""
    return ZstdCompressor(level=level, dict_data=digest, write_dict_id=False)


def _total(samples: Sequence[bytes], content: bytes | None, level: int) -> int:
    """Return the bytes of all samples, each compressed by itself where that makes it smaller."""
    compressor = packer(level, None if content is None else ZstdCompressionDict(content))
    return sum(min(len(sample), len(compressor.compress(sample))) for sample in samples)
