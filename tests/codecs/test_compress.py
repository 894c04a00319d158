"""Compression pays or is left out, and nothing inflates beyond its limit."""

from __future__ import annotations

import random

import pytest
from zstandard import ZstdCompressor, compress

from ropewalk.codecs.compress import MIN_BYTES, Zstd
from ropewalk.codecs.dictionaries import named
from ropewalk.codecs.recipe import Codec
from ropewalk.domain.errors import Corrupt, Invalid
from ropewalk.domain.limits import MAX_OPENED_BYTES
from ropewalk.domain.ports import Dictionary
from ropewalk.testing.codec import CodecContract

TEXT = b"to be or not to be, that is the question; " * 100


class TestZstd(CodecContract):
    """Zstandard keeps the contract with its usual settings."""

    @pytest.fixture
    def codec(self) -> Codec:
        """Return the codec as pipelines make it."""
        return Zstd()


class TestThoroughZstd(CodecContract):
    """Zstandard keeps the contract at another level, for bodies of every size."""

    @pytest.fixture
    def codec(self) -> Codec:
        """Return a codec that tries hard on everything."""
        return Zstd(level=12, min_bytes=0)


def _opened(data: bytes) -> bytes:
    return Zstd().decode(data, b"", parameter="")


@pytest.mark.seed("6.4")
def test_text_gets_smaller() -> None:
    """A text that repeats itself shrinks to a fraction."""
    encoded = Zstd().encode(TEXT, b"")
    assert encoded is not None
    assert len(encoded.data) * 10 < len(TEXT)


def test_short_bodies_are_left_alone() -> None:
    """A body below the least size is not worth opening twice, one of that size may be."""
    assert Zstd().encode(TEXT[: MIN_BYTES - 1], b"") is None
    assert Zstd().encode(TEXT[:MIN_BYTES], b"") is not None


def test_noise_is_left_alone() -> None:
    """A body that would not lose an eighth of its size stays as it is."""
    assert Zstd().encode(random.Random(1).randbytes(100_000), b"") is None


def test_levels_differ_and_open_each_other() -> None:
    """A higher level makes a smaller body, and every level opens it."""
    words = b" ".join(random.Random(2).choices(TEXT.split(), k=20_000))
    quick, small = (Zstd(level=level).encode(words, b"") for level in (1, 19))
    assert quick is not None
    assert small is not None
    assert len(small.data) < len(quick.data)
    assert words == _opened(quick.data) == _opened(small.data)


@pytest.mark.parametrize("level", [0, -1, 23])
def test_a_level_that_does_not_exist_is_refused(level: int) -> None:
    """The range of levels is told."""
    with pytest.raises(Invalid, match=f"level must be 1 to 22, not {level}"):
        Zstd(level=level)


def test_a_negative_size_is_refused() -> None:
    """A least size below nothing means nothing."""
    with pytest.raises(Invalid, match="min_bytes"):
        Zstd(min_bytes=-1)


@pytest.mark.seed("8.2")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no frame",
        compress(TEXT)[:-1],
        compress(TEXT) + b"\0",
        compress(TEXT) + compress(b"a second frame"),
        ZstdCompressor(write_content_size=False).compress(TEXT),
        compress(b""),
        compress(b"") + b"more",
        bytes.fromhex("502a4d1804000000") + b"more",
        bytes.fromhex("502a4d1804000000") + b"more" + compress(TEXT),
    ],
    ids=[
        *("empty", "text", "cut", "more", "two frames", "no size"),
        *("nothing", "more behind nothing", "to be skipped", "skipped before a frame"),
    ],
)
def test_anything_but_one_whole_frame_is_damage(data: bytes) -> None:
    """What is not exactly one frame that states its size does not open."""
    with pytest.raises(Corrupt):
        _opened(data)


def test_a_bomb_does_not_go_off() -> None:
    """A frame that would inflate beyond the limit is refused before it takes any memory."""
    size = MAX_OPENED_BYTES + 1
    stream = ZstdCompressor(level=1).compressobj(size=size)
    piece = b"\0" * (1 << 20)
    frame = [stream.compress(piece) for _ in range(size // len(piece))]
    frame += [stream.compress(b"\0"), stream.flush()]
    bomb = b"".join(frame)
    assert len(bomb) < 100_000
    with pytest.raises(Corrupt, match="max_opened_bytes") as caught:
        _opened(bomb)
    assert {"size": size, "limit": "max_opened_bytes"} == caught.value.facts


@pytest.mark.parametrize("said", [299, 301, 256, 65_791])
def test_a_frame_that_lies_about_its_size_is_damage(said: int) -> None:
    """A frame that holds more or less than it says is found out."""
    frame = bytearray(compress(b"\0" * 300))
    # The header: 4 bytes of magic, descriptor 0x60 (one segment, size in 2 bytes), size - 256.
    assert (0x60, 300 - 256) == (frame[4], int.from_bytes(frame[5:7], "little"))
    frame[5:7] = (said - 256).to_bytes(2, "little")
    with pytest.raises(Corrupt):
        _opened(bytes(frame))


@pytest.mark.seed("8.2")
def test_a_damaged_frame_keeps_no_memory() -> None:
    """What a cut frame made a decompressor take is given back, and the next frame opens."""
    codec = Zstd()
    engines = codec._local  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    little = engines.decompressor.memory_size()
    big = ZstdCompressor(level=19).compress(random.Random(3).randbytes(1 << 20) * 9)
    for _ in range(3):
        with pytest.raises(Corrupt):
            codec.decode(big[:-1], b"", parameter="")
        assert little == engines.decompressor.memory_size()
    assert 9 << 20 == len(codec.decode(big, b"", parameter=""))
    assert little == engines.decompressor.memory_size()


@pytest.mark.parametrize("size", [64, 500, 20_000])
def test_a_thread_keeps_few_dictionaries(size: int) -> None:
    """However many are used, a thread keeps some compressors and decompressors, and all open."""
    codec = Zstd()
    engines = codec._local  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    body = TEXT[:size] * 6
    for n in range(40):
        dictionary = named(TEXT[:999] + bytes([n]))
        packed = codec.pack(body, dictionary=dictionary)
        assert packed is not None
        assert body == codec.unpack(packed.data, dictionary=dictionary)
        other = Dictionary(dictionary.name, TEXT)
        with pytest.raises(Corrupt, match="not the one of its name"):
            codec.unpack(packed.data, dictionary=other)
        with pytest.raises(Corrupt, match="not the one of its name"):
            codec.pack(body, dictionary=other)
    assert (8, 32) == engines.kept
